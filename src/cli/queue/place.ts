// The place of a configuration's queue. A file with errors is good enough to find it. So a postmaster who has just
// broken routers.toml can still look at the queue, and give orders to the relay that runs with the old configuration.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { SPOOL_DIRECTORY } from "../../config/relay-options.ts";
import { resolvePath } from "../../options/options.ts";
import { parseToml } from "../../config/toml.ts";
import { isTable } from "../../base/table.ts";
import { type ConfigurationFile, readConfiguration } from "../configuration-file.ts";
import { warn } from "../../base/terminal.ts";

export interface QueuePlace {
  /** Absolute paths. */
  readonly relay: {
    readonly spool_directory: string;
    readonly control_socket?: string | undefined;
  };
  readonly file: ConfigurationFile;
}

/** Reports on stderr when the file has errors. Throws WrongConfiguration when it does not name a spool directory. */
export async function findQueue(given: string | undefined): Promise<QueuePlace> {
  const file = await readConfiguration(given);
  const { configuration, wrong } = file;
  if (configuration !== undefined) return { relay: configuration.relay, file };
  const relay = await readPaths(file.file);
  if (relay === undefined) throw wrong;
  const count = wrong.problems.length === 1 ? "a mistake" : `${wrong.problems.length} mistakes`;
  warn(
    `relayctl: ${file.file} has ${count}, and only spool_directory and control_socket are used; see relayctl check`,
  );
  return { relay, file };
}

const PATHS = ["spool_directory", "control_socket"] as const;

/** Undefined when the file does not name the spool directory. */
async function readPaths(file: string): Promise<QueuePlace["relay"] | undefined> {
  const bytes = await readFile(file);
  const parsed = parseToml(bytes);
  const table =
    "document" in parsed
      ? withDefault(parsed.document.root["relay"])
      : relayLines(bytes.toString());
  if (!isTable(table)) return undefined;
  const [spool, socket] = PATHS.map((key) => {
    const value = table[key];
    return typeof value === "string" && value !== "" && !value.includes("\0")
      ? resolvePath(dirname(resolve(file)), value)
      : undefined;
  });
  return spool === undefined ? undefined : { spool_directory: spool, control_socket: socket };
}

function withDefault(table: unknown): unknown {
  if (table === undefined) return { spool_directory: SPOOL_DIRECTORY };
  return isTable(table) ? { spool_directory: SPOOL_DIRECTORY, ...table } : table;
}

/** The simple lines of [relay] in a text that is not valid TOML. */
function relayLines(text: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  let section = "";
  for (const line of text.split("\n")) {
    section = /^\s*\[+\s*([\w.]+)/.exec(line)?.[1] ?? section;
    const [, key, , value] = /^\s*(\w+)\s*=\s*(["'])([^"'\\]+)\2/.exec(line) ?? [];
    if (section === "relay" && key !== undefined) found[key] = value;
  }
  return found;
}

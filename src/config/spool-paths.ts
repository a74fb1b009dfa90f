// The paths of the spool and of the control socket, from a file that may have errors.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isTable } from "../base/table.ts";
import { resolvePath } from "../options/options.ts";
import { SPOOL_DIRECTORY } from "./relay-options.ts";
import { parseToml } from "./toml.ts";

/** Absolute paths. */
export interface SpoolPaths {
  readonly spool_directory: string;
  readonly control_socket?: string | undefined;
}

const PATHS = ["spool_directory", "control_socket"] as const;

/** Undefined when the file does not name the spool directory. */
export async function readSpoolPaths(file: string): Promise<SpoolPaths | undefined> {
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

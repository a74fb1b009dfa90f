// From the file to a Configuration, or to every problem that it has, sorted by line.
//
// Invariant: a configuration is returned only when nothing at all is wrong with it, so that nothing which can
// be known beforehand is found out by a message.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Configuration, ConfigurationProblem } from "./configuration.ts";
import { crossCheck } from "./cross-checks.ts";
import { readRouters, readTransports } from "./driven.ts";
import type { BuiltIn, Reading } from "./driven.ts";
import { cannotRead } from "../base/cannot-read.ts";
import { checkKeys, readOption, resolvePath } from "../options/options.ts";
import type { Option, Problem } from "../options/options.ts";
import { sections } from "./sections.ts";
import { parseToml } from "./toml.ts";
import type { TomlDocument } from "./toml.ts";
import { walk } from "./walk.ts";
import type { Written } from "./walk.ts";

export type LoadResult =
  | { readonly configuration: Configuration }
  | { readonly problems: readonly ConfigurationProblem[] }
  /** The file is not there, or may not be read: one line that says so. */
  | { readonly unreadable: string };

export async function loadConfiguration(file: string, builtIn: BuiltIn): Promise<LoadResult> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return { unreadable: cannotRead(file, error) };
  }
  const parsed = parseToml(bytes);
  if ("problem" in parsed) return { problems: [{ file, ...parsed.problem }] };
  const { root, positions } = parsed.document;
  const problems: Problem[] = [];
  const configuration = await readRoot(root, file, builtIn, problems);
  if (configuration !== undefined && problems.length === 0) return { configuration };
  return {
    problems: problems
      .map((problem) => ({ file, line: positions.line(problem.path), ...problem }))
      .toSorted((a, b) => a.line - b.line),
  };
}

async function readRoot(
  root: TomlDocument["root"],
  file: string,
  builtIn: BuiltIn,
  problems: Problem[],
): Promise<Configuration | undefined> {
  const directory = dirname(resolve(file));
  const written: Written[] = [];
  const reading: Reading = {
    directory,
    problems,
    prepare(fields, table, path) {
      for (const one of walk(fields, table, path)) {
        written.push(one);
        if (one.option.isPath === true && typeof one.value === "string" && one.value !== "") {
          one.replace(resolvePath(directory, one.value));
        }
      }
    },
  };
  const tables = { ...sections, ...builtIn.sections };
  checkKeys(root, [...Object.keys(tables), "routers", "transports"], "", problems);
  reading.prepare(tables, root, "");
  const read = <T>(name: string, option: Option<T>): T | undefined => {
    const value = root[name];
    const isEmpty = option.type === "tables" && Array.isArray(value) && value.length === 0;
    if (!option.required || (value !== undefined && !isEmpty)) {
      return readOption(option, value, name, problems);
    }
    const header = option.type === "tables" ? `[[${name}]]` : `[${name}]`;
    const what = isEmpty ? "must not be empty" : "is missing";
    problems.push({ path: name, message: `${what}: there must be a ${header}` });
    return undefined;
  };
  const relay = read("relay", sections.relay);
  const listeners = read("listeners", sections.listeners);
  const dns = read("dns", sections.dns);
  const domains = read("domains", sections.domains);
  const hosts = read("hosts", sections.hosts);
  const gate = read("gate", sections.gate);
  const retry = read("retry", sections.retry);
  const replies = read("replies", sections.replies);
  const bounce = read("bounce", sections.bounce);
  const https = read("https", sections.https);
  const ofParts = Object.entries(builtIn.sections).map(([name, option]) => [
    name,
    read(name, option),
  ]);
  const routers = await readRouters(root["routers"], builtIn.routers, reading);
  const transports = await readTransports(root["transports"], builtIn.transports, reading);
  crossCheck(root, written, problems);

  const own = { relay, listeners, dns, domains, hosts, gate, retry, replies, bounce, https };
  if (!isComplete(own)) return undefined;
  return { file, directory, ...own, routers, transports, parts: Object.fromEntries(ofParts) };
}

type Complete<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

/** Every section could be read. */
function isComplete<T extends Record<string, unknown>>(own: T): own is T & Complete<T> {
  return Object.values(own).every((section) => section !== undefined);
}

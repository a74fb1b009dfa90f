// Turns the file into a Configuration, or into the list of all its problems, sorted by line.
//
// Invariant: a configuration is returned only when it has no problem at all. So every error that can be found
// beforehand is found before a message meets it.

import { dirname, resolve } from "node:path";
import type { BuiltIn, Configuration, ConfigurationProblem } from "./configuration.ts";
import { crossCheck } from "./cross-checks.ts";
import { readRouters, readTransports } from "./driver-tables.ts";
import type { Reading } from "./driver-tables.ts";
import { cannotRead } from "../base/file-errors.ts";
import { errorCode } from "../base/error-code.ts";
import { readNamedFile } from "../base/named-file.ts";
import { checkKeys, keepFixed, readFields, readOption, resolvePath } from "../options/options.ts";
import type { Option, Problem } from "../options/options.ts";
import { relayOptions } from "./relay-options.ts";
import { sections } from "./sections.ts";
import { parseToml } from "./toml.ts";
import type { TomlDocument } from "./toml.ts";
import { writtenOptions } from "./written-options.ts";
import type { Written } from "./written-options.ts";

export type LoadResult =
  | { readonly configuration: Configuration }
  | { readonly problems: readonly ConfigurationProblem[] }
  /** The file is missing or must not be read: one line that says so. */
  | { readonly unreadable: string };

export async function loadConfiguration(file: string, builtIn: BuiltIn): Promise<LoadResult> {
  let bytes: Buffer;
  try {
    ({ bytes } = await readNamedFile(file, true));
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

/**
 * The new configuration with the fixed options of the one in force. `kept` names the fixed options whose new values are
 * ignored.
 */
export function withFixedOptions(
  { relay: inForce }: Configuration,
  wanted: Configuration,
): { readonly next: Configuration; readonly kept: readonly string[] } {
  const { values: relay, kept } = keepFixed(relayOptions, inForce, wanted.relay);
  return { next: { ...wanted, relay }, kept: kept.map((name) => `relay.${name}`) };
}

async function readRoot(
  root: TomlDocument["root"],
  file: string,
  builtIn: BuiltIn,
  problems: Problem[],
): Promise<Configuration | undefined> {
  const directory = dirname(resolve(file));
  const written: Written[] = [];
  const reading = { directory, problems, prepare: preparing(directory, written, problems) };
  const tables = { ...sections, ...builtIn.sections };
  checkKeys(root, [...Object.keys(tables), "routers", "transports"], "", problems);
  if (!(await reading.prepare(tables, root, ""))) return undefined;
  const read = <T>(name: string, option: Option<T>) => readSection(root, name, option, problems);
  const own = readFields(sections, read);
  const parts = Object.entries(builtIn.sections).map(([name, option]) => [
    name,
    read(name, option),
  ]);
  const routers = await readRouters(root["routers"], builtIn.routers, reading);
  const transports = await readTransports(root["transports"], builtIn.transports, reading);
  crossCheck(root, written, builtIn.lookups, problems);
  if (own === undefined) return undefined;
  const { lookups } = builtIn;
  return {
    file,
    directory,
    ...own,
    lookups,
    routers,
    transports,
    parts: Object.fromEntries(parts),
  };
}

/**
 * Adds each option that is visited to `written`, and makes its path absolute if it is one. The options read some of
 * these files at once, on the event loop: a file that does not answer is a problem before.
 */
function preparing(directory: string, written: Written[], problems: Problem[]): Reading["prepare"] {
  return async (fields, table, path) => {
    const files: { file: string; path: string }[] = [];
    for (const visited of writtenOptions(fields, table, path)) {
      written.push(visited);
      const { option, value } = visited;
      if (option.isPath !== true || typeof value !== "string" || value === "") continue;
      const file = resolvePath(directory, value);
      visited.replace(file);
      if (option.isRead === true) files.push({ file, path: visited.path });
    }
    const found = (await Promise.all(files.map(unanswered))).flat();
    problems.push(...found);
    return found.length === 0;
  };
}

/** The problem of a file that does not answer. Its option reports all other problems. */
async function unanswered({ file, path }: { file: string; path: string }): Promise<Problem[]> {
  try {
    await readNamedFile(file);
    return [];
  } catch (error) {
    return errorCode(error) === undefined ? [{ path, message: cannotRead(file, error) }] : [];
  }
}

function readSection<T>(
  root: TomlDocument["root"],
  name: string,
  option: Option<T>,
  problems: Problem[],
): T | undefined {
  const value = root[name];
  const isEmpty = option.type === "tables" && Array.isArray(value) && value.length === 0;
  if (!option.required || (value !== undefined && !isEmpty)) {
    return readOption(option, value, name, problems);
  }
  const header = option.type === "tables" ? `[[${name}]]` : `[${name}]`;
  const what = isEmpty ? "must not be empty" : "is missing";
  problems.push({ path: name, message: `${what}: there must be a ${header}` });
  return undefined;
}

// Parses TOML text into plain tables, with the line of everything in it. This is the only module that knows the toml
// package. The package silently replaces invalid UTF-8 by U+FFFD, so the bytes are checked first.

import { isUtf8 } from "node:buffer";
import { parse } from "toml";
import { isTable } from "../base/table.ts";
import { indexPositions } from "./positions.ts";
import type { Positions } from "./positions.ts";

export interface TomlDocument {
  readonly root: Record<string, unknown>;
  readonly positions: Positions;
}

/**
 * The reason why a text is not valid TOML. `path` is the key in question, or "" when the text could not be read that
 * far.
 */
export interface TomlProblem {
  readonly line: number;
  readonly path: string;
  readonly message: string;
}

export function parseToml(
  bytes: Buffer,
): { readonly document: TomlDocument } | { readonly problem: TomlProblem } {
  const invalid = invalidUtf8At(bytes);
  if (invalid !== undefined) {
    return { problem: { line: invalid, path: "", message: "not UTF-8 text" } };
  }
  const text = bytes.toString("utf8");
  try {
    const root: unknown = parse(text);
    if (!isTable(root)) throw new Error("a TOML document is not a table");
    return { document: { root, positions: indexPositions(text) } };
  } catch (error) {
    return { problem: problemOf(error, text) };
  }
}

/**
 * The number of the first line that is not UTF-8. No UTF-8 sequence contains a line feed, so lines can be checked one
 * by one.
 */
function invalidUtf8At(bytes: Buffer): number | undefined {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed === -1 ? bytes.length : feed + 1;
    if (!isUtf8(bytes.subarray(start, end))) return line;
    start = end;
  }
  return undefined;
}

/** Describes a syntax error. Any other error of the parser is thrown on. */
function problemOf(error: unknown, text: string): TomlProblem {
  if (!(error instanceof Error)) throw error;
  const { message } = error;
  if (hasLocation(error)) {
    const { line, column } = error.location.start;
    return { line, path: "", message: syntaxMessage(error.found, error.expected, column) };
  }
  if (!("line" in error) || typeof error.line !== "number") throw error;
  const twice = /^Cannot redefine existing key '(.+)'\.$/.exec(message)?.[1];
  if (twice !== undefined) {
    const isOneOfMany = text.split("\n")[error.line - 1]?.startsWith("[[") === true;
    const hint = isOneOfMany ? `; it must be [[${twice}]] each time` : "";
    return { line: error.line, path: twice, message: `stands here twice${hint}` };
  }
  return { line: error.line, path: "", message };
}

interface LocatedError {
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
  readonly found: unknown;
  readonly expected: unknown;
}

function hasLocation(error: object): error is LocatedError {
  return "location" in error && isTable(error.location) && isTable(error.location["start"]);
}

/**
 * The parser lists every character that it would accept. The postmaster needs to know which one is probably missing.
 */
function syntaxMessage(found: unknown, expected: unknown, column: number): string {
  const names = new Map<unknown, string>([
    [null, "the end of the file"],
    ["\n", "the end of the line"],
    ["\r", "the end of the line"],
    [`"`, "a quote"],
  ]);
  const what = names.get(found) ?? JSON.stringify(found);
  const texts = new Set(
    (Array.isArray(expected) ? expected : []).map((one) =>
      isTable(one) ? one["text"] : undefined,
    ),
  );
  const at = `syntax: ${what} in column ${column}`;
  if (texts.has("true")) return `${at} where a value should be; a text stands in quotes`;
  const missing = MISSING.find(([sign]) => texts.has(sign))?.[1];
  return `${at} is not expected${missing === undefined ? "" : `; is ${missing} missing before it?`}`;
}

/** By characters that the parser would accept. */
const MISSING: readonly (readonly [sign: string, what: string])[] = [
  [",", "a comma, or the end of the list,"],
  [`"`, "a quote"],
  ["'", "a quote"],
  ["]", `a "]"`],
  ["=", `a "="`],
];

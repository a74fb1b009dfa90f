// The format of an lsearch file, as in Exim: `key`, `key: value` or `"quoted key": value`, one a line. The first
// entry of a key counts. A key ends at a colon or white space. "#" lines and blank lines are skipped, also between a
// line and its continuation. A line that begins with white space continues the value above.

/** The meaning of each entry by its lower-case key. */
export type LsearchTable = ReadonlyMap<string, string>;

export type LsearchAnswer =
  | {
      /** The entries, with their values as written. */
      readonly table: LsearchTable;
      /** Why the file is not believed. Then the table is an earlier one, and other keys may or may not exist. */
      readonly doubt?: string;
    }
  /** Why the file cannot be read. */
  | { readonly error: string };

/**
 * Returns the meaning of an entry from its lower-case key and its value as written, "" without a value. `line` is
 * that of the key, counted from 1.
 */
export type EntryMeaning = (key: string, value: string, line: number) => string;

/** The value in lower case; without a value, the key. */
export const canonicalName = (key: string, value: string): string => value.toLowerCase() || key;

export const asWritten: EntryMeaning = (_key, value) => value;

/** Lines that are parsed in one turn of the event loop: a few milliseconds of work. */
const SLICE = 20_000;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

export async function parseLsearch(
  text: string,
  meaning: EntryMeaning = canonicalName,
): Promise<LsearchTable> {
  const table = new Map<string, string>();
  let key = "";
  let value = "";
  let line = 0;
  let count = 0;
  const keep = () => {
    // No lookup asks for an empty key.
    if (key !== "" && !table.has(key)) table.set(key, meaning(key, value.trim(), line));
  };
  for (let start = 0, end: number; start < text.length; start = end + 1) {
    end = text.indexOf("\n", start);
    if (end === -1) end = text.length;
    const written = text.slice(start, end).trimEnd();
    count += 1;
    if (count % SLICE === 0) await new Promise(setImmediate);
    if (written === "" || written.startsWith("#")) continue;
    if (/^[ \t\v\f\r]/.test(written)) {
      value += ` ${written.trim()}`;
      continue;
    }
    keep();
    [key, value] = splitLine(written);
    line = count;
  }
  keep();
  return table;
}

function splitLine(line: string): [key: string, value: string] {
  const quoted = /^"((?:[^"\\]|\\.)*)"?/.exec(line);
  const written = quoted === null ? (/^[^: \t\v\f\r]*/.exec(line)?.[0] ?? "") : quoted[0];
  const key = quoted === null ? written : unescape(quoted[1] ?? "");
  const value = line.slice(written.length).replace(/^[ \t\v\f\r]*:?/, "");
  return [key.toLowerCase(), value];
}

/**
 * C escapes, as in Exim's quoted strings: octal, \xHH, the usual letters. Before any other character the "\" is
 * dropped.
 */
function unescape(quoted: string): string {
  return quoted.replaceAll(/\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)/g, (_, escape: string) => {
    if (/^[0-7]/.test(escape)) return String.fromCharCode(Number.parseInt(escape, 8));
    if (/^x./.test(escape)) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return ESCAPES[escape] ?? escape;
  });
}

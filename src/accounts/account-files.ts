// The lsearch files that a sync writes, one for each domain: a name a line, and for an alias its account behind a
// colon. The head says by whom, when and how many. A comment above a name that has left the directory says since when.
//
// Invariant: what is written here reads back as the same names, whatever characters they have.

import { readList } from "../lists/list-content.ts";
import { asWritten, parseLsearch } from "../lists/lsearch-text.ts";

export interface AccountsFile {
  /** The text after the colon by name, "" without one. */
  readonly entries: ReadonlyMap<string, string>;
  /** By name: since when it is missing in the directory, in ms since the epoch. */
  readonly departed: ReadonlyMap<string, number>;
  /** The time in the head of the file, in ms since the epoch; absent if the file has none. */
  readonly writtenAt?: number;
}

/** Undefined if there is no such file. Throws if it cannot be read, or is not a text. */
export async function readAccountsFile(path: string): Promise<AccountsFile | undefined> {
  const { content } = await readList(path);
  if ("text" in content) return parseAccountsFile(content.text);
  const why = "error" in content ? content.error : content.unsound;
  if (why.startsWith("ENOENT")) return undefined;
  throw new Error(`${path} cannot be read: ${why}`);
}

const WRITTEN = /written by unseen at (\S+Z)/;
const DEPARTED = /^# Left the directory at (\S+Z); /;

export async function parseAccountsFile(text: string): Promise<AccountsFile> {
  const departed = new Map<string, number>();
  const sinceOfLine = new Map<number, number>();
  for (const [index, line] of text.split("\n").entries()) {
    const since = timeIn(DEPARTED.exec(line));
    if (since !== undefined) sinceOfLine.set(index + 2, since);
  }
  const entries = await parseLsearch(text, (key, value, line) => {
    const since = sinceOfLine.get(line);
    if (since !== undefined) departed.set(key, since);
    return asWritten(key, value, line);
  });
  const head = /^(?:#.*\n)*/.exec(text)?.[0] ?? "";
  const writtenAt = timeIn(WRITTEN.exec(head));
  return writtenAt === undefined ? { entries, departed } : { entries, departed, writtenAt };
}

function timeIn(match: RegExpExecArray | null): number | undefined {
  const time = Date.parse(match?.[1] ?? "");
  return Number.isFinite(time) ? time : undefined;
}

export interface AccountsText extends Pick<AccountsFile, "entries" | "departed"> {
  /** "the accounts of example.com", for the head. */
  readonly what: string;
  /** "12 users, 3 groups, 8 aliases", for the head. */
  readonly count: string;
  readonly writtenAt: number;
  /** Milliseconds for which a name stays after it has left the directory. */
  readonly removalDelay: number;
}

export function accountsText(file: AccountsText): string {
  const { what, count, writtenAt, entries, departed, removalDelay } = file;
  const lines = [
    `# This file has ${what}, written by unseen at ${iso(writtenAt)}:`,
    `# ${count}. The next sync overwrites other changes.`,
  ];
  const names = [...entries.keys()].toSorted();
  for (const name of names) {
    const since = departed.get(name);
    if (since !== undefined) {
      const until = iso(since + removalDelay);
      lines.push(`# Left the directory at ${iso(since)}; is removed after ${until}.`);
    }
    const value = entries.get(name) ?? "";
    lines.push(value === "" ? keyText(name) : `${keyText(name)}: ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** The name as a key: in quotes if a plain one would end early or begin a comment. */
function keyText(name: string): string {
  if (/^[^\s:"#\\][^\s:"\\]*$/.test(name)) return name;
  return `"${name.replaceAll(/["\\]/g, "\\$&")}"`;
}

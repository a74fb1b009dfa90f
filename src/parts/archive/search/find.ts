// Finds the newest messages that match. A search asks one shelf of the full-text index after another, or one slice of
// the table of messages, newest first, and stops when it has enough.
//
// Invariants: between two shelves or slices, the event loop goes on and an abort is heeded. No step's cost grows with
// the number of messages in the archive. Shelves may overlap in time, and the result is in order all the same.

import { setImmediate as nextTurn } from "node:timers/promises";
import { idAt, idsIn } from "../model/ids.ts";
import type { Condition } from "./condition.ts";
import { type Plan, planOf, type Sql } from "./plan.ts";

/** Reads from the index. */
export interface IndexReader {
  all(sql: string, ...values: readonly (string | number)[]): readonly Row[];
}

type Row = Readonly<Record<string, unknown>>;

export interface Page {
  /** The largest number of messages. */
  readonly limit: number;
  /** Only messages with smaller ids. */
  readonly before?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Shelf {
  readonly number: number;
  readonly least: number;
  readonly greatest: number;
}

/** Ids, inclusive. */
interface Bounds {
  readonly least: number;
  readonly greatest: number;
}

/** The ids of the newest messages that match, newest first. Rejects with the reason of the signal. */
export async function findIds(
  reader: IndexReader,
  condition: Condition,
  page: Page,
): Promise<number[]> {
  const plan = planOf(withAccounts(reader, condition));
  const bounds = boundsOf(reader, plan, page.before);
  page.signal?.throwIfAborted();
  if (page.limit < 1 || bounds.least > bounds.greatest) return [];
  const { match } = plan;
  return match === undefined
    ? findRows(reader, plan, bounds, page)
    : findWords(reader, { ...plan, match }, bounds, page);
}

function boundsOf(reader: IndexReader, { delivered }: Plan, before: number | undefined): Bounds {
  const [row] = reader.all("SELECT value FROM meta WHERE name = 'most_shift'");
  const margin = idsIn(Math.max(0, numberOf(row, "value")));
  const { from, before: end } = delivered;
  return {
    least: from === undefined ? 1 : idAt(from),
    greatest: Math.min(
      before === undefined ? Number.MAX_SAFE_INTEGER : before - 1,
      end === undefined ? Number.MAX_SAFE_INTEGER : idAt(end) + margin,
    ),
  };
}

/** By the words: shelf after shelf. */
async function findWords(
  reader: IndexReader,
  plan: Plan & { readonly match: string },
  bounds: Bounds,
  { limit, signal }: Page,
): Promise<number[]> {
  let found: number[] = [];
  for (const shelf of shelvesIn(reader, bounds)) {
    const oldest = found.length < limit ? undefined : found.at(-1);
    if (oldest !== undefined && oldest > shelf.greatest) break;
    const least = Math.max(bounds.least, oldest ?? 0);
    const scope = { shelves: [shelf.number], least, greatest: bounds.greatest };
    if (plan.cheapMatch === undefined || hasMatch(reader, shelf, plan.cheapMatch, scope)) {
      const more = idsInShelf(reader, shelf, plan, { ...scope, limit });
      found = [...found, ...more].toSorted((a, b) => b - a).slice(0, limit);
    }
    await nextTurn();
    signal?.throwIfAborted();
  }
  return found;
}

function shelvesIn(reader: IndexReader, { least, greatest }: Bounds): Shelf[] {
  const rows = reader.all(
    "SELECT number, least, greatest FROM shelves WHERE greatest >= ? AND least <= ? ORDER BY greatest DESC",
    least,
    greatest,
  );
  return rows.map((row) => ({
    number: numberOf(row, "number"),
    least: numberOf(row, "least"),
    greatest: numberOf(row, "greatest"),
  }));
}

function hasMatch(reader: IndexReader, shelf: Shelf, match: string, bounds: Bounds): boolean {
  const table = `text_${shelf.number}`;
  const sql = `SELECT 1 FROM ${table} WHERE ${table} MATCH ? AND rowid BETWEEN ? AND ? LIMIT 1`;
  return reader.all(sql, match, bounds.least, bounds.greatest).length > 0;
}

function idsInShelf(
  reader: IndexReader,
  shelf: Shelf,
  { match, where }: Plan & { readonly match: string },
  scope: Bounds & { readonly shelves: readonly number[]; readonly limit: number },
): number[] {
  const table = `text_${shelf.number}`;
  // CROSS JOIN: the words come first, in their order.
  const rows: Sql = where?.(scope) ?? { text: "1", values: [] };
  const join = where === undefined ? "" : `CROSS JOIN messages m ON m.id = ${table}.rowid`;
  const found = reader.all(
    `SELECT ${table}.rowid AS id FROM ${table} ${join}
     WHERE ${table} MATCH ? AND ${table}.rowid BETWEEN ? AND ? AND ${rows.text}
     ORDER BY ${table}.rowid DESC LIMIT ?`,
    match,
    scope.least,
    scope.greatest,
    ...rows.values,
    scope.limit,
  );
  return found.map((row) => numberOf(row, "id"));
}

const FIRST_SLICE = 500;
const MAX_SLICE = 20_000;

/** Without words: slice after slice of the table of messages. */
async function findRows(
  reader: IndexReader,
  plan: Plan,
  bounds: Bounds,
  { limit, signal }: Page,
): Promise<number[]> {
  const shelves = shelvesIn(reader, bounds);
  const found: number[] = [];
  let { greatest } = bounds;
  for (let size = FIRST_SLICE; found.length < limit; size = Math.min(2 * size, MAX_SLICE)) {
    const least = leastOfSlice(reader, { least: bounds.least, greatest }, size);
    if (least === undefined) break;
    const sliced = shelves.filter((shelf) => shelf.greatest >= least && shelf.least <= greatest);
    const scope = { shelves: sliced.map(({ number }) => number), least, greatest };
    const { text, values } = plan.where?.(scope) ?? { text: "1", values: [] };
    const rows = reader.all(
      `SELECT m.id AS id FROM messages m WHERE m.id BETWEEN ? AND ? AND ${text} ORDER BY m.id DESC LIMIT ?`,
      least,
      greatest,
      ...values,
      limit - found.length,
    );
    found.push(...rows.map((row) => numberOf(row, "id")));
    greatest = least - 1;
    await nextTurn();
    signal?.throwIfAborted();
  }
  return found;
}

/** The least id of the newest `size` messages within the bounds. */
function leastOfSlice(
  reader: IndexReader,
  { least, greatest }: Bounds,
  size: number,
): number | undefined {
  const [row] = reader.all(
    "SELECT min(id) AS least FROM (SELECT id FROM messages WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?)",
    least,
    greatest,
    size,
  );
  return typeof row?.["least"] === "number" ? row["least"] : undefined;
}

/** Replaces local parts and domains by the accounts that have them. */
function withAccounts(reader: IndexReader, condition: Condition): Condition {
  if (condition.kind === "all" || condition.kind === "any") {
    return { ...condition, of: condition.of.map((each) => withAccounts(reader, each)) };
  }
  if (condition.kind === "not") return { ...condition, of: withAccounts(reader, condition.of) };
  const isPartial = condition.kind === "account" && !/^[^@].*@/s.test(condition.account);
  return isPartial ? accountsLike(reader, condition.account) : condition;
}

/** `written` is a local part or a domain; a domain may follow "@". */
function accountsLike(reader: IndexReader, written: string): Condition {
  const wanted = written.toLowerCase();
  const accounts = reader.all("SELECT name FROM accounts").map((row) => String(row["name"]));
  const named = accounts.filter((account) => {
    const name = account.toLowerCase();
    return wanted.startsWith("@")
      ? name.endsWith(wanted)
      : name.startsWith(`${wanted}@`) || name.endsWith(`@${wanted}`);
  });
  if (named.length === accounts.length) return { kind: "all", of: [] };
  return { kind: "any", of: named.map((account) => ({ kind: "account", account })) };
}

function numberOf(row: Row | undefined, column: string): number {
  const value = row?.[column];
  return typeof value === "number" ? value : 0;
}

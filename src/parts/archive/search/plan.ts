// A condition as SQL on the tables of the index. Values are bound, never written into the SQL.

import { DELIVERED_AT } from "../model/ids.ts";
import type { Condition, Range } from "./condition.ts";
import { exactMatch, necessaryMatch, without } from "./match.ts";

export interface Sql {
  readonly text: string;
  readonly values: readonly (string | number)[];
}

/** The messages that a piece of SQL is asked about. */
interface Scope {
  /** The numbers of the shelves that hold their words. */
  readonly shelves: readonly number[];
  /** Ids, inclusive. */
  readonly least: number;
  readonly greatest: number;
}

/** A condition in pieces. A message matches if it satisfies `match` and `where`. */
export interface Plan {
  /** An expression of FTS5. */
  readonly match?: string;
  /** A part of `match` without prefixes, if it has some. A prefix costs a shelf much, also if nothing matches there. */
  readonly cheapMatch?: string;
  /** A condition on a row `m` of the table `messages`. */
  readonly where?: (scope: Scope) => Sql;
  /** A range that holds every matching message by its time of delivery, in ms. */
  readonly delivered: Range;
}

export function planOf(condition: Condition): Plan {
  const conditions = conjuncts(condition);
  const wanted = conditions.map(necessaryMatch).filter((match) => match !== undefined);
  const excluded: string[] = [];
  const rows: Condition[] = [];
  for (const each of conditions) {
    const unwanted = each.kind === "not" ? exactMatch(each.of) : undefined;
    if (unwanted !== undefined && wanted.length > 0) excluded.push(unwanted);
    else if (exactMatch(each) === undefined) rows.push(each);
  }
  const cheap = wanted.filter((match) => !match.includes("*"));
  const hasPrefix = cheap.length < wanted.length || excluded.some((match) => match.includes("*"));
  return {
    ...(wanted.length > 0 && { match: without(wanted, excluded) }),
    ...(hasPrefix && cheap.length > 0 && { cheapMatch: without(cheap, []) }),
    ...(rows.length > 0 && { where: (scope) => joined("AND", rows, scope) }),
    delivered: conditions.reduce(narrowed, {}),
  };
}

/** Conditions that all must be true, as many and as small as possible. */
function conjuncts(condition: Condition): Condition[] {
  if (condition.kind === "all") return condition.of.flatMap(conjuncts);
  if (condition.kind !== "not") return [condition];
  const { of } = condition;
  if (of.kind === "not") return conjuncts(of.of);
  if (of.kind === "any") return of.of.flatMap((each) => conjuncts({ kind: "not", of: each }));
  return [condition];
}

function narrowed(range: Range, condition: Condition): Range {
  if (condition.kind !== "delivered") return range;
  const { from, before } = condition.range;
  const lower = Math.max(range.from ?? -Infinity, from ?? -Infinity);
  const upper = Math.min(range.before ?? Infinity, before ?? Infinity);
  return {
    ...(lower > -Infinity && { from: lower }),
    ...(upper < Infinity && { before: upper }),
  };
}

/** True or false, never null, so that it can be negated. */
function sqlOf(condition: Condition, scope: Scope): Sql {
  const match = exactMatch(condition);
  if (match !== undefined) return isOneOf(match, scope);
  switch (condition.kind) {
    case "all":
      return joined("AND", condition.of, scope);
    case "any":
      return joined("OR", condition.of, scope);
    case "not": {
      const { text, values } = sqlOf(condition.of, scope);
      return { text: `NOT ${text}`, values };
    }
    case "size":
      return within("m.size", condition.range);
    case "delivered":
      return within(DELIVERED_AT, condition.range);
    case "sent":
      return within("m.date", condition.range);
    case "messageId":
      return { text: "(ifnull(m.message_id, '') = ?)", values: [condition.id] };
    case "words":
    case "account":
    case "folder":
    case "hasAttachment":
      throw new Error(`the full-text index does not know ${condition.kind}`);
  }
}

function joined(operator: "AND" | "OR", conditions: readonly Condition[], scope: Scope): Sql {
  const pieces = conditions.map((each) => sqlOf(each, scope));
  if (pieces.length === 0) return { text: operator === "AND" ? "1" : "0", values: [] };
  return {
    text: `(${pieces.map(({ text }) => text).join(` ${operator} `)})`,
    values: pieces.flatMap(({ values }) => values),
  };
}

function within(expression: string, { from, before }: Range): Sql {
  const tests: string[] = [];
  if (from !== undefined) tests.push(`${expression} >= ?`);
  if (before !== undefined) tests.push(`${expression} < ?`);
  const values = [from, before].filter((value) => value !== undefined);
  return { text: `ifnull(${tests.join(" AND ") || "1"}, 0)`, values };
}

function isOneOf(match: string, { shelves, least, greatest }: Scope): Sql {
  const selects = shelves.map(
    (shelf) =>
      `SELECT rowid FROM text_${shelf} WHERE text_${shelf} MATCH ? AND rowid BETWEEN ? AND ?`,
  );
  return {
    text: selects.length === 0 ? "0" : `(m.id IN (${selects.join(" UNION ALL ")}))`,
    values: shelves.flatMap(() => [match, least, greatest]),
  };
}

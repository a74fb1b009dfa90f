// A condition as an expression of FTS5, as far as the full-text index alone can decide it.
//
// Invariant: an expression is built from letters and digits of tokens, in quotes. No text of a query becomes syntax.

import type { Condition, Range, TextField } from "./condition.ts";
import { markTerm, sizeClass, sizeTerm, type Words } from "./tokens.ts";

/** The expression that exactly the matching messages match. Undefined: the full-text index does not know. */
export function exactMatch(condition: Condition): string | undefined {
  switch (condition.kind) {
    case "all":
      return allMatch(condition.of);
    case "any":
      return anyMatch(condition.of);
    case "words":
      return phrase(condition.words, condition.field);
    case "account":
      return quoted(markTerm("account", condition.account.toLowerCase()));
    case "folder":
      return folderMatch(condition.folder.toLowerCase());
    case "hasAttachment":
      return quoted(markTerm("attachment", ""));
    case "not":
    case "messageId":
    case "size":
    case "delivered":
    case "sent":
      return undefined;
  }
}

/** An expression that every matching message matches, and a few others. */
export function necessaryMatch(condition: Condition): string | undefined {
  if (condition.kind === "messageId") return quoted(markTerm("id", condition.id));
  if (condition.kind === "size") return sizeMatch(condition.range);
  return exactMatch(condition);
}

/** `NOT` has two sides in FTS5, so there must be something that is wanted. */
function allMatch(conditions: readonly Condition[]): string | undefined {
  const wanted = conditions.filter(({ kind }) => kind !== "not").map(exactMatch);
  const unwanted = conditions.filter((condition) => condition.kind === "not");
  const excluded = unwanted.map(({ of }) => exactMatch(of));
  if (wanted.length === 0 || !areKnown(wanted) || !areKnown(excluded)) return undefined;
  return without(wanted, excluded);
}

function anyMatch(conditions: readonly Condition[]): string | undefined {
  if (conditions.length === 0) return NOTHING;
  const matches = conditions.map(exactMatch);
  return areKnown(matches) ? either(matches) : undefined;
}

function areKnown(matches: readonly (string | undefined)[]): matches is string[] {
  return matches.every((match) => match !== undefined);
}

/** All of `wanted`, which is not empty, and none of `excluded`. */
export function without(wanted: readonly string[], excluded: readonly string[]): string {
  const all = wanted.length === 1 ? wanted.join("") : `(${wanted.join(" AND ")})`;
  return excluded.length === 0 ? all : `(${all} NOT ${either(excluded)})`;
}

function either(matches: readonly string[]): string {
  return `(${matches.join(" OR ")})`;
}

/** An account without a name is in no index. */
const NOTHING = quoted(markTerm("account", ""));

function quoted(term: string): string {
  return `"${term}"`;
}

function phrase({ tokens, isPrefix }: Words, field: TextField | undefined): string {
  const words = quoted(tokens.join(" ")) + (isPrefix ? " *" : "");
  return field === undefined ? words : `"${field}" : ${words}`;
}

function folderMatch(folder: string): string {
  const above = /^(.*\/)\*$/s.exec(folder)?.[1];
  if (above === undefined) return quoted(markTerm("folder", folder));
  return `${quoted(markTerm("folder", above))} *`;
}

/** Sizes have 50 binary digits at most: a petabyte. */
const MAX_CLASS = 50;

/** The classes of sizes that overlap with the range. */
function sizeMatch({ from = 0, before = Infinity }: Range): string {
  const last = Number.isFinite(before) ? sizeClass(Math.max(0, before - 1)) : MAX_CLASS;
  const terms: string[] = [];
  for (let digits = sizeClass(from); digits <= last; digits++) {
    terms.push(quoted(sizeTerm(digits === 1 ? 0 : 2 ** (digits - 1))));
  }
  return either(terms.length === 0 ? [quoted(sizeTerm(0))] : terms);
}

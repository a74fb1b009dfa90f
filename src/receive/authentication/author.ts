// The claimed authors of a message: the domains in From (RFC 5322 3.6.2). Only signatures show whether the claim is
// true.
//
// Invariants:
// - `exact` is true only if all mail programs show the same authors: one From field, addresses as in RFC 5322, and
//   nothing else.
// - If programs may differ, the result has every domain that one of them may show.

import { parseDomain } from "../../mail/address.ts";
import type { Field } from "../../mail/header-fields.ts";

export interface Author {
  /** The domains in canonical form, each once, in the order of appearance. */
  readonly domains: readonly string[];
  /** Whether From has only one reading. */
  readonly exact: boolean;
}

/** Limit of octets in all From fields together. Honest ones are shorter. */
const FROM_MAX = 4096;

const MAILBOX =
  /^(?:[^<>@]*<[ \t]*[^<>@ \t]+@([^<>@ \t]+)[ \t]*>|[ \t]*[^<>@ \t]+@([^<>@ \t]+))[ \t]*$/;

/** The authors; undefined if From is longer than FROM_MAX: then it is unknown which authors a program shows. */
export function authorOf(fields: readonly Field[]): Author | undefined {
  const from = fields.filter(({ name }) => name === "from");
  if (from.reduce((sum, { value }) => sum + value.length, 0) > FROM_MAX) return undefined;
  const [only] = from;
  if (from.length === 1 && only !== undefined) {
    const domains = exactDomains(only.value);
    if (domains !== undefined) return { domains: unique(domains), exact: true };
  }
  return { domains: unique(from.flatMap(({ value }) => anyDomains(value))), exact: false };
}

/** The domains of a list of mailboxes; undefined if the text is anything else, such as a group (RFC 6854). */
function exactDomains(value: string): string[] | undefined {
  const bare = withoutQuotes(value);
  if (bare === undefined || /[:;]/.test(bare)) return undefined;
  const domains = bare.split(",").map((mailbox) => {
    const [, angled, plain] = MAILBOX.exec(mailbox) ?? [];
    return canonical(angled ?? plain);
  });
  return domains.every((domain) => domain !== undefined) ? domains : undefined;
}

/** The domains that some program might show: those in angle brackets, or else every text after an "@". */
function anyDomains(value: string): string[] {
  const text = withoutQuotes(value) ?? value;
  const angled = [...text.matchAll(/@([^<>@ \t]*)[ \t]*>/g)];
  const found = angled.length > 0 ? angled : [...text.matchAll(/@[ \t]*([^<>@ \t,;:"()]*)/g)];
  return found.flatMap(([, domain]) => canonical(domain?.replace(/\.$/, "")) ?? []);
}

function canonical(written: string | undefined): string | undefined {
  return written === undefined
    ? undefined
    : parseDomain(Buffer.from(written, "latin1").toString("utf8"));
}

/**
 * The text with a blank for each comment and a quote for each quoted string (RFC 5322 3.2.2, 3.2.4). Undefined if one
 * of them does not end.
 */
function withoutQuotes(value: string): string | undefined {
  let kept = "";
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const character = value[i];
    if (character === "\\" && (quoted || depth > 0)) i++;
    else if (quoted) quoted = character !== '"';
    else if (character === "(") depth++;
    else if (depth > 0) {
      if (character === ")" && --depth === 0) kept += " ";
    } else {
      quoted = character === '"';
      kept += character;
    }
  }
  return quoted || depth > 0 ? undefined : kept;
}

function unique(domains: readonly string[]): string[] {
  return [...new Set(domains)];
}

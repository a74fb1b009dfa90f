// Whose mail it says it is: the domains in From (RFC 5322 3.6.2). Not whose it is: that is for signatures to show.
//
// Invariant: `exact` is said only where every reader of mail sees the same authors: one From field, addresses that
// are written as RFC 5322 has them, and nothing else. Where readers may differ, every domain that one of them may
// see is named.

import { parseDomain } from "../../mail/address.ts";
import type { Field } from "../../mail/header-fields.ts";

export interface Author {
  /** Canonical, each once, in the order of appearance. */
  readonly domains: readonly string[];
  /** There is one reading only. */
  readonly exact: boolean;
}

/** No honest From is longer, in octets; all together, if there are several. */
const FROM_MAX = 4096;

const MAILBOX =
  /^(?:[^<>@]*<[ \t]*[^<>@ \t]+@([^<>@ \t]+)[ \t]*>|[ \t]*[^<>@ \t]+@([^<>@ \t]+))[ \t]*$/;

/** Undefined when From is longer than any honest one: nobody can say whom a reader sees in it. */
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

/** Undefined when the text is not a list of mailboxes. A group (RFC 6854) is none. */
function exactDomains(value: string): string[] | undefined {
  const bare = withoutQuotes(value);
  if (bare === undefined || /[:;]/.test(bare)) return undefined;
  const domains = bare.split(",").map((mailbox) => {
    const [, angled, plain] = MAILBOX.exec(mailbox) ?? [];
    return canonical(angled ?? plain);
  });
  return domains.every((domain) => domain !== undefined) ? domains : undefined;
}

/** What somebody might show: the addresses in angle brackets, or else whatever stands behind an "@". */
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

/** Comments become a blank, quoted strings one quote (RFC 5322 3.2.2, 3.2.4). Undefined when one has no end. */
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

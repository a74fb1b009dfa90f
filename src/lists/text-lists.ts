// Domain lists and local part lists: matchers made from their items, and the scan over them.
//
// Invariants:
// - A list is scanned from left to right, and the first item that matches decides. "!" inverts its verdict.
// - If no item matches, the subject is in the list only if the last item is negative.
// - A negative item of a nested "+name" only excludes from the nested list.
// - The key of a match is text of the list. Only "*.example.com" gives the subject's own domain as the key.
// - An item with `{domain}` is never looked up without a domain, or with one that is not safe in the name of a file.

import { hasPlaceholder, withDomain } from "./domain-placeholder.ts";
import { type ListAccount, listAccountOf } from "./list-account.ts";
import { canonicalName } from "./lsearch-text.ts";
import type { Match } from "./lists.ts";
import { type Found, type NameSource, parseLookup } from "./lookup.ts";
import { writtenDomains } from "../mail/written-domain.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";

/** Undefined: the item does not match, so the next one is tried. */
type Verdict = Match | undefined;

export interface TextItem {
  readonly text: string;
  readonly negated: boolean;
  /** The verdict without the "!". `domain` is the value of `{domain}`. */
  find(subject: string, domain?: string): MaybePromise<Verdict>;
}

/** The sources of lookups and the named lists that items refer to. */
export interface ItemSources {
  lookup(scheme: string, argument: string): Pick<NameSource, "find">;
  /** The same for an argument that a domain is part of. */
  lookupOfDomain(scheme: string, argument: string): Pick<NameSource, "find">;
  named(name: string): readonly TextItem[];
  /** Values of entries of local parts may be addresses, in items without `{domain}` too. */
  readonly hasAddressValues: boolean;
}

export function domainItem(text: string, sources: ItemSources): TextItem {
  return itemOf(text, (positive) => {
    const found = lookedUp(positive, sources, DOMAINS);
    if (found !== undefined) return found;
    if (positive.startsWith("+")) return nested(sources.named(positive.slice(1)));
    const lower = positive.toLowerCase();
    return lower.startsWith("*.") ? subdomains(lower) : literal(lower, [whole]);
  });
}

export function localPartItem(text: string, sources: ItemSources): TextItem {
  return itemOf(
    text,
    (positive) =>
      lookedUp(positive, sources, localPartsIn(positive, sources)) ??
      literal(positive.toLowerCase(), [whole, base]),
  );
}

/**
 * Scans the items from `start` on. The scan resumes after an item that had to wait for its file. `domain` is the value
 * of `{domain}`.
 */
export function scan(
  items: readonly TextItem[],
  subject: string,
  domain?: string,
  start = 0,
): MaybePromise<Match> {
  for (let index = start; index < items.length; index++) {
    const current = items[index];
    if (current === undefined) break;
    const found = current.find(subject, domain);
    if (found instanceof Promise) {
      return found.then(
        (late) => decide(current, subject, late) ?? scan(items, subject, domain, index + 1),
      );
    }
    const match = decide(current, subject, found);
    if (match !== undefined) return match;
  }
  const last = items.at(-1);
  return last?.negated === true
    ? { kind: "in", why: `"${subject}" is in the list, because the last item is ${last.text}` }
    : { kind: "out", why: `"${subject}" is not in the list (last item ${last?.text ?? "none"})` };
}

function decide(current: TextItem, subject: string, found: Verdict): Verdict {
  return found?.kind === "in" && current.negated
    ? { kind: "out", why: `"${subject}" is kept out by ${current.text}` }
    : found;
}

function itemOf(text: string, finder: (positive: string) => TextItem["find"]): TextItem {
  const negated = text.startsWith("!");
  const positive = negated ? text.slice(1) : text;
  const everything: Match = { kind: "in", why: `"*" matches everything` };
  return { text, negated, find: positive === "*" ? () => everything : finder(positive) };
}

const inside = (match: Match): Verdict => (match.kind === "out" ? undefined : match);

function nested(items: readonly TextItem[]): TextItem["find"] {
  return (subject) => {
    const match = scan(items, subject);
    return match instanceof Promise ? match.then(inside) : inside(match);
  };
}

/** `pattern` is "*.example.com": it matches all subdomains, but not the domain itself. */
function subdomains(pattern: string): TextItem["find"] {
  const suffix = pattern.slice(1);
  return (subject) => {
    const domain = subject.toLowerCase();
    const matches = domain.length > suffix.length && domain.endsWith(suffix);
    return matches
      ? { kind: "in", key: domain, why: `"${subject}" matches ${pattern}` }
      : undefined;
  };
}

// ---- names: the whole name, then the part before the first "+" ----

type NameForm = (lower: string) => string;

const whole: NameForm = (lower) => lower;

/** The part before the first "+"; "" if it is empty or missing, which matches no item. */
const base: NameForm = (lower) => {
  const plus = lower.indexOf("+");
  return plus === -1 ? "" : lower.slice(0, plus);
};

function literal(key: string, forms: readonly NameForm[]): TextItem["find"] {
  return (subject) => {
    const lower = subject.toLowerCase();
    const matches = key !== "" && forms.some((form) => form(lower) === key);
    return matches ? { kind: "in", key, why: `"${subject}" matches ${key}` } : undefined;
  };
}

/** The possible keys of an entry for the subject, each with the name that it means. */
type Keys = (lower: string) => readonly { readonly key: string; readonly name: string }[];

const writtenKeys: Keys = (lower) => writtenDomains(lower).map((key) => ({ key, name: lower }));

const nameKeys: Keys = (lower) => [whole(lower), base(lower)].map((key) => ({ key, name: key }));

/** How a list of one kind reads a lookup. */
interface Reading {
  readonly keysOf: Keys;
  /** The account that an entry means, or the domain in place of its local part. */
  readonly accountOf: (name: string, value: string) => ListAccount;
}

const DOMAINS: Reading = {
  keysOf: writtenKeys,
  accountOf: (name, value) => ({ localPart: canonicalName(name, value) }),
};

const LOCAL_PARTS: Reading = { ...DOMAINS, keysOf: nameKeys };
const ACCOUNTS: Reading = { keysOf: nameKeys, accountOf: listAccountOf };

function localPartsIn(item: string, { hasAddressValues }: ItemSources): Reading {
  return hasAddressValues || hasPlaceholder(item) ? ACCOUNTS : LOCAL_PARTS;
}

/** The finder of a lookup; undefined if the item is not a lookup. */
function lookedUp(
  item: string,
  sources: ItemSources,
  reading: Reading,
): TextItem["find"] | undefined {
  const written = parseLookup(item);
  if (written === undefined) return undefined;
  const { scheme, argument } = written;
  if (!hasPlaceholder(argument)) return finderIn(sources.lookup(scheme, argument), item, reading);
  return (subject, domain) => {
    if (domain === undefined) return unknown(`${item}: no list gave a value for {domain}`);
    const named = withDomain(argument, domain);
    if (named === undefined) return unknown(`${item}: the value of {domain} is no safe file name`);
    const source = sources.lookupOfDomain(scheme, named);
    return finderIn(source, `${scheme}:${named}`, reading)(subject);
  };
}

function finderIn(
  source: Pick<NameSource, "find">,
  item: string,
  { keysOf, accountOf }: Reading,
): TextItem["find"] {
  return (subject) => {
    const keys = keysOf(subject.toLowerCase());
    const match = (found: Found): Verdict => {
      switch (found.kind) {
        case "error":
          return unknown(`${item} cannot be read: ${found.error}`);
        case "found": {
          const plain = keys.find(({ key }) => key === found.key)?.name ?? found.key;
          const { localPart: key, domain } = accountOf(plain, found.value);
          const account = domain === undefined ? key : `${key}@${domain}`;
          const why = `"${subject}" is in ${item} as "${account}"`;
          return { kind: "in", key, ...(domain === undefined ? {} : { domain }), why };
        }
        case "none":
          if (found.doubt === undefined) return undefined;
          return unknown(`"${subject}" was not in ${item} before it changed: it ${found.doubt}`);
      }
    };
    const found = source.find(keys.map(({ key }) => key));
    return found instanceof Promise ? found.then(match) : match(found);
  };
}

function unknown(why: string): Match {
  return { kind: "defer", why };
}

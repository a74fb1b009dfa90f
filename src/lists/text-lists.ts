// Domain lists and local part lists: items made into matchers, and the scan over them.
//
// Invariant: a list is scanned left to right, the first item that matches decides, "!" turns its verdict round;
// at the end the subject is in the list only if the last item was negative. What a nested "+name" negates stays
// inside it. A key is text of the list; only "*.example.com" vouches for the subject's own domain.

import { canonicalName } from "./lsearch-text.ts";
import type { Lsearch, LsearchAnswer, Match } from "./lists.ts";
import { writtenDomains } from "./written-domain.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";

/** Undefined: this item says nothing about the subject. */
type Verdict = Match | undefined;

export interface TextItem {
  readonly text: string;
  readonly negated: boolean;
  /** As if the item had no "!". */
  find(subject: string): MaybePromise<Verdict>;
}

/** What an item needs from outside. */
export interface ItemSources {
  lsearch(file: string): Lsearch;
  named(name: string): readonly TextItem[];
}

export function domainItem(text: string, sources: ItemSources): TextItem {
  return item(text, (positive) => {
    if (positive.startsWith("lsearch:")) {
      return lookup(sources.lsearch(positive.slice("lsearch:".length)), positive, writtenKeys);
    }
    if (positive.startsWith("+")) return nested(sources.named(positive.slice(1)));
    const lower = positive.toLowerCase();
    return lower.startsWith("*.") ? subdomains(lower) : literal(lower, [whole]);
  });
}

export function localPartItem(text: string, sources: ItemSources): TextItem {
  return item(text, (positive) =>
    positive.startsWith("lsearch:")
      ? lookup(sources.lsearch(positive.slice("lsearch:".length)), positive, nameKeys)
      : literal(positive.toLowerCase(), [whole, base]),
  );
}

/** Resumes at `start` when an item has to wait for its file. */
export function scan(items: readonly TextItem[], subject: string, start = 0): MaybePromise<Match> {
  for (let index = start; index < items.length; index++) {
    const current = items[index];
    if (current === undefined) break;
    const found = current.find(subject);
    if (found instanceof Promise) {
      return found.then(
        (late) => decide(current, subject, late) ?? scan(items, subject, index + 1),
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

function item(text: string, finder: (positive: string) => TextItem["find"]): TextItem {
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

/** `pattern` is "*.example.com"; the domain itself is no subdomain. */
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

// ---- names: the whole of it, then what stands before the first "+" ----

type NameForm = (lower: string) => string;

const whole: NameForm = (lower) => lower;

/** "" when there is nothing before a "+": no item matches that. */
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

/** The keys that an entry for the subject may have, each with the name that it stands for. */
type Keys = (lower: string) => readonly { readonly key: string; readonly name: string }[];

const writtenKeys: Keys = (lower) => writtenDomains(lower).map((key) => ({ key, name: lower }));

const nameKeys: Keys = (lower) => [whole(lower), base(lower)].map((key) => ({ key, name: key }));

function lookup(file: Lsearch, name: string, keysOf: Keys): TextItem["find"] {
  const search = (answer: LsearchAnswer, subject: string): Verdict => {
    if ("error" in answer) return unknown(`${name} cannot be read: ${answer.error}`);
    for (const { key, name: plain } of keysOf(subject.toLowerCase())) {
      const value = answer.table.get(key);
      if (value === undefined) continue;
      const canonical = canonicalName(plain, value);
      return { kind: "in", key: canonical, why: `"${subject}" is in ${name} as "${canonical}"` };
    }
    if (answer.doubt === undefined) return undefined;
    return unknown(`"${subject}" was not in ${name} before it changed: it ${answer.doubt}`);
  };
  return (subject) => {
    const answer = file.read();
    return answer instanceof Promise
      ? answer.then((late) => search(late, subject))
      : search(answer, subject);
  };
}

function unknown(why: string): Match {
  return { kind: "defer", why };
}

// The preconditions that every router has: lists of the recipient's and of the sender's domain and local part.
// Invariants: a list that cannot be read defers, and never counts as "no". The account consists of the names that the
// lists found.

import type { Account } from "../mail/account.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { DomainList, LocalPartList, Match } from "../lists/lists.ts";
import type { RehearsedAnswer } from "./rehearsal.ts";

/** A list that must match before the router is asked. */
export interface Precondition {
  readonly key: keyof Account;
  /** The name of the option, for the trace. */
  readonly option: string;
  readonly list: LocalPartList;
  /** The key of the domain beside it: the value of `{domain}`, and replaced by the domain of an account elsewhere. */
  readonly domain: "domain" | "senderDomain";
  /** The value to look up in the list; undefined for a null sender, which no list matches. */
  readonly subject: (mailbox: Mailbox, sender: Mailbox | null) => string | undefined;
  /** The answer for the account of a rehearsal; undefined if the list decides about it too. */
  readonly rehearsed: RehearsedAnswer;
}

/** The preconditions whose lists are given, in the order in which Exim tests them. */
export function preconditionsOf(lists: {
  readonly domains: DomainList | undefined;
  readonly localParts: LocalPartList | undefined;
  readonly senderDomains: DomainList | undefined;
  readonly senderLocalParts: LocalPartList | undefined;
  /** The answers of `localParts` and `senderLocalParts` for the account of a rehearsal. */
  readonly rehearsed?: {
    readonly localParts: RehearsedAnswer;
    readonly senderLocalParts: RehearsedAnswer;
  };
}): Precondition[] {
  const preconditions: Precondition[] = [];
  const add = (
    key: keyof Account,
    option: string,
    list: DomainList | LocalPartList | undefined,
    subject: Precondition["subject"],
    rehearsed?: RehearsedAnswer,
  ) => {
    const domain = key === "domain" || key === "localPart" ? "domain" : "senderDomain";
    if (list !== undefined) {
      preconditions.push({ key, option, list, domain, subject, rehearsed });
    }
  };
  add("domain", "domains", lists.domains, ({ domain }) => domain);
  const { localParts, senderLocalParts } = lists.rehearsed ?? {};
  add("localPart", "local_parts", lists.localParts, ({ localPart }) => localPart, localParts);
  add("senderDomain", "sender_domains", lists.senderDomains, (_, sender) => sender?.domain);
  add(
    "senderLocalPart",
    "sender_local_parts",
    lists.senderLocalParts,
    (_, sender) => sender?.localPart,
    senderLocalParts,
  );
  return preconditions;
}

export type Found =
  | { readonly kind: "in"; readonly account: Account; readonly why: string }
  | { readonly kind: "out" | "defer"; readonly why: string };

/**
 * Tests all preconditions of the router in Exim's order; the first result that is not "in" decides. `isRehearsed`: the
 * recipient and the sender are the account of a rehearsal.
 */
export async function meets(
  preconditions: readonly Precondition[],
  mailbox: Mailbox,
  sender: Mailbox | null,
  isRehearsed = false,
): Promise<Found> {
  const account: { -readonly [K in keyof Account]: Account[K] } = {};
  let whys = "";
  for (const { key, option, list, domain, subject, rehearsed } of preconditions) {
    const text = subject(mailbox, sender);
    if (text === undefined) {
      return { kind: "out", why: joinedReasons(whys, `${option}: the sender is <>`) };
    }
    const answer =
      isRehearsed && rehearsed !== undefined
        ? rehearsedMatch(rehearsed, text)
        : list.match(text, account[domain]);
    const match = answer instanceof Promise ? await answer : answer;
    whys = joinedReasons(whys, `${option}: ${match.why}`);
    if (match.kind !== "in") return { kind: match.kind, why: whys };
    if (match.key !== undefined) account[key] = match.key;
    if (match.domain !== undefined) account[domain] = match.domain;
  }
  return { kind: "in", account, why: whys };
}

function rehearsedMatch(answer: "in" | "out", text: string): Match {
  const why = `"${text}" is the account of a rehearsal`;
  return answer === "in" ? { kind: "in", key: text.toLowerCase(), why } : { kind: "out", why };
}

/** Joins two reasons into one line. */
export function joinedReasons(one: string, other = ""): string {
  return one === "" || other === "" ? one + other : `${one}; ${other}`;
}

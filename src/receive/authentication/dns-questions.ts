// The DNS for mailauth, answered by our own resolver: within one deadline, with records of limited size.
//
// Invariants:
// - If our resolver has no answer, mailauth gets an error that it treats as temporary. If a name does not exist, it
//   never gets such an error.
// - So a sender cannot make a check "temporary" by a name that cannot be looked up.

import type { Clock } from "../../base/clock.ts";
import type { Answer, Resolver } from "../../dns/dns.ts";

/** Rejects with an error whose `code` is one of node:dns. */
export type Ask = (name: string, type: string) => Promise<string[] | string[][] | MxTarget[]>;

interface MxTarget {
  readonly exchange: string;
  readonly priority: number;
}

export interface Questions {
  readonly ask: Ask;
  /** Ends all questions without an answer, including later ones. */
  readonly end: () => void;
}

/**
 * Octets of the longest TXT record that is used. Honest keys, policies and SPF records are shorter, and mailauth's
 * patterns are slow on longer ones.
 */
const TXT_MAX = 4096;
/** TXT records of one name that are used. */
const TXT_RECORDS_MAX = 100;
const NAME_MAX = 253;
/** Names that our resolver can look up (RFC 1035 2.3.4). For other names we would see no record. */
const ASKABLE = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?$/i;

/** `timeout` in milliseconds, for all questions together. */
export function createQuestions(resolver: Resolver, clock: Clock, timeout: number): Questions {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const end = () => reject(new DnsError("ETIMEOUT"));
  const timer = clock.after(timeout, end);
  // It may reject while no question is open.
  late.catch(() => timer.cancel());
  return {
    ask: (name, type) =>
      Promise.race([late, ASKABLE.test(name) ? lookup(resolver, name, type) : nothing()]),
    end,
  };
}

function nothing(): Promise<never> {
  return Promise.reject(new DnsError("ENOTFOUND"));
}

async function lookup(resolver: Resolver, name: string, type: string) {
  if (name.length > NAME_MAX) return nothing();
  switch (type) {
    case "TXT": {
      const records = recordsOf(await resolver.txt(name));
      return records
        .slice(0, TXT_RECORDS_MAX)
        .filter(({ length }) => length <= TXT_MAX)
        .map((text) => [text]);
    }
    case "A":
      return [...recordsOf(await resolver.a(name))];
    case "AAAA":
      return [...recordsOf(await resolver.aaaa(name))];
    case "MX":
      return recordsOf(await resolver.mx(name)).map(({ exchange, preference }) => ({
        exchange,
        priority: preference,
      }));
    case "CNAME":
      // mailauth only asks this for a name that does not exist.
      return nothing();
    default:
      // RFC 7208 5.5 warns of "ptr". If a policy still has it, we cannot know whether it matches.
      throw new DnsError("ESPFTIMELIMIT");
  }
}

function recordsOf<T>(answer: Answer<T>): readonly T[] {
  switch (answer.kind) {
    case "found":
      return answer.records;
    case "no-such-name":
      throw new DnsError("ENOTFOUND");
    case "no-data":
      throw new DnsError("ENODATA");
    case "temporary":
      throw new DnsError("ETIMEOUT");
  }
}

class DnsError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.name = "DnsError";
    this.code = code;
  }
}

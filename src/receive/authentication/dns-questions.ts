// The DNS as mailauth wants to be answered, out of our own resolver: within one deadline, records of a bounded size.
//
// Invariants: what our resolver does not know is an error that mailauth takes for a temporary one; what does not
// exist never is. So nobody can make a check "temporary" by a name that cannot be asked for.

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
  /** Every question that is still open, or comes later, has no answer. */
  readonly end: () => void;
}

/** No honest key, policy or SPF record is longer; mailauth's patterns take their time with longer ones. */
const TXT_MAX = 4096;
/** TXT records of one name that are looked at. */
const TXT_RECORDS_MAX = 100;
const NAME_MAX = 253;
/** What our resolver can ask for (RFC 1035 2.3.4); nothing else has a record that we could see. */
const ASKABLE = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?$/i;

/** `timeout` in milliseconds, for all questions together. */
export function createQuestions(resolver: Resolver, clock: Clock, timeout: number): Questions {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const end = () => reject(new DnsError("ETIMEOUT"));
  const timer = clock.after(timeout, end);
  // Nobody may be waiting when it comes.
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
      // Only asked of a name that does not exist.
      return nothing();
    default:
      // RFC 7208 5.5 warns of "ptr": where a policy still has it, we cannot tell whether it matches.
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

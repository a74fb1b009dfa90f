// Limits the recipients that a relay rule accepts in a time, in all and for each envelope sender. So a stolen account
// or a broken printer can harm the reputation of this relay only to a limited extent.
//
// Invariants:
// - Only recipients are counted that the rule accepts and a router takes.
// - If the message must bring a proof, its recipients are counted only when it has brought it: until then its sender
//   is a claim.
// - Recipients above the rate are put off, and never refused for good, so honest mail only comes later.

import type { Clock } from "../base/clock.ts";
import type { Mailbox } from "../mail/envelope.ts";
import { status, type Status } from "../mail/status.ts";
import { KeyedRate, type Rate } from "../base/keyed-rate.ts";

export interface RuleRates {
  readonly rate: Rate | undefined;
  readonly sender_rate: Rate | undefined;
}

const TOO_MUCH = status(450, "7.1", "Too much mail at this time, try again later");
const SENDER_TOO_MUCH = status(450, "7.1", "Too much mail from this sender, try again later");

interface Limits {
  readonly inAll: KeyedRate | undefined;
  readonly perSender: KeyedRate | undefined;
}

export class RelayRates {
  /** The limits by the gate's name of the rule. */
  readonly #rules: ReadonlyMap<string, Limits>;

  constructor(rules: readonly RuleRates[], clock: Clock) {
    this.#rules = new Map(
      rules.map(({ rate, sender_rate: senderRate }, index) => [
        `gate.relay[${index}]`,
        {
          inAll: rate && new KeyedRate(rate, clock),
          perSender: senderRate && new KeyedRate(senderRate, clock),
        },
      ]),
    );
  }

  /** Counts recipients that `rule` accepts. If they are too many, returns the reply and counts none. */
  take(rule: string, sender: Mailbox | null, count = 1): Status | undefined {
    const tooMany = this.wouldPutOff(rule, sender, count);
    if (tooMany !== undefined) return tooMany;
    const { inAll, perSender } = this.#rules.get(rule) ?? {};
    perSender?.take(accountOf(sender), count);
    inAll?.take(rule, count);
    return undefined;
  }

  /** The reply that `take` would return, without counting. */
  wouldPutOff(rule: string, sender: Mailbox | null, count: number): Status | undefined {
    const { inAll, perSender } = this.#rules.get(rule) ?? {};
    if (inAll?.has(rule, count) === false) return TOO_MUCH;
    return perSender?.has(accountOf(sender), count) === false ? SENDER_TOO_MUCH : undefined;
  }
}

/** The account of the sender: alice+lists@ and alice+caf_=x@ count as alice@, so a suffix does not evade the rate. */
function accountOf(sender: Mailbox | null): string {
  if (sender === null) return "";
  const [account] = /^.[^+]*/s.exec(sender.localPart.toLowerCase()) ?? [""];
  return `${account}@${sender.domain}`;
}

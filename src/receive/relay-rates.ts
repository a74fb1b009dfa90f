// How many recipients in a time a relay rule lets through, in all and for each envelope sender: what a stolen account
// or a printer gone mad can do to the good name of this relay is bounded.
//
// Invariants: only recipients that the rule lets through and a router takes are counted; where the message has to bring a
// proof, only when it has brought it, for until then its sender is a claim. Over the rate they are put off, never refused for good: honest mail waits where it is, and comes later.

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
  /** By the name that the gate gives to a rule. */
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

  /** Counts recipients that `rule` lets through; gives the reply when that is too many, and then counts none. */
  take(rule: string, sender: Mailbox | null, count = 1): Status | undefined {
    const tooMany = this.wouldPutOff(rule, sender, count);
    if (tooMany !== undefined) return tooMany;
    const { inAll, perSender } = this.#rules.get(rule) ?? {};
    perSender?.take(accountOf(sender), count);
    inAll?.take(rule, count);
    return undefined;
  }

  /** The reply that `take` would give. Nothing is counted. */
  wouldPutOff(rule: string, sender: Mailbox | null, count: number): Status | undefined {
    const { inAll, perSender } = this.#rules.get(rule) ?? {};
    if (inAll?.has(rule, count) === false) return TOO_MUCH;
    return perSender?.has(accountOf(sender), count) === false ? SENDER_TOO_MUCH : undefined;
  }
}

/** alice+lists@ and alice+caf_=x@ are alice's: a suffix is no way around her rate. */
function accountOf(sender: Mailbox | null): string {
  if (sender === null) return "";
  const [account] = /^.[^+]*/s.exec(sender.localPart.toLowerCase()) ?? [""];
  return `${account}@${sender.domain}`;
}

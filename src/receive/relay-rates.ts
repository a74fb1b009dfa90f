// How many recipients in a time a relay rule lets through, in all and for each envelope sender: what a stolen account
// or a printer gone mad can do to the good name of this relay is bounded.
//
// Invariants: only recipients that the rule lets through and a router takes are counted. Over the rate they are put
// off, never refused for good: honest mail waits where it is, and comes later.

import type { Clock } from "../clock.ts";
import type { Rate } from "../config/kinds.ts";
import type { Mailbox } from "../envelope.ts";
import { status, type Status } from "../status.ts";
import { KeyedRate } from "./keyed-rate.ts";

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

  /** Counts a recipient that `rule` lets through; gives the reply when it is one too many. */
  take(rule: string, sender: Mailbox | null): Status | undefined {
    const limits = this.#rules.get(rule);
    if (limits === undefined) return undefined;
    const { inAll, perSender } = limits;
    // Neither is taken from unless both have something.
    if (inAll?.has(rule) === false) return TOO_MUCH;
    if (perSender?.take(accountOf(sender)) === false) return SENDER_TOO_MUCH;
    inAll?.take(rule);
    return undefined;
  }
}

/** alice+lists@ and alice+caf_=x@ are alice's: a suffix is no way around her rate. */
function accountOf(sender: Mailbox | null): string {
  if (sender === null) return "";
  const [account] = /^.[^+]*/s.exec(sender.localPart.toLowerCase()) ?? [""];
  return `${account}@${sender.domain}`;
}

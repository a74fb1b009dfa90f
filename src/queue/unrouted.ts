// Addresses that RCPT accepted and that no router takes any more, without a reason: a list that is wrong for a moment, or
// a router that a reload has taken out by mistake. Nobody is told so for an hour.
//
// Invariant: the hour is one of the monotonic clock, from the first such attempt in this process, whatever the retry rules
// say. What is remembered has a bound; who is forgotten has his hour anew.

import type { Clock } from "../base/clock.ts";
import type { Outcome } from "../contract/contract.ts";
import type { MessageId } from "../mail/envelope.ts";
import { status, type Status } from "../mail/status.ts";

const HOUR = 3_600_000;
/** Addresses that are remembered, of all messages. */
const REMEMBERED_MAX = 100_000;

type Unended = Extract<Outcome, { kind: "deferred" }> & { readonly notFinalBefore: number };

export class Unrouted {
  readonly #clock: Clock;
  readonly #since = new Map<MessageId, Map<string, number>>();
  #remembered = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What becomes of the address by now; undefined when its hour is over. `isFirst` is told once. */
  outcomeFor(
    id: MessageId,
    target: string,
    reply: Status,
  ): { readonly outcome: Unended; readonly isFirst: boolean } | undefined {
    const now = this.#clock.monotonic();
    const known = this.#since.get(id)?.get(target);
    const left = (known ?? now) + HOUR - now;
    if (left <= 0) return undefined;
    if (known === undefined) this.#remember(id, target, now);
    const { enhanced, text } = reply;
    const outcome: Unended = {
      kind: "deferred",
      status: status(451, enhanced.slice(2), text),
      scope: "recipient",
      notFinalBefore: Math.ceil(this.#clock.now() + left),
    };
    return { outcome, isFirst: known === undefined };
  }

  #remember(id: MessageId, target: string, now: number): void {
    while (this.#remembered >= REMEMBERED_MAX) {
      const [oldest] = this.#since.keys();
      if (oldest === undefined) break;
      this.forget(oldest);
    }
    const targets = this.#since.get(id) ?? new Map<string, number>();
    this.#since.set(id, targets.set(target, now));
    this.#remembered += 1;
  }

  /** A router takes it again. */
  routed(id: MessageId, target: string): void {
    const targets = this.#since.get(id);
    if (targets?.delete(target) !== true) return;
    this.#remembered -= 1;
    if (targets.size === 0) this.#since.delete(id);
  }

  /** The message has left the spool. */
  forget(id: MessageId): void {
    this.#remembered -= this.#since.get(id)?.size ?? 0;
    this.#since.delete(id);
  }
}

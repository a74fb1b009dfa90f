// Addresses that RCPT accepted and that no router takes any more. A list may be wrong for a moment, or a reload may
// have removed a router by mistake. So no failure is reported for an hour.
//
// Invariants:
// - The hour is measured by the monotonic clock, from the first such attempt in this process, whatever the retry
//   rules are.
// - The number of remembered addresses is limited. If an address is forgotten, its hour begins again.

import type { Clock } from "../base/clock.ts";
import type { Outcome } from "../contract/contract.ts";
import type { MessageId } from "../mail/envelope.ts";
import { status, type Status } from "../mail/status.ts";

const HOUR = 3_600_000;
/** Remembered addresses of all messages together, at most. */
const REMEMBERED_MAX = 100_000;

type Unended = Extract<Outcome, { kind: "deferred" }> & { readonly notFinalBefore: number };

export class Unrouted {
  readonly #clock: Clock;
  readonly #since = new Map<MessageId, Map<string, number>>();
  #remembered = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The outcome for the address; undefined if its hour is over. `isFirst` is true once. */
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

  /** Notes that a router takes the address again. */
  routed(id: MessageId, target: string): void {
    const targets = this.#since.get(id);
    if (targets?.delete(target) !== true) return;
    this.#remembered -= 1;
    if (targets.size === 0) this.#since.delete(id);
  }

  /** Forgets a message that has left the spool. */
  forget(id: MessageId): void {
    this.#remembered -= this.#since.get(id)?.size ?? 0;
    this.#since.delete(id);
  }
}

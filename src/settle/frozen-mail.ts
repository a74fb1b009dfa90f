// Ends messages that are frozen because no sender may be told of them: failed bounces, and other failed mail with a
// null sender. Strangers can cause such messages, and without an end they would fill the disk.
//
// Invariants:
// - Only time during which a relay ran counts, by the monotonic clock.
// - A message with a copy that is still due, or that the postmaster has frozen, is not ended here.
// - An ended message goes on the postmaster's list in the same transaction.

import type { Clock, Timer } from "../base/clock.ts";
import { describeError, type Log } from "../observe/log.ts";
import { pathText } from "../mail/address.ts";
import type { ListEntry, Spool, StoredMessage, StoredRecipient } from "../spool/spool.ts";
import { saidLine } from "../mail/status.ts";

export interface FrozenMailServices {
  readonly spool: Pick<Spool, "ageFrozen" | "claim" | "settle">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds between two looks. */
const PAUSE = 600_000;
/** Messages in one transaction. */
const ENDED_AT_ONCE = 50;

export class FrozenMail {
  readonly #services: FrozenMailServices;
  #after: number;
  /** Up to when the age of frozen messages is counted, by the monotonic clock. */
  #counted: number;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;

  /** `after` is `[bounce] frozen_after`, in ms. */
  constructor(after: number, services: FrozenMailServices) {
    this.#after = after;
    this.#services = services;
    this.#counted = services.clock.monotonic();
  }

  /** Uses this configuration from now on. */
  follow({ frozen_after: after }: { readonly frozen_after: number }): void {
    this.#after = after;
  }

  /** Looks now, and then every ten minutes. */
  start(): void {
    this.#timer = this.#services.clock.after(PAUSE, () => this.start());
    this.#lookAgain = this.#looking !== undefined;
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
  }

  /** Resolves when the look that is under way now has ended. */
  async passed(): Promise<void> {
    await this.#looking;
  }

  /** Counts the time up to now, so that a restart costs nothing. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
    await this.#age(0);
  }

  async #look(): Promise<void> {
    let over: readonly string[];
    do {
      this.#lookAgain = false;
      over = await this.#age(ENDED_AT_ONCE);
      await this.#end(over);
    } while (over.length === ENDED_AT_ONCE || this.#lookAgain);
  }

  /**
   * Counts the time since the last count, and returns at most `most` messages that are old enough. Never rejects:
   * after an error, the next call counts this time.
   */
  async #age(most: number): Promise<readonly string[]> {
    const { spool, clock } = this.#services;
    const elapsed = Math.floor(clock.monotonic() - this.#counted);
    try {
      const over = await spool.ageFrozen(elapsed, this.#after, most);
      this.#counted += elapsed;
      return over;
    } catch (error) {
      this.#failed(error);
      return [];
    }
  }

  async #end(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    try {
      const { messages } = await this.#services.spool.claim(ids);
      for (const message of messages) await this.#endOne(message);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #endOne(message: StoredMessage): Promise<void> {
    const { spool, clock, log } = this.#services;
    const { envelope, recipients, warnings } = message;
    const { id, sender } = envelope;
    const frozen = recipients.filter(({ state }) => state === "frozen");
    const at = clock.now();
    const nothing = { id, at, recipients: [], journal: [], warnings, reports: [] } as const;
    if (!isOver(recipients)) {
      // The postmaster has changed the message meanwhile.
      const waits = recipients.some(({ state }) => state === "pending");
      return spool.settle({ ...nothing, state: waits ? "queued" : "frozen" });
    }
    const listed = frozen.map((recipient) => entryOf(message, recipient, at));
    await spool.settle({ ...nothing, state: "completed", listed });
    log.event("message.expired", {
      id,
      sender: pathText(sender),
      recipients: frozen.map(({ mailbox }) => mailbox.address),
    });
  }

  #failed(error: unknown): void {
    this.#services.log.event("spool.failed", { error: describeError(error) });
  }
}

function isOver(recipients: readonly StoredRecipient[]): boolean {
  return recipients.every(
    ({ state, frozenWhy }) =>
      state !== "pending" && (state !== "frozen" || frozenWhy === "nobody-to-tell"),
  );
}

function entryOf(
  { envelope: { id, sender } }: StoredMessage,
  { mailbox, lastStatus }: StoredRecipient,
  at: number,
): ListEntry {
  return {
    why: "nobody-to-tell",
    at,
    id,
    sender: sender?.address ?? "",
    recipient: mailbox.address,
    status: lastStatus === undefined ? "" : saidLine(lastStatus),
  };
}

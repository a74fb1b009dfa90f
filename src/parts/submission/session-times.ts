// The deadlines of a session of submission.
//
// Invariants:
// - Only a whole command, a whole line of AUTH, or text of a message that comes fast enough gives the client more time.
// - A client that has not logged in has three minutes in all.
// - No session lasts for ever: when its time is over, no other message begins, and each has a deadline of its own.

import type { SessionLimits } from "../../smtp/server/limits.ts";
import type { UserDialogue } from "./user-dialogue.ts";

/** Milliseconds from the connection to the login, handshakes and waits for wrong passwords included. */
const LOGIN_TIME = 180_000;
/** Milliseconds that the client has to close its side. */
const LINGER = 5000;

/** All times are in milliseconds, by the monotonic clock. */
export class SessionTimes {
  readonly #begunAt: number;
  #since: number;
  readonly #limits: SessionLimits;

  constructor(limits: SessionLimits, now: number) {
    this.#limits = limits;
    this.#begunAt = now;
    this.#since = now;
  }

  /** Another wait begins: for the client, a handshake or the close. */
  restart(now: number): void {
    this.#since = now;
  }

  /** The session has lasted as long as it may. */
  isOver(now: number): boolean {
    return now - this.#begunAt > this.#limits.sessionTimeout;
  }

  hasShakenTooLong(now: number): boolean {
    return now - this.#since > this.#limits.tlsTimeout;
  }

  hasLingered(now: number): boolean {
    return now - this.#since > LINGER;
  }

  /** It is the client's turn, and it takes too long. */
  isTooSlow(
    { client, incoming, inTransaction, transactionEndAt }: UserDialogue,
    now: number,
  ): boolean {
    const isSlow = incoming?.isSlowerThan(this.#limits.dataRateMin, now) === true;
    const isLate = now - this.#since > this.#limits.commandTimeout || now > transactionEndAt;
    const isStranger = client.user === undefined && now - this.#begunAt > LOGIN_TIME;
    return isSlow || isLate || isStranger || (this.isOver(now) && !inTransaction);
  }
}

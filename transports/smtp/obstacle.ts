// Why no host has taken what is left of a batch so far, and from when another attempt makes sense: what becomes of the
// rest when the hosts are at their end.
//
// Invariant: a host that was only passed over gives the reason as long as none was tried. A host that may do better
// another time is a better reason than one that never will.

import { given } from "../../src/base/given.ts";
import type { Outcome } from "../../src/contract/contract.ts";
import type { RetryError } from "../../src/mail/host.ts";
import type { Place } from "../../src/mail/place.ts";
import type { Status } from "../../src/mail/status.ts";
import { outcomeOf } from "./outcomes.ts";
import { NO_HOSTS, type PutOff } from "./reasons.ts";

export class Obstacle {
  status: Status = NO_HOSTS;
  error: RetryError | undefined;
  /** Hosts that were tried. One to which there was no route does not count. */
  tried = 0;
  /** Of the host that was tried, or passed over, last. */
  #place: Place | undefined;
  /** Why no host that was asked so far can ever be given the message. */
  #never: Status | undefined;
  /** The earliest of the times at which a host may be tried again. */
  #wait: PutOff | undefined;

  /** The host is not to be spoken to, by its policy. */
  bar(status: Status, error: RetryError): void {
    if (status.code >= 500) this.#never = status;
    else this.fail(status, error);
  }

  /** The host cannot be given the message, now or later. */
  excludes(status: Status): void {
    this.#never = status;
  }

  /** The host is not tried now. */
  passOver(place: Place, status: Status, wait: PutOff): void {
    this.putOff(wait);
    if (this.tried > 0) return;
    this.fail(status, undefined);
    this.#place = place;
  }

  /** The host is tried. */
  enter(place: Place): void {
    this.tried++;
    this.#place = place;
  }

  fail(status: Status, error: RetryError | undefined): void {
    this.status = status;
    this.error = error;
  }

  putOff(wait: PutOff): void {
    if (this.#wait === undefined || wait.notBefore < this.#wait.notBefore) this.#wait = wait;
  }

  /** What becomes of the rest if no further host is tried, for this reason or for `status`. */
  outcome(status = this.#reason): Outcome {
    const outcome = outcomeOf(status, "host", this.#place);
    if (outcome.kind !== "deferred") return outcome;
    return {
      ...outcome,
      ...given({ error: this.error }),
      ...this.#wait,
      ...(this.#wait !== undefined && this.tried === 0 ? { untried: true } : {}),
    };
  }

  /** What becomes of the rest if no host can help, because something is wrong with the message here. */
  outcomeOfMessage(status: Status): Outcome {
    return outcomeOf(status, "message", this.#place);
  }

  get #reason(): Status {
    return this.status === NO_HOSTS ? (this.#never ?? NO_HOSTS) : this.status;
  }
}

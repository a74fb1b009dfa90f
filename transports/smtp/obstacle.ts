// The reason why no host has taken the rest of a batch so far, and the earliest useful time of another attempt. When no
// host is left, it becomes the outcome of the rest.
//
// Invariants:
// - A host that was passed over gives the reason only while no host was tried.
// - A host that may take the message another time is a better reason than one that never can.

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
  /** Number of hosts that were tried. A host without a route to it does not count. */
  tried = 0;
  /** The host that was tried or passed over last. */
  #place: Place | undefined;
  /** The reason why a host can never take the message. */
  #never: Status | undefined;
  /** The earliest time at which a host may be tried again. */
  #wait: PutOff | undefined;

  /** The host's TLS policy bars it. */
  bar(status: Status, error: RetryError): void {
    if (status.code >= 500) {
      this.#never = status;
      return;
    }
    this.fail(status, error);
    // The status names the barred host. The host before it has not said this.
    this.#place = undefined;
  }

  /** The host can never take the message. */
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

  /** Returns the outcome of the rest if no further host is tried, for this reason or for `status`. */
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

  /** Returns the outcome of the rest if no host can help, because the relay's own copy is damaged. */
  outcomeOfMessage(status: Status): Outcome {
    return outcomeOf(status, "message", this.#place);
  }

  get #reason(): Status {
    return this.status === NO_HOSTS ? (this.#never ?? NO_HOSTS) : this.status;
  }
}

// Retry hints: what is known of hosts that could not be used. Exim's clock for host errors: it starts at the host's
// first failure and belongs to the host, so a new message to a host that is down waits with the others and does
// not knock again.
//
// Invariants: a hint only delays; it never fails a delivery. A success forgets it. Hints survive a restart, and a
// lost one costs a connection that fails.

import type { Clock } from "./clock.ts";
import type { RetryError } from "./contract.ts";
import { matchRetryRule, nextAttempt, type RetryConfig, spread } from "./retry.ts";
import type { Status } from "./status.ts";

export interface HostHint {
  /** Milliseconds since the epoch, both. */
  readonly firstFailure: number;
  readonly nextTry: number;
  readonly status: Status;
}

export interface HostFailure {
  /** The host's name, for the retry rules. */
  readonly host: string;
  /** The domain that the mail was for. */
  readonly domain: string;
  readonly status: Status;
  readonly error?: RetryError;
}

/** Where hints are kept. */
export interface HintStore {
  /** Undefined forgets it. Durable within a second; may be lost in a crash. */
  saveHint(key: string, hint: HostHint | undefined): void;
  /** The host can be used again: who waits for it is due now. */
  wakeHost(key: string): void;
}

/** A hint that nobody has used for so long says nothing any more (Exim's retry_data_expire). */
const EXPIRY = 7 * 86_400_000;
/** After the last rule has ended the host is tried this often, in ms. */
const AFTER_THE_END = 6 * 3_600_000;

export class HostHints {
  readonly #hints = new Map<string, HostHint>();
  readonly #retry: readonly RetryConfig[];
  readonly #clock: Clock;
  #store: HintStore | undefined;

  constructor(retry: readonly RetryConfig[], clock: Clock) {
    this.#retry = retry;
    this.#clock = clock;
  }

  /** Takes over what an earlier run knew, and keeps what is learnt from here on. */
  attach(store: HintStore, known: ReadonlyMap<string, HostHint>): void {
    this.#store = store;
    const oldest = this.#clock.now() - EXPIRY;
    for (const [key, hint] of known) {
      if (hint.nextTry > oldest) this.#hints.set(key, hint);
      else store.saveHint(key, undefined);
    }
  }

  /** The hint, while the host is not to be tried. */
  blocked(key: string): HostHint | undefined {
    const hint = this.#hints.get(key);
    return hint !== undefined && hint.nextTry > this.#clock.now() ? hint : undefined;
  }

  /** The host failed. When it is tried again, in ms since the epoch. */
  failed(key: string, { host, domain, status, error }: HostFailure): number {
    const now = this.#clock.now();
    const known = this.#hints.get(key);
    // Others found out while this attempt was under way: one round of attempts is one failure.
    if (known !== undefined && known.nextTry > now) return known.nextTry;
    const subject = { domain, host, ...(error === undefined ? {} : { error }) };
    const firstFailure = known?.firstFailure ?? now;
    const next = nextAttempt(matchRetryRule(this.#retry, subject), {
      firstFailureAt: firstFailure,
      now,
    });
    const nextTry = next.kind === "retry" ? spread(next.at, now) : now + AFTER_THE_END;
    const hint = { firstFailure, nextTry, status };
    this.#hints.set(key, hint);
    this.#store?.saveHint(key, hint);
    return nextTry;
  }

  succeeded(key: string): void {
    if (this.#hints.size === 0 || !this.#hints.delete(key)) return;
    this.#store?.saveHint(key, undefined);
    this.#store?.wakeHost(key);
  }
}

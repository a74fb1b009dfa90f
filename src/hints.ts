// Retry hints: what is known of hosts that could not be used. Exim's clock for host errors: it starts at the host's
// first failure and belongs to the host, so a new message to a host that is down waits with the others and does
// not knock again. A recipient whose account asks for peace (see the table of replies) has such a clock too.
//
// Invariants: a hint only delays; it never fails a delivery. A success forgets it. Hints survive a restart, and a
// lost one costs a connection that fails. How long a host is left alone is measured by the monotonic clock; a stored
// time that a clock ahead of this one has written holds nobody back.

import type { Clock } from "./clock.ts";
import type { RetryError } from "./contract.ts";
import { findReplyRule, type RetryPolicy, rulesAfter } from "./reply-rules.ts";
import { LONGEST_WAIT, nextAttempt, spread } from "./retry.ts";
import type { Status } from "./status.ts";
import { type Wake, Waiters } from "./waiters.ts";

export interface HostHint {
  /** Milliseconds since the epoch, all three. */
  readonly firstFailure: number;
  readonly nextTry: number;
  /** When `nextTry` was worked out. */
  readonly savedAt: number;
  readonly status: Status;
}

/** A hint with its times by the monotonic clock. */
interface Known {
  readonly hint: HostHint;
  readonly failingSince: number;
  readonly nextTry: number;
}

export interface HostFailure {
  /** The host's name, for the retry rules. */
  readonly host: string;
  /** The domain that the mail was for. */
  readonly domain: string;
  readonly status: Status;
  readonly error?: RetryError;
}

/** Where hints are kept, and those who wait. */
export interface HintStore {
  /** Undefined forgets it. Durable within a second; may be lost in a crash. */
  saveHint(key: string, hint: HostHint | undefined): void;
  readonly wake: Wake;
}

const DAY = 86_400_000;
/** A hint that nobody has used for so long says nothing any more (Exim's retry_data_expire). */
const EXPIRY = 7 * DAY;
/** After the last rule has ended the host is tried this often, in ms. */
const AFTER_THE_END = 6 * 3_600_000;
/** What NTP may set a clock back by without anybody noticing; in ms. */
const TOLERANCE = 5000;

export class HostHints {
  readonly #hints = new Map<string, Known>();
  readonly #waiters = new Waiters((key, most) => this.#store?.wake(key, most) ?? nobody);
  #policy: RetryPolicy;
  readonly #clock: Clock;
  #store: HintStore | undefined;
  #sweepAt: number;

  constructor(policy: RetryPolicy, clock: Clock) {
    this.#policy = policy;
    this.#clock = clock;
    this.#sweepAt = clock.monotonic() + DAY;
  }

  /** Takes over what an earlier run knew, and keeps what is learnt from here on. */
  attach(store: HintStore, known: ReadonlyMap<string, HostHint>): void {
    this.#store = store;
    for (const [key, hint] of known) {
      this.#hints.set(key, this.#remembered(hint));
      this.#waiters.add(key);
    }
    this.#sweep();
  }

  #remembered(hint: HostHint): Known {
    const now = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const wait = hint.nextTry - now;
    const isAhead = hint.savedAt > now + TOLERANCE || wait > LONGEST_WAIT;
    return {
      hint,
      failingSince: monotonic - Math.max(0, now - hint.firstFailure),
      nextTry: isAhead ? monotonic : monotonic + wait,
    };
  }

  /** What fails from now on is tried again by these rules. */
  follow(policy: RetryPolicy): void {
    this.#policy = policy;
  }

  /** Nothing is known to anybody's disadvantage. */
  get isEmpty(): boolean {
    return this.#hints.size === 0;
  }

  /** The hint, while the host is not to be tried. */
  blocked(key: string): HostHint | undefined {
    const known = this.#hints.get(key);
    if (known === undefined) return undefined;
    const wait = known.nextTry - this.#clock.monotonic();
    if (wait <= 0) return undefined;
    return { ...known.hint, nextTry: Math.ceil(this.#clock.now() + wait) };
  }

  /** It failed the last time: if it is to be tried, one is enough to find out. */
  isInDoubt(key: string): boolean {
    return this.#hints.has(key);
  }

  /** The host failed. When it is tried again, in ms since the epoch. */
  failed(key: string, failure: HostFailure): number {
    // Others found out while this attempt was under way: one round of attempts is one failure.
    const found = this.blocked(key);
    if (found !== undefined) return found.nextTry;
    const monotonic = this.#clock.monotonic();
    if (monotonic >= this.#sweepAt) this.#sweep();
    const known = this.#hints.get(key);
    const goesOn = known !== undefined && known.nextTry > monotonic - EXPIRY;
    const failingSince = goesOn ? known.failingSince : monotonic;
    const now = this.#clock.now();
    const firstFailure = Math.round(now - (monotonic - failingSince));
    const nextTry = this.#nextTry(failure, firstFailure, now);
    const hint = { firstFailure, nextTry, savedAt: now, status: failure.status };
    this.#hints.set(key, { hint, failingSince, nextTry: monotonic + nextTry - now });
    this.#store?.saveHint(key, hint);
    return nextTry;
  }

  /**
   * The host has put a recipient off. When mail for the recipient is tried again, whosever it is, if that is what
   * the reply means; `key` is the recipient's.
   */
  recipientFailed(key: string, failure: HostFailure): number | undefined {
    const row = findReplyRule(this.#policy.replies, failure.host, failure.status);
    return row?.hold === "recipient" ? this.failed(key, failure) : undefined;
  }

  #nextTry(
    { host, domain, status, error }: HostFailure,
    firstFailureAt: number,
    now: number,
  ): number {
    const { random } = this.#policy;
    const subject = { domain, host, ...(error === undefined ? {} : { error }) };
    const times = { firstFailureAt, now, ...(random === undefined ? {} : { random }) };
    const next = nextAttempt(rulesAfter(status, subject, this.#policy), times);
    return spread(next.kind === "retry" ? next.at : now + AFTER_THE_END, now, random);
  }

  /** It can be used: of those who wait for it so many are woken as there is room for, and never too many. */
  succeeded(key: string, room = Number.POSITIVE_INFINITY): void {
    if (this.#hints.size > 0 && this.#hints.delete(key)) this.#store?.saveHint(key, undefined);
    this.#waiters.proceed(key, room);
  }

  /** Somebody in the spool waits for it. It may be back already. */
  awaited(key: string): void {
    this.#waiters.add(key);
    if (!this.isInDoubt(key)) this.#waiters.suspect(key);
  }

  /** Forgets what is too old to say anything, once a day. */
  #sweep(): void {
    const monotonic = this.#clock.monotonic();
    this.#sweepAt = monotonic + DAY;
    for (const [key, { nextTry }] of this.#hints) {
      if (nextTry >= monotonic - EXPIRY) continue;
      this.#hints.delete(key);
      this.#store?.saveHint(key, undefined);
    }
  }
}

const nobody = Promise.resolve(0);

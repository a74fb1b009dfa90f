// Retry hints: what is known of hosts that could not be used. Exim's clock for host errors: it starts at the host's
// first failure and belongs to the host, so a new message to a host that is down waits with the others and does
// not knock again. A recipient whose account asks for peace (see the table of replies) has such a clock too.
//
// A host that ends a connection under a message, with 421 or without a word, may mean that message alone. It is
// suspected, and nobody else waits, until a second message meets the same; then the others go one at a time, with
// pauses of seconds.
//
// Invariants: a hint only delays; it never fails a delivery. A success forgets it. Hints survive a restart, suspicions
// do not; a lost one costs a connection that fails. All together they have a bound in octets. How long a host is left
// alone is measured by the monotonic clock; a stored time that a clock ahead of this one has written holds nobody back.
//
// Doors: hint-store.ts.

import { given } from "../../base/given.ts";
import { type Clock, CLOCK_ROUNDING } from "../../base/clock.ts";
import { LONGEST_WAIT } from "../../spool/longest-wait.ts";
import type { MessageId } from "../../mail/envelope.ts";
import { findReplyRule, type RetryPolicy, rulesAfter } from "../reply-rules.ts";
import { nextAttempt, spread } from "../retry.ts";
import { type Wake, Waiters } from "./waiters.ts";
import type { HostHint } from "../../mail/host.ts";
import type { HostFailure, Hints, UnderWay } from "../../contract/contract.ts";

/** A host that has ended connections under messages, since the last one that it took. */
interface Suspicion {
  /** The latest of these messages. */
  readonly messages: ReadonlySet<MessageId>;
  readonly count: number;
  /** Messages under which it was silent do not come back before `until`. */
  readonly silent: ReadonlySet<MessageId>;
  /** Nobody else comes before; by the monotonic clock. */
  readonly pausedUntil: number;
}

interface Memory extends HostHint {
  /** `firstFailure` and `nextTry` by the monotonic clock. */
  readonly failingSince: number;
  readonly until: number;
  /** Absent: the host cannot be used by anybody. */
  readonly suspicion?: Suspicion;
  /** The host's name, and the domain of the mail with which it failed; absent after a restart. */
  readonly host?: string;
  readonly domain?: string;
  /** Of an account at a host: it concerns nobody else. */
  readonly isAccounts?: true;
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
/** Pauses of a host that ends connections under one message after the other, in ms: twice as long each time. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
/** Messages remembered of those that a suspected host has ended connections under. */
const SUSPECTED_MAX = 16;
/** Crowds that an earlier run left, and those of them that are woken at once: the others have a time of their own. */
export const RESUMED_MAX = 10_000;
const WOKEN_AT_START = 100;
/** Octets of all hints: what they weigh is their key and their text, and about this much beside it. */
const OCTETS_MAX = 16 * 1024 * 1024;
const OVERHEAD = 300;

export class HostHints implements Hints {
  /** Those that failed last stand at the end. */
  readonly #hints = new Map<string, Memory>();
  #octets = 0;
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
      this.#remember(key, this.#recalled(hint));
      this.#waiters.add(key);
    }
    this.#sweep();
  }

  /** What an earlier process has stored, by the clock of this one. */
  #recalled(hint: HostHint): Memory {
    const now = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const wait = hint.nextTry - now;
    const isAhead = hint.savedAt > now + TOLERANCE || wait > LONGEST_WAIT;
    const failingSince = monotonic - Math.max(0, now - hint.firstFailure);
    return { ...hint, failingSince, until: isAhead ? monotonic : monotonic + wait };
  }

  /** What fails from now on is tried again by these rules. */
  follow(policy: RetryPolicy): void {
    this.#policy = policy;
  }

  /** Nothing is known to anybody's disadvantage. */
  get isEmpty(): boolean {
    return this.#hints.size === 0;
  }

  /** The hint, while the host is not to be tried; a suspected host may be, but for `message`. */
  blocked(key: string, message?: MessageId): HostHint | undefined {
    const hint = this.#hints.get(key);
    if (hint === undefined) return undefined;
    const { suspicion, until, firstFailure, savedAt, status } = hint;
    const isOpen = suspicion !== undefined && !(message && suspicion.silent.has(message));
    const wait = (isOpen ? suspicion.pausedUntil : until) - this.#clock.monotonic();
    if (wait < CLOCK_ROUNDING) return undefined;
    return { firstFailure, savedAt, status, nextTry: Math.round(this.#clock.now() + wait) };
  }

  /** The host for a domain that is left alone, and for how long; undefined when there is none. */
  waitOf(domain: string): { readonly host: string; readonly until: number } | undefined {
    for (const [key, { host, domain: served, isAccounts = false }] of this.#hints) {
      const hint = served === domain && !isAccounts ? this.blocked(key) : undefined;
      if (hint !== undefined && host !== undefined) return { host, until: hint.nextTry };
    }
    return undefined;
  }

  /** It failed the last time, not only one message: if it is to be tried, one is enough to find out. */
  isInDoubt(key: string): boolean {
    const hint = this.#hints.get(key);
    return hint !== undefined && (hint.suspicion === undefined || hint.suspicion.count > 1);
  }

  /** The host failed. When it is tried again, in ms since the epoch. */
  failed(key: string, failure: HostFailure): number {
    return this.#failed(key, failure, {});
  }

  #failed(key: string, failure: HostFailure, whose: Pick<Memory, "isAccounts">): number {
    // Others found out while this attempt was under way: one round of attempts is one failure.
    const isSuspected = this.#hints.get(key)?.suspicion !== undefined;
    const found = isSuspected ? undefined : this.blocked(key);
    if (found !== undefined) return found.nextTry;
    const monotonic = this.#clock.monotonic();
    if (monotonic >= this.#sweepAt) this.#sweep();
    const known = isSuspected ? undefined : this.#hints.get(key);
    const goesOn = known !== undefined && known.until > monotonic - EXPIRY;
    const since = goesOn ? known.failingSince : monotonic;
    const memory = { ...this.#failingSince(since, failure), ...whose };
    this.#remember(key, memory);
    const { firstFailure, nextTry, savedAt, status } = memory;
    this.#store?.saveHint(key, { firstFailure, nextTry, savedAt, status });
    return nextTry;
  }

  #failingSince(failingSince: number, failure: HostFailure): Memory {
    const now = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const firstFailure = Math.round(now - (monotonic - failingSince));
    const nextTry = this.#nextTry(failure, firstFailure, now);
    const until = monotonic + nextTry - now;
    const { host, domain, status } = failure;
    return { firstFailure, nextTry, savedAt: now, status, failingSince, until, host, domain };
  }

  /** The host, which can be reached, has ended the connection under a message. */
  closedUnder(key: string, failure: HostFailure, { message, isSilent }: UnderWay): void {
    const known = this.#hints.get(key);
    // Somebody found out meanwhile that it cannot be used at all.
    if (known !== undefined && known.suspicion === undefined && this.blocked(key)) return;
    const monotonic = this.#clock.monotonic();
    if (monotonic >= this.#sweepAt) this.#sweep();
    const before = known?.suspicion;
    const isKnown = before?.messages.has(message) === true;
    const count = (before?.count ?? 0) + (isKnown ? 0 : 1);
    const pause = count < 2 ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (count - 2));
    const suspicion = {
      messages: withLast(before?.messages, message),
      count,
      silent: isSilent ? withLast(before?.silent, message) : (before?.silent ?? new Set()),
      pausedUntil: monotonic + pause,
    };
    // It was reached: what is on disk of it is over.
    if (known !== undefined && before === undefined) this.#store?.saveHint(key, undefined);
    this.#remember(key, { ...this.#failingSince(monotonic, failure), suspicion });
  }

  #remember(key: string, hint: Memory): void {
    this.#forget(key);
    this.#hints.set(key, hint);
    this.#octets += weightOf(key, hint);
    for (const oldest of this.#hints.keys()) {
      if (this.#octets <= OCTETS_MAX) break;
      this.#drop(oldest);
    }
  }

  #forget(key: string): boolean {
    const hint = this.#hints.get(key);
    if (hint === undefined) return false;
    this.#octets -= weightOf(key, hint);
    return this.#hints.delete(key);
  }

  /** Those who wait for it come back by their own time. */
  #drop(key: string): void {
    this.#forget(key);
    this.#store?.saveHint(key, undefined);
    this.#waiters.forget(key);
  }

  /**
   * The host has put a recipient off. When mail for the recipient is tried again, whosever it is, if that is what
   * the reply means; `key` is the recipient's.
   */
  recipientFailed(key: string, failure: HostFailure): number | undefined {
    const row = findReplyRule(this.#policy.replies, failure.host, failure.status);
    return row?.hold === "recipient" ? this.#failed(key, failure, { isAccounts: true }) : undefined;
  }

  #nextTry(
    { host, domain, status, error }: HostFailure,
    firstFailureAt: number,
    now: number,
  ): number {
    const { random } = this.#policy;
    const subject = { domain, host, ...given({ error }) };
    const times = { firstFailureAt, now, ...given({ random }) };
    const next = nextAttempt(rulesAfter(status, subject, this.#policy), times);
    return spread(next.kind === "retry" ? next.at : now + AFTER_THE_END, now, random);
  }

  /** It can be used: of those who wait for it so many are woken as there is room for, and never too many. */
  succeeded(key: string, room = Number.POSITIVE_INFINITY): void {
    const hint = this.#hints.get(key);
    if (this.#forget(key) && hint?.suspicion === undefined) this.#store?.saveHint(key, undefined);
    this.#waiters.proceed(key, room);
  }

  /**
   * What an earlier run has left waiting. Those who wait for nothing that is known here need wait no longer: their host
   * had no connection to spare, or was suspected.
   */
  resume(awaited: readonly string[]): void {
    let woken = 0;
    for (const key of awaited) {
      this.#waiters.add(key);
      if (this.isInDoubt(key) || woken === WOKEN_AT_START) continue;
      woken += 1;
      this.#waiters.suspect(key);
    }
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
    for (const [key, { until }] of this.#hints) if (until < monotonic - EXPIRY) this.#drop(key);
    this.#waiters.sweep((key) => this.#hints.has(key));
  }
}

function weightOf(key: string, { status, host = "", domain = "" }: Memory): number {
  return key.length + status.text.length + host.length + domain.length + OVERHEAD;
}

function withLast(messages: ReadonlySet<MessageId> | undefined, last: MessageId): Set<MessageId> {
  return new Set([...(messages ?? []), last].slice(-SUSPECTED_MAX));
}

const nobody = Promise.resolve(0);

// Retry hints: facts about hosts that could not be used. A hint is Exim's clock for host errors. It starts at the host's
// first failure and belongs to the host. So a new message to a host that is down waits with the others and does
// not connect. An account that defers all its mail (see the table of replies) has such a clock too.
//
// If a host ends a connection under a message, with 421 or without a reply, that message alone may be the reason. The
// host is suspected, and other messages do not wait. If the same happens to a second message, the others go one at a
// time, with pauses of seconds.
//
// Invariants:
// - A hint only delays a delivery, and never fails it. A success removes the hint.
// - Hints survive a restart, suspicions do not. A lost hint costs one connection that fails.
// - All hints together have a limit in octets.
// - The time for which a host is not tried is measured by the monotonic clock. A stored time from a clock that was ahead
//   delays no message.
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

/** A host that has ended connections under messages, since the last message that it accepted. */
interface Suspicion {
  /** The latest of these messages. */
  readonly messages: ReadonlySet<MessageId>;
  readonly count: number;
  /** Messages to which it gave no reply: they do not come back before `until`. */
  readonly silent: ReadonlySet<MessageId>;
  /** Other messages do not come before this time, by the monotonic clock. */
  readonly pausedUntil: number;
}

interface Memory extends HostHint {
  /** `firstFailure` and `nextTry` by the monotonic clock. */
  readonly failingSince: number;
  readonly until: number;
  /** Absent: no message can use the host. */
  readonly suspicion?: Suspicion;
  /** The host's name, and the domain of the mail with which it failed; absent after a restart. */
  readonly host?: string;
  readonly domain?: string;
  /** The hint is about one account at a host, not about the host. */
  readonly isAccounts?: true;
}

/** The store of hints, and of recipients that wait for them. */
export interface HintStore {
  /** Saves a hint; undefined removes it. It is durable within a second, and may be lost in a crash. */
  saveHint(key: string, hint: HostHint | undefined): void;
  readonly wake: Wake;
}

const DAY = 86_400_000;
/** Milliseconds after which an unused hint is dropped (Exim's retry_data_expire). */
const EXPIRY = 7 * DAY;
/** Milliseconds between two tries of the host after the last rule has ended. */
const AFTER_THE_END = 6 * 3_600_000;
/** Milliseconds by which NTP may set the clock back without an effect on hints. */
const TOLERANCE = 5000;
/** The pause for a host that ends connections under several messages, in ms. It doubles each time up to the longest. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
/** Messages kept for a suspected host: the latest under which it has ended connections. */
const SUSPECTED_MAX = 16;
/** Hosts that mail of an earlier run waits for, at most; and those of them whose mail is woken at the start. */
export const RESUMED_MAX = 10_000;
const WOKEN_AT_START = 100;
/** Octets of all hints: of each its key, its text and about 300 more. */
const OCTETS_MAX = 16 * 1024 * 1024;
const OVERHEAD = 300;

export class HostHints implements Hints {
  /** In the order of their last failure. */
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

  /** Takes over the hints of an earlier run, and saves all later hints in `store`. */
  attach(store: HintStore, known: ReadonlyMap<string, HostHint>): void {
    this.#store = store;
    for (const [key, hint] of known) {
      this.#remember(key, this.#recalled(hint));
      this.#waiters.add(key);
    }
    this.#sweep();
  }

  /** A hint of an earlier process, by the clock of this one. */
  #recalled(hint: HostHint): Memory {
    const now = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const wait = hint.nextTry - now;
    const isAhead = hint.savedAt > now + TOLERANCE || wait > LONGEST_WAIT;
    const failingSince = monotonic - Math.max(0, now - hint.firstFailure);
    return { ...hint, failingSince, until: isAhead ? monotonic : monotonic + wait };
  }

  /** Uses these rules for all failures from now on. */
  follow(policy: RetryPolicy): void {
    this.#policy = policy;
  }

  /** Whether no hint delays any message. */
  get isEmpty(): boolean {
    return this.#hints.size === 0;
  }

  /** The hint, while the host must not be tried. A suspected host may be tried, but not with a message it left unanswered. */
  blocked(key: string, message?: MessageId): HostHint | undefined {
    const hint = this.#hints.get(key);
    if (hint === undefined) return undefined;
    const { suspicion, until, firstFailure, savedAt, status } = hint;
    const isOpen = suspicion !== undefined && !(message && suspicion.silent.has(message));
    const wait = (isOpen ? suspicion.pausedUntil : until) - this.#clock.monotonic();
    if (wait < CLOCK_ROUNDING) return undefined;
    return { firstFailure, savedAt, status, nextTry: Math.round(this.#clock.now() + wait) };
  }

  /** A host of the domain that must not be tried now, and until when; undefined without such a host. */
  waitOf(domain: string): { readonly host: string; readonly until: number } | undefined {
    for (const [key, { host, domain: served, isAccounts = false }] of this.#hints) {
      const hint = served === domain && !isAccounts ? this.blocked(key) : undefined;
      if (hint !== undefined && host !== undefined) return { host, until: hint.nextTry };
    }
    return undefined;
  }

  /** Whether the host failed the last time, and not only under one message: then one message is enough to test it. */
  isInDoubt(key: string): boolean {
    const hint = this.#hints.get(key);
    return hint !== undefined && (hint.suspicion === undefined || hint.suspicion.count > 1);
  }

  /** Notes that the host failed, and returns the time of its next try in ms since the epoch. */
  failed(key: string, failure: HostFailure): number {
    return this.#failed(key, failure, {});
  }

  #failed(key: string, failure: HostFailure, whose: Pick<Memory, "isAccounts">): number {
    // Another attempt found the failure while this one was under way: attempts at the same time count as one failure.
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

  /** Notes that the host can be reached, and has ended the connection under a message. */
  closedUnder(key: string, failure: HostFailure, { message, isSilent }: UnderWay): void {
    const known = this.#hints.get(key);
    // Another attempt found meanwhile that the host cannot be used at all.
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
    // The host was reached, so its hint on disk is obsolete.
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

  /** Drops a hint. Recipients that wait for it come back at their own times. */
  #drop(key: string): void {
    this.#forget(key);
    this.#store?.saveHint(key, undefined);
    this.#waiters.forget(key);
  }

  /**
   * Notes that the host has deferred a recipient. If the reply defers all mail for the recipient, returns when such mail is
   * tried again; `key` is that of the recipient.
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

  /** Notes that the host works. Wakes as many waiting recipients as `room` allows, and at most 50. */
  succeeded(key: string, room = Number.POSITIVE_INFINITY): void {
    const hint = this.#hints.get(key);
    if (this.#forget(key) && hint?.suspicion === undefined) this.#store?.saveHint(key, undefined);
    this.#waiters.proceed(key, room);
  }

  /**
   * Takes over the keys that recipients of an earlier run wait for. Without a hint for a key, they are woken: their host had
   * no free connection, or was suspected.
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

  /** Notes that a recipient in the spool waits for the host, which may work again already. */
  awaited(key: string): void {
    this.#waiters.add(key);
    if (!this.isInDoubt(key)) this.#waiters.suspect(key);
  }

  /** Once a day: drops hints that are too old. */
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

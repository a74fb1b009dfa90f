// The release of mail that has waited: of each recipient the oldest first, at a rate.
//
// Invariants:
// - A recipient gets no more messages than the rate allows, however late a tick is, and in their order.
// - The first message finds out whether its host is back, whatever is known of it. Nothing else is released meanwhile.
// - While released mail waits for a host that has failed, no more is released: it would come in a burst with the host.
// - The spool knows what waits. So a release that is interrupted by the end of the relay goes on with the rest.

import type { Clock, Timer } from "../../base/clock.ts";
import type { Withheld, WithheldKey } from "../../spool/spool.ts";
import type { PartMail } from "../part.ts";

export interface ReleaseMeans {
  readonly clock: Clock;
  readonly spool: Pick<PartMail["spool"], "withheld" | "releaseWithheld" | "releasedWithheld">;
  readonly wake: () => void;
  /** Called when nothing waits any more, and each message was attempted. */
  readonly onOver: (released: number) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export interface ReleaseRate {
  readonly count: number;
  /** Milliseconds. */
  readonly window: number;
}

/** Milliseconds between two ticks. */
const TICK = 100;
/** The same while nothing can be released: a host has failed, or the last attempts are under way. */
const PAUSE = 1000;
/** Milliseconds of a late tick that are made up for. */
const LATE = 1000;
/** Recipients in one transaction, so that a commit of mail that arrives meanwhile waits no longer than for that. */
const RELEASED_AT_ONCE = 500;
/** Released recipients without an attempt, at most: the queue takes no more at once. */
const UNTRIED_MAX = 1000;
const PAGE = 5000;

/** The waiting mail of one recipient, oldest first. */
interface Line {
  readonly waiting: WithheldKey[];
  /** The number of those that were released. */
  next: number;
  /** When the next one may go, by the monotonic clock. */
  free: number;
}

export class Release {
  readonly #means: ReleaseMeans;
  readonly #lines = new Map<string, Line>();
  #rate: ReleaseRate;
  #timer: Timer | undefined;
  #ticking: Promise<void> | undefined;
  #released = 0;
  /** Whether a message was sent ahead. */
  #isTested = false;
  #isStopped = false;

  constructor(rate: ReleaseRate, means: ReleaseMeans) {
    this.#rate = rate;
    this.#means = means;
  }

  /** Uses this rate from now on. */
  follow(rate: ReleaseRate): void {
    this.#rate = rate;
  }

  start(): void {
    this.#tickAfter(0);
  }

  /** Resolves when no more is released. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#ticking;
  }

  #tickAfter(delay: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#means.clock.after(delay, () => {
      this.#ticking = this.#tickOnce();
    });
  }

  /** Never rejects. */
  async #tickOnce(): Promise<void> {
    let next: number | undefined;
    try {
      next = await this.#tick();
    } catch (error) {
      this.#means.onError(error);
      next = PAUSE;
    }
    this.#ticking = undefined;
    if (next !== undefined) this.#tickAfter(next);
  }

  /** Releases what may go now. Returns the milliseconds until the next tick; undefined: the release is over. */
  async #tick(): Promise<number | undefined> {
    const { spool, wake, onOver } = this.#means;
    const { untried, atHosts } = await spool.releasedWithheld(UNTRIED_MAX);
    if (this.#lines.size === 0) await this.#fill();
    if (this.#isStopped) return undefined;
    if (this.#lines.size === 0) {
      if (untried.length > 0) return PAUSE;
      await onOver(this.#released);
      return undefined;
    }
    if (!this.#isTested) return this.#test();
    if (this.#released === 1 && untried.length > 0) return TICK;
    const room = Math.min(RELEASED_AT_ONCE, UNTRIED_MAX - untried.length);
    if (atHosts > 0 || room <= 0) return PAUSE;
    const due = this.#take(
      room,
      Map.groupBy(untried, ({ address }) => accountOf(address)),
    );
    if (due.length === 0) return TICK;
    await spool.releaseWithheld(due);
    this.#released += due.length;
    wake();
    return TICK;
  }

  /** Releases the first message alone. */
  async #test(): Promise<number> {
    const due = this.#take(1, new Map());
    await this.#means.spool.releaseWithheld(due, true);
    this.#isTested = true;
    this.#released += due.length;
    this.#means.wake();
    return TICK;
  }

  /** Reads what waits. */
  async #fill(): Promise<void> {
    const { spool, clock } = this.#means;
    const now = clock.monotonic();
    for (let after: WithheldKey | undefined, size = PAGE; size === PAGE && !this.#isStopped;) {
      const page: readonly Withheld[] = await spool.withheld(PAGE, after);
      for (const { id, position, address } of page) {
        const key = accountOf(address);
        const line = this.#lines.get(key) ?? { waiting: [], next: 0, free: now };
        line.waiting.push({ id, position });
        this.#lines.set(key, line);
      }
      size = page.length;
      after = page.at(-1);
    }
  }

  /**
   * Takes the recipients that may go now, oldest first, at most `most`. Mail of an account waits until its mail that was
   * released before is tried, unless the rate needs several of it at once.
   */
  #take(most: number, untried: ReadonlyMap<string, readonly unknown[]>): readonly WithheldKey[] {
    const gap = this.#rate.window / this.#rate.count;
    const now = this.#means.clock.monotonic();
    const due: WithheldKey[] = [];
    for (const [key, line] of this.#inOrder()) {
      line.free = Math.max(line.free, now - LATE);
      let room = Math.max(1, Math.ceil(TICK / gap)) - (untried.get(key)?.length ?? 0);
      for (; line.free <= now && due.length < most && room > 0; room--) {
        const next = line.waiting[line.next];
        if (next === undefined) break;
        due.push(next);
        line.next += 1;
        line.free += gap;
      }
      if (line.next === line.waiting.length) this.#lines.delete(key);
    }
    return due.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** The lines, by the age of their first message. */
  #inOrder(): [string, Line][] {
    const firstOf = ({ waiting, next }: Line) => waiting[next]?.id ?? "";
    return [...this.#lines].toSorted(([, one], [, other]) =>
      firstOf(one) < firstOf(other) ? -1 : 1,
    );
  }
}

/** The account of an address: "+suffix" addresses share the rate of theirs. */
function accountOf(address: string): string {
  const [, localPart = address, domain = ""] = /^([^+@]+)[^@]*(@.*)$/.exec(address) ?? [];
  return `${localPart}${domain}`.toLowerCase();
}

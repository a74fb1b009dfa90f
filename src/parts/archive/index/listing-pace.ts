// How often a directory that changes all the time is listed. A directory with a million files takes seconds to list, and
// each delivery changes its mtime.
//
// Invariant: the listings of one directory take at most 1/SHARE of the time. The relay's own changes were told, so they
// wait longer: their listings take at most 1/OWN_SHARE of the time, and are OWN_WAIT ms apart. Another program's change
// may hide behind them.

import type { Clock } from "../../../base/clock.ts";

const SHARE = 20;
const OWN_SHARE = 50;
const OWN_WAIT = 40_000;

/** The mtime of a directory and the ctime of a file that came into it differ by at most this, in ms. */
const SAME_MOMENT = 20;

/** Listings that take less are not remembered, in ms. */
const CHEAP = 5;

const REMEMBERED_MAX = 20_000;

interface Listed {
  /** The end of the last listing, by the monotonic clock. */
  readonly at: number;
  /** What it took, in ms. */
  readonly cost: number;
}

export class ListingPace {
  readonly #clock: Clock;
  readonly #listed = new Map<string, Listed>();
  readonly #own = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The relay has put a file into the directory; `ctime` is the file's, in ms. */
  arrived(path: string, ctime: number): void {
    if (this.#own.size >= REMEMBERED_MAX) this.#own.clear();
    this.#own.set(path, Math.max(ctime, this.#own.get(path) ?? 0));
  }

  /** Whether a directory that has changed, with this mtime in ms, is listed now. */
  admits(path: string, mtime: number): boolean {
    const listed = this.#listed.get(path);
    if (listed === undefined) return true;
    const own = this.#own.get(path);
    const isOwn = own !== undefined && Math.abs(own - mtime) <= SAME_MOMENT;
    const wait = isOwn ? Math.max(listed.cost * OWN_SHARE, OWN_WAIT) : listed.cost * SHARE;
    return this.#clock.monotonic() - listed.at >= wait;
  }

  listed(path: string, cost: number): void {
    this.#listed.delete(path);
    if (cost < CHEAP) return;
    const [oldest] = this.#listed.keys();
    if (this.#listed.size >= REMEMBERED_MAX && oldest !== undefined) this.#listed.delete(oldest);
    this.#listed.set(path, { at: this.#clock.monotonic(), cost });
  }
}

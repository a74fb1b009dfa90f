// Slows down wrong passwords: per client address, per network beyond ten times that, per pair of client and user, and
// per user. One limiter serves every way to log in.
//
// Invariants:
// - A guess counts as wrong from its beginning, until it turns out right. So guesses at the same time count too.
// - From the fifth wrong password on, a client waits at least a second, and its guesses are judged one after the other.
//   A client with too many guesses waiting is put off without a judgement.
// - A user that is attacked from many addresses waits at most 1.5 s at an address that did nothing wrong.
// - The memory is bounded: 10 000 entries of each kind, with names of at most 254 octets. The entries that were used
//   least recently are forgotten first.

import { isIPv4 } from "node:net";
import type { Clock } from "../base/clock.ts";
import { networkOf } from "../base/network.ts";

export type Turn =
  | {
      /** Milliseconds until the guess may be judged. */
      readonly wait: number;
      /** No wrong password of this client is remembered. */
      readonly isClean: boolean;
      /** Must be called once. */
      settle(result: "right" | "wrong" | "unjudged"): void;
    }
  | {
      /** Too many guesses wait. Milliseconds after which the client may come again. */
      readonly retryAfter: number;
    };

interface Limit {
  /** Wrong passwords without a wait. */
  readonly free: number;
  /** Milliseconds after which a wrong password is forgotten. */
  readonly memory: number;
  /** Milliseconds between two judgements, once `free` is used up. */
  readonly gap: number;
  /** The longest wait, in ms. Absent: a guess never waits for others. */
  readonly waitMax?: number;
}

const CLIENT: Limit = { free: 4, memory: 600_000, gap: 1000, waitMax: 10_000 };
const NETWORK: Limit = { free: 40, memory: 600_000, gap: 100, waitMax: 10_000 };
const PAIR: Limit = { free: 4, memory: 3_600_000, gap: 1000, waitMax: 10_000 };
const USER: Limit = { free: 20, memory: 600_000, gap: 0 };

/** Milliseconds. The shortest wait, once the free wrong passwords are used up. */
const WAIT_MIN = 1000;
/** Milliseconds. The wait of a user that is attacked from many addresses. */
const USER_WAIT = 1500;
const ENTRIES_MAX = 10_000;

interface Entry {
  wrong: number;
  /** The last wrong password, by the monotonic clock. */
  at: number;
  /** The time of the last judgement that was given away. */
  turn: number;
}

class Table {
  readonly limit: Limit;
  readonly #entries = new Map<string, Entry>();

  constructor(limit: Limit) {
    this.limit = limit;
  }

  /** The entry of the key, which becomes the most recently used one. */
  of(key: string, now: number): Entry {
    const entry = this.#entries.get(key) ?? { wrong: 0, at: now, turn: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > ENTRIES_MAX) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    const forgotten = Math.floor(((now - entry.at) * this.limit.free) / this.limit.memory);
    if (forgotten > 0) {
      entry.wrong = Math.max(0, entry.wrong - forgotten);
      entry.at = now;
    }
    return entry;
  }

  /** The wait of the next guess. */
  wait({ wrong, turn }: Entry, now: number): number {
    const { free, gap, waitMax } = this.limit;
    if (wrong < free) return 0;
    return waitMax === undefined ? USER_WAIT : Math.max(now + WAIT_MIN, turn + gap) - now;
  }
}

export class WrongPasswords {
  readonly #clock: Clock;
  readonly #clients = new Table(CLIENT);
  readonly #networks = new Table(NETWORK);
  readonly #pairs = new Table(PAIR);
  readonly #users = new Table(USER);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a turn for a guess of this client for this user. The name has at most 254 octets. */
  take(client: string, user: string): Turn {
    const now = this.#clock.monotonic();
    const used = [
      [this.#clients, this.#clients.of(client, now)],
      [this.#networks, this.#networks.of(networkOf(client), now)],
      [this.#pairs, this.#pairs.of(`${client} ${user}`, now)],
      [this.#users, this.#users.of(user, now)],
    ] as const;
    const [[, own], [, network]] = used;
    // A /64 is one customer. In a /24, a client without a wrong password may be anybody.
    const isClean = own.wrong < 1 && (isIPv4(client) || network.wrong < 1);
    const waits = used.map(([table, entry]) => {
      const wait = table.wait(entry, now);
      return isClean ? Math.min(wait, USER_WAIT) : wait;
    });
    const wait = Math.max(...waits);
    const isTooLong = used.some(
      ([table], index) => (waits[index] ?? 0) > (table.limit.waitMax ?? Infinity),
    );
    if (isTooLong) return { retryAfter: wait };
    for (const [table, entry] of used) {
      if (entry.wrong >= table.limit.free) entry.turn = now + wait;
      entry.wrong++;
    }
    return {
      wait,
      isClean,
      settle: (result) => {
        for (const [table, entry] of used) {
          if (result === "wrong") entry.at = this.#clock.monotonic();
          else if (result === "right" && table === this.#pairs) entry.wrong = 0;
          else entry.wrong = Math.max(0, entry.wrong - 1);
        }
      },
    };
  }
}

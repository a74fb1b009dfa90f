// The reserve of the disk, for mail that is in the spool already: below it no new message is begun, so that the queue
// can drain and record its outcomes.
//
// Invariants:
// - The file system is asked at most once a second, one question at a time, and only while a client waits for the
//   answer.
// - A disk that hangs holds up no client: if it has not answered within 100 ms, its last answer counts.

import { statfs as statfsCallback } from "node:fs";
import { promisify } from "node:util";
import type { Clock } from "../base/clock.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";

const statfs = promisify(statfsCallback);

/** The free space for a process that is not root. */
export interface FreeSpace {
  readonly bytes: number;
  /** Infinite if the file system does not count inodes. */
  readonly inodes: number;
}

export async function freeSpace(directory: string): Promise<FreeSpace> {
  const { bavail, bsize, ffree, files } = await statfs(directory);
  return { bytes: bavail * bsize, inodes: files === 0 ? Number.POSITIVE_INFINITY : ffree };
}

export interface DiskReserveOptions {
  /** Bytes and inodes that new mail must leave free. */
  readonly bytes: number;
  readonly inodes: number;
  readonly measure: () => Promise<FreeSpace>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds for which an answer of the file system is used. */
const FRESH = 1000;
/** Milliseconds that a client waits for the file system. */
const PATIENCE = 100;
/** Milliseconds without an answer after which a warning is logged, once. */
const WARNED_AFTER = 60_000;

interface Measuring {
  /** By the monotonic clock. */
  readonly since: number;
  /** Resolves when it is measured, or after PATIENCE. Never rejects. */
  readonly waited: Promise<void>;
  isLate: boolean;
  isWarnedOf: boolean;
}

export class DiskReserve {
  readonly #options: DiskReserveOptions;
  #free: FreeSpace = { bytes: Number.POSITIVE_INFINITY, inodes: Number.POSITIVE_INFINITY };
  #measuredAt = Number.NEGATIVE_INFINITY;
  #measuring: Measuring | undefined;
  #low = false;

  constructor(options: DiskReserveOptions) {
    this.#options = options;
  }

  /** Whether a message of `size` bytes leaves the reserve free. Answers within 100 ms. */
  hasRoomFor(size: number): MaybePromise<boolean> {
    if (this.#options.clock.monotonic() - this.#measuredAt < FRESH) return this.#fits(size);
    const measuring = (this.#measuring ??= this.#begin());
    if (!measuring.isLate) return measuring.waited.then(() => this.#fits(size));
    this.#warn(measuring);
    return this.#fits(size);
  }

  #begin(): Measuring {
    const { clock } = this.#options;
    const { promise: waited, resolve } = Promise.withResolvers<void>();
    const measuring = { since: clock.monotonic(), waited, isLate: false, isWarnedOf: false };
    const timer = clock.after(PATIENCE, () => {
      measuring.isLate = true;
      resolve();
    });
    const finish = async () => {
      await this.#measure();
      this.#measuring = undefined;
      timer.cancel();
      resolve();
    };
    void finish();
    return measuring;
  }

  #warn(measuring: Measuring): void {
    const { clock, log } = this.#options;
    const seconds = Math.floor((clock.monotonic() - measuring.since) / 1000);
    if (measuring.isWarnedOf || seconds * 1000 < WARNED_AFTER) return;
    measuring.isWarnedOf = true;
    const what = `the file system of the spool has not reported its free space for ${seconds} s`;
    log.event("relay.warning", { what: `${what}: the last report is used` });
  }

  #fits(size: number): boolean {
    return !this.#low && this.#free.bytes - size >= this.#options.bytes;
  }

  /** Asks the file system. If that fails, its last answer counts, and the next write shows whether there is space. */
  async #measure(): Promise<void> {
    const { measure, clock, log, bytes, inodes } = this.#options;
    try {
      this.#free = await measure();
    } catch (error) {
      log.event("spool.failed", { error: describeError(error) });
    }
    this.#measuredAt = clock.monotonic();
    const low = this.#free.bytes < bytes || this.#free.inodes < inodes;
    if (low === this.#low) return;
    this.#low = low;
    log.event(low ? "spool.low" : "spool.enough", {
      free_bytes: this.#free.bytes,
      free_inodes: this.#free.inodes,
    });
  }
}

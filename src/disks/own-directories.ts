// The open directories of a tree of Maildirs.
// Invariants: a descriptor is used for a second, then the name is looked up again, so that a replaced directory is
// noticed. At most 200 stay open, and each is closed within three seconds after it was opened, or after its last use.

import { closeSync } from "node:fs";
import type { Clock, Timer } from "../base/clock.ts";

/** Milliseconds for which a descriptor is used for the name that it was opened by. */
const FRESH = 1000;
/** Descriptors that stay open for the next delivery. */
const OPEN_MAX = 200;
export interface Directory {
  readonly path: string;
  readonly fd: number;
  /** The number of deliveries that use it now. */
  users: number;
  /** Closed as soon as `users` is 0. */
  isOver: boolean;
}

interface Known {
  readonly opened: Promise<Directory>;
  /** Present once it is open. */
  directory: Directory | undefined;
  /** By the monotonic clock, in ms. */
  readonly at: number;
}

export class OwnDirectories {
  readonly root: string;
  readonly #clock: Pick<Clock, "monotonic" | "after">;
  readonly #known = new Map<string, Known>();
  #sweep: Timer | undefined;

  constructor(root: string, clock: Pick<Clock, "monotonic" | "after">) {
    this.root = root;
    this.#clock = clock;
  }

  /** Whether the path is below the root, where links are checked. */
  isBelow(path: string): boolean {
    return path !== this.root && path.startsWith(this.root === "/" ? "/" : `${this.root}/`);
  }

  /** The directory, if it is open already. Give it back with `release`. */
  known(path: string): Directory | undefined {
    const known = this.#known.get(path);
    const directory = known?.directory;
    if (known === undefined || directory === undefined || !this.#isFresh(known)) return undefined;
    directory.users++;
    return directory;
  }

  /** The directory, opened if necessary. Give it back with `release`. */
  async take(path: string, open: () => Promise<number>): Promise<Directory> {
    let known = this.#known.get(path);
    if (known === undefined || !this.#isFresh(known)) {
      const opening = opened(path, open);
      known = { opened: opening, directory: undefined, at: this.#clock.monotonic() };
      this.#remember(path, known);
    }
    const directory = await known.opened;
    // It was dropped and closed while this call waited for it.
    if (directory.isOver && directory.users === 0) return this.take(path, open);
    known.directory = directory;
    directory.users++;
    return directory;
  }

  #isFresh({ at }: Known): boolean {
    return this.#clock.monotonic() - at < FRESH;
  }

  #remember(path: string, known: Known): void {
    this.#forget(path);
    this.#known.set(path, known);
    known.opened.catch(() => {
      if (this.#known.get(path) === known) this.#known.delete(path);
    });
    for (const [oldest] of this.#known) {
      if (this.#known.size <= OPEN_MAX) break;
      this.#forget(oldest);
    }
    if (this.#sweep === undefined) this.#sweep = this.#clock.after(2 * FRESH, this.#forgetOld);
  }

  #forget(path: string): void {
    const known = this.#known.get(path);
    if (known === undefined) return;
    this.#known.delete(path);
    void this.#closeOnceOpen(known);
  }

  async #closeOnceOpen({ opened: opening }: Known): Promise<void> {
    const directory = await opening.catch(() => undefined);
    if (directory === undefined) return;
    directory.isOver = true;
    this.#closeUnused(directory);
  }

  readonly #forgetOld = (): void => {
    this.#sweep = undefined;
    const since = this.#clock.monotonic() - FRESH;
    for (const [path, { at }] of this.#known) if (at <= since) this.#forget(path);
    if (this.#known.size > 0) this.#sweep = this.#clock.after(2 * FRESH, this.#forgetOld);
  };

  /** Drops all descriptors: names may lead to other directories now. */
  forgetAll(): void {
    for (const path of this.#known.keys()) this.#forget(path);
  }

  release(directory: Directory): void {
    directory.users--;
    this.#closeUnused(directory);
  }

  /** Closes it in this thread: closing a directory writes nothing, so it does not wait for the file system. */
  #closeUnused({ isOver, users, fd }: Directory): void {
    if (isOver && users === 0) closeSync(fd);
  }
}

async function opened(path: string, open: () => Promise<number>): Promise<Directory> {
  return { path, fd: await open(), users: 0, isOver: false };
}

// fsync of directories: a rename is durable only after it. One sync covers every rename that came before its
// start, so whoever asks while one runs waits for the next, which all of them share.
//
// A sync that fails fails all who asked before its end: Linux reports a failed write once and forgets it, and no
// later sync says whether their name was in it.
//
// No directory stays open: a handle that is kept would go on syncing a directory that has been replaced.

import { constants } from "node:fs";
import { type FileCalls, nodeFileCalls } from "./file-calls.ts";

export class DirectorySyncs {
  readonly #calls: FileCalls;
  readonly #running = new Map<string, Promise<void>>();
  /** Will start when the running one has ended. */
  readonly #waiting = new Map<string, Promise<void>>();

  /** `calls` are for all that give none of their own. */
  constructor(calls = nodeFileCalls) {
    this.#calls = calls;
  }

  /**
   * Resolves when everything that was in the directory at the time of this call is on disk. `calls` are those of the
   * asker, if they are not the same for all.
   */
  sync(path: string, calls: FileCalls = this.#calls): Promise<void> {
    const waiting = this.#waiting.get(path);
    if (waiting !== undefined) return waiting;
    const running = this.#running.get(path);
    if (running === undefined) return this.#start(path, calls);
    const next = running.then(
      () => this.#start(path, calls),
      (error: unknown) => {
        this.#waiting.delete(path);
        throw error;
      },
    );
    this.#waiting.set(path, next);
    return next;
  }

  #start(path: string, calls: FileCalls): Promise<void> {
    this.#waiting.delete(path);
    const round = this.#once(path, calls).finally(() => this.#running.delete(path));
    this.#running.set(path, round);
    return round;
  }

  async #once(path: string, calls: FileCalls): Promise<void> {
    const fd = await calls.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await calls.fsync(fd);
    } finally {
      await calls.close(fd);
    }
  }
}

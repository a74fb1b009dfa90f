// fsync of directories: a rename is durable only after it. One sync covers every rename before its start. A caller that
// asks while a sync runs waits for the next one, which all such callers share.
//
// A failed sync fails for every caller that asked before its end. Linux reports a failed write once and then forgets
// it, so no later sync can tell whether their names were included.
//
// No directory stays open: an open handle would go on syncing a directory that has been replaced.

import { constants } from "node:fs";
import { type FileCalls, nodeFileCalls } from "./file-calls.ts";

export class DirectorySyncs {
  readonly #calls: FileCalls;
  readonly #running = new Map<string, Promise<void>>();
  /** Syncs that start when the running one has ended. */
  readonly #waiting = new Map<string, Promise<void>>();

  /** `calls` are used for every sync that is given none of its own. */
  constructor(calls = nodeFileCalls) {
    this.#calls = calls;
  }

  /**
   * Resolves when everything that was in the directory at the time of this call is on disk. `calls` replace those of
   * the constructor.
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

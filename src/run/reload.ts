// Reload: reads the configuration again and puts it in force while mail goes on.
//
// Invariants: if the new configuration has an error, or its ports cannot be bound, the one in force stays unchanged and
// the errors are reported. Only one reload runs at a time.

import { type Configuration, problemLine } from "../config/configuration.ts";
import { loadConfiguration } from "../config/load.ts";
import { describeError, type Log } from "../observe/log.ts";
import { builtIn } from "../built-in.ts";
import { NeedsRestart } from "./servers.ts";
import type { Reloaded, ReloadRequest } from "./control/protocol.ts";

/** Puts a valid configuration in force. Throws when that fails, and then nothing has changed. */
export type PutInForce = (
  wanted: Configuration,
  request: ReloadRequest,
) => Promise<Extract<Reloaded, { listeners: unknown }>>;

export class Reloading {
  readonly #file: string;
  readonly #putInForce: PutInForce;
  readonly #log: Log;
  #last: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(file: string, putInForce: PutInForce, log: Log) {
    this.#file = file;
    this.#putInForce = putInForce;
    this.#log = log;
  }

  /** Never rejects; the log has the result. */
  reload(request: ReloadRequest = {}): Promise<Reloaded> {
    const reloaded = this.#last.then(() => this.#reload(request));
    this.#last = reloaded;
    return reloaded;
  }

  async #reload(request: ReloadRequest): Promise<Reloaded> {
    const reloaded = await this.#attempt(request);
    if ("problems" in reloaded) this.#log.event("relay.reload_refused", reloaded);
    else this.#log.event("relay.reloaded", { listeners: reloaded.listeners, kept: reloaded.kept });
    return reloaded;
  }

  async #attempt(request: ReloadRequest): Promise<Reloaded> {
    if (this.#stopped) return { problems: ["the relay stops"] };
    try {
      const loaded = await loadConfiguration(this.#file, builtIn);
      if ("unreadable" in loaded) return { problems: [loaded.unreadable] };
      if ("problems" in loaded) return { problems: loaded.problems.map(problemLine) };
      return await this.#putInForce(loaded.configuration, request);
    } catch (error) {
      if (error instanceof NeedsRestart) return { problems: [error.message] };
      return { problems: [`it cannot be put in force: ${describeError(error)}`] };
    }
  }

  /** Resolves when no reload is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#last;
  }
}

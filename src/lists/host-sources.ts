// The sources of hosts of all lists. Lists that name the same source share it. Answers are refreshed on a timer from
// the first `refresh` until `close`.
//
// Invariant: if a source cannot be refreshed, it keeps its last answer and is refreshed again soon.

import type { Clock, Timer } from "../base/clock.ts";
import { Shared } from "../base/shared.ts";
import { describeError } from "../observe/log.ts";
import type { HostLookup, HostServices, HostSource } from "./lookup.ts";
import { sourceKey } from "./lookup.ts";

export interface HostSourcesParts extends HostServices {
  /** Milliseconds between two refreshes, varied by up to a tenth. Default: one hour. */
  readonly refreshInterval?: number | undefined;
}

const HOUR = 3_600_000;
/** After a failure the next refresh comes in the interval divided by this. */
const HURRY = 12;

export class HostSources {
  readonly #services: HostServices;
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #sources = new Shared<HostSource>();
  #timer: Timer | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor({ refreshInterval = HOUR, ...services }: HostSourcesParts) {
    this.#services = services;
    this.#clock = services.clock;
    this.#interval = refreshInterval;
  }

  /** Takes a source. Each `take` must be followed by one `leave`. */
  take(lookup: HostLookup, name: string): HostSource {
    const key = sourceKey(lookup, name);
    return this.#sources.take(key, () => {
      const source = guarded(lookup.open(name, this.#services), key, this.#services);
      if (this.#isStarted) void source.refresh();
      return source;
    });
  }

  leave(lookup: HostLookup, name: string): Promise<void> {
    return this.#sources.leave(sourceKey(lookup, name));
  }

  /**
   * Refreshes all sources now and regularly from now on. Never rejects: a failure is logged, and the last answer
   * stays.
   */
  async refresh(): Promise<void> {
    this.#isStarted = true;
    const fresh = await Promise.all(this.#sources.values().map((source) => source.refresh()));
    if (this.#isClosed) return;
    const wait = fresh.includes(false) ? this.#interval / HURRY : this.#interval;
    this.#timer?.cancel();
    const about = wait * (0.9 + Math.random() * 0.2);
    this.#timer = this.#clock.after(about, () => void this.refresh());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await Promise.all(this.#sources.values().map((source) => source.close()));
  }
}

function guarded(source: HostSource, list: string, { log }: HostServices): HostSource {
  return {
    find: (address) => source.find(address),
    async refresh() {
      try {
        return await source.refresh();
      } catch (cause) {
        const kept = source.describe().entries.length;
        log.event("hosts.failed", { list, error: describeError(cause), kept });
        return false;
      }
    },
    describe: () => source.describe(),
    close: () => source.close(),
  };
}

// The `spf:` lists of the configuration, each domain once. Their answers are refreshed on a timer from the first
// `refresh` until `close`.

import type { Clock, Timer } from "../base/clock.ts";
import { Shared } from "../base/shared.ts";
import { SpfList, type SpfListParts } from "./spf-list.ts";

export interface SpfListsParts extends Omit<SpfListParts, "domain"> {
  /** Milliseconds between two refreshes, give or take a tenth. An hour when not given. */
  readonly refreshInterval?: number | undefined;
}

const HOUR = 3_600_000;
/** After a failure the next refresh comes so much sooner. */
const HURRY = 12;

export class SpfLists {
  readonly #parts: Omit<SpfListParts, "domain">;
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #lists = new Shared<SpfList>();
  #timer: Timer | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor({ refreshInterval = HOUR, ...parts }: SpfListsParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#interval = refreshInterval;
  }

  /** `leave` must follow. */
  take(domain: string): SpfList {
    return this.#lists.take(domain, () => {
      const list = new SpfList({ ...this.#parts, domain });
      if (this.#isStarted) void list.refresh();
      return list;
    });
  }

  leave(domain: string): Promise<void> {
    return this.#lists.leave(domain);
  }

  /** Resolves every list now, and again by and by. Never rejects: failures are logged and leave what was. */
  async refresh(): Promise<void> {
    this.#isStarted = true;
    const fresh = await Promise.all(this.#lists.values().map((list) => list.refresh()));
    if (this.#isClosed) return;
    const wait = fresh.includes(false) ? this.#interval / HURRY : this.#interval;
    this.#timer?.cancel();
    const about = wait * (0.9 + Math.random() * 0.2);
    this.#timer = this.#clock.after(about, () => void this.refresh());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await Promise.all(this.#lists.values().map((list) => list.close()));
  }
}

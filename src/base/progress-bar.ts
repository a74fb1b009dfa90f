// How far a long command is: one line on stderr that is written over, on a terminal only.

import type { Clock } from "./clock.ts";
import { ageText, sizeText } from "./units.ts";

/** Milliseconds between two writes. */
const INTERVAL = 200;
const COLUMNS = 79;
const BAR = 20;

export interface ProgressState {
  readonly messages: number;
  /** Octets that are done. */
  readonly octets: number;
  /** Octets in all; undefined if they are not known. */
  readonly total: number | undefined;
}

export class ProgressBar {
  readonly #stream: Pick<NodeJS.WriteStream, "isTTY" | "write">;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #start: number;
  #next: number;
  #hasLine = false;

  constructor(
    clock: Pick<Clock, "monotonic">,
    stream: Pick<NodeJS.WriteStream, "isTTY" | "write"> = process.stderr,
  ) {
    this.#stream = stream;
    this.#clock = clock;
    this.#start = clock.monotonic();
    this.#next = this.#start + INTERVAL;
  }

  /** Costs next to nothing between two writes. */
  show(state: ProgressState): void {
    if (!this.#stream.isTTY) return;
    const now = this.#clock.monotonic();
    if (now < this.#next) return;
    this.#next = now + INTERVAL;
    this.#stream.write(`\r\u001b[K${progressLine(state, now - this.#start)}`);
    this.#hasLine = true;
  }

  /** Removes the line, so that other text can be printed. */
  clear(): void {
    if (this.#hasLine) this.#stream.write("\r\u001b[K");
    this.#hasLine = false;
  }
}

/** At most 79 columns. `elapsed` is in ms. */
export function progressLine({ messages, octets, total }: ProgressState, elapsed: number): string {
  const seconds = Math.max(elapsed / 1000, 0.001);
  const rate = `${Math.round(messages / seconds)}/s`;
  const count = `${messages} ${messages === 1 ? "message" : "messages"}`;
  const parts = [sizeText(octets), count, rate];
  if (total === undefined || total === 0) return parts.join("  ").slice(0, COLUMNS);
  const share = Math.min(1, octets / total);
  const full = Math.round(share * BAR);
  const bar = `[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${Math.floor(share * 100)}%`;
  const left = share > 0 ? [`${ageText((elapsed * (1 - share)) / share)} left`] : [];
  const done = `${sizeText(octets)} of ${sizeText(total)}`;
  return [bar, done, count, rate, ...left].join("  ").slice(0, COLUMNS);
}

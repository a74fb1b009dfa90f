// Alarms that replies of hosts raise. A thousand messages may get the same reply, so the relay logs each alarm at
// most once an hour.

import type { Clock } from "../base/clock.ts";
import type { MessageId } from "../mail/envelope.ts";
import type { Log } from "../observe/log.ts";

const HOUR = 3_600_000;

export class ReplyAlarms {
  readonly #clock: Clock;
  readonly #log: Log;
  /**
   * When each text was logged, by the monotonic clock. The number of texts is at most the number of rows in the table
   * of replies.
   */
  readonly #raised = new Map<string, number>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Logs the alarm with the first message of the hour. */
  raise(id: MessageId, what: string): void {
    const now = this.#clock.monotonic();
    const before = this.#raised.get(what);
    if (before !== undefined && now < before + HOUR) return;
    this.#raised.set(what, now);
    this.#log.event("alarm", { id, what });
  }
}

// The postmaster's list: once a day, one message about mail that was not delivered and whose sender was not told.
//
// Invariants: an entry is written in the transaction that ends its delivery, and removed in the transaction that puts
// the list into the spool. So a crash neither loses nor repeats it. The relay sends at most one message a day, of
// bounded length, and only if the list has an entry.

import type { Clock, Timer } from "../../base/clock.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { Generation, PartMail, PartMeans } from "../part.ts";
import { DAILY_WHYS, listDraft } from "./letter.ts";
import type { PostmasterList as Listed } from "../../spool/spool.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Milliseconds by which the clock may be behind a stored time, because it is corrected from time to time. */
const CLOCK_ERROR = 300_000;

/** The values of the configuration that the list uses. */
export type ListSettings = Pick<Generation<unknown>, "hostname" | "postmaster">;

type ListMail = Pick<PartMail, "outbox" | "spool" | "wake">;

export class PostmasterList {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #mail: ListMail;
  #settings: ListSettings;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(
    { clock, log }: Pick<PartMeans, "clock" | "log">,
    settings: ListSettings,
    mail: ListMail,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#mail = mail;
    this.#settings = settings;
  }

  /** Uses these settings from now on. */
  follow(settings: ListSettings): void {
    this.#settings = settings;
  }

  /** Checks the list now, and then once an hour. */
  start(): void {
    this.#timer = this.#clock.after(HOUR, () => this.start());
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
  }

  /** Resolves when the check under way has ended. */
  async passed(): Promise<void> {
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Sends the list if it is due. Never rejects: if it fails, the next check is an hour later. */
  async #look(): Promise<void> {
    try {
      const list = await this.#mail.spool.listed(DAILY_WHYS);
      if (isDue(list, this.#clock.now())) await this.#send(list);
    } catch (error) {
      this.#log.event("relay.error", { where: "postmaster's list", error: describeError(error) });
    }
  }

  async #send(list: Listed): Promise<void> {
    const { spool, outbox } = this.#mail;
    const { hostname, postmaster: to } = this.#settings;
    const draft = listDraft({ hostname, to, list });
    const message = await outbox.write(draft, { sender: null, now: this.#clock.now() });
    await spool.sendList(message, list);
    const { id } = message.envelope;
    this.#log.event("postmaster.list_sent", { id, to: to.address, entries: list.entries.length });
    this.#mail.wake();
  }
}

/** Whether the first entry is a day old. If its time lies ahead, the clock was wrong then, and the list is due. */
function isDue({ entries: [first] }: Listed, now: number): boolean {
  if (first === undefined) return false;
  const age = now - first.at;
  return age >= DAY || age < -CLOCK_ERROR;
}

// The postmaster's list: once a day, one message about mail that was not delivered and of which no sender hears.
//
// Invariants: an entry is written in the transaction that ends what it is about, and leaves in the one that takes the
// message with it into the spool: a crash neither loses nor repeats it. There is at most one message a day, of a
// bounded length; without an entry there is none.

import type { Clock, Timer } from "../../base/clock.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { Generation, PartMail, PartMeans } from "../part.ts";
import { listDraft } from "./letter.ts";
import type { PostmasterList as Listed } from "../../spool/spool.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** How far behind a stored time a clock may be that is set right now and then. */
const CLOCK_ERROR = 300_000;

/** Of the configuration in force. */
export type ListSettings = Pick<Generation<unknown>, "hostname" | "postmaster">;

export class PostmasterList {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #mail: PartMail;
  #settings: ListSettings;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(
    { clock, log }: Pick<PartMeans, "clock" | "log">,
    settings: ListSettings,
    mail: PartMail,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#mail = mail;
    this.#settings = settings;
  }

  /** From now on by these. */
  follow(settings: ListSettings): void {
    this.#settings = settings;
  }

  /** Looks now, and then once an hour. */
  start(): void {
    this.#timer = this.#clock.after(HOUR, () => this.start());
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
  }

  /** Resolves when the look that is under way now has ended. */
  async passed(): Promise<void> {
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Never rejects: what is not sent now is sent an hour later. */
  async #look(): Promise<void> {
    try {
      const list = await this.#mail.spool.listed();
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

/** A day after its first entry. A time that lies ahead was stored by a clock that was wrong. */
function isDue({ entries: [first] }: Listed, now: number): boolean {
  if (first === undefined) return false;
  const age = now - first.at;
  return age >= DAY || age < -CLOCK_ERROR;
}

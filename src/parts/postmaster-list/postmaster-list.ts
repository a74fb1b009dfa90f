// The postmaster's list: once a day, one message about mail that was not delivered and of which no sender hears.
//
// Invariants: an entry is written in the transaction that ends what it is about, and leaves in the one that takes the
// message with it into the spool: a crash neither loses nor repeats it. There is at most one message a day, of a
// bounded length; without an entry there is none.

import type { Clock, Timer } from "../../base/clock.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Mailbox } from "../../mail/envelope.ts";
import { firstLocalDomain } from "../../config/first-local-domain.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { listDraft } from "./letter.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Queue } from "../../queue/queue.ts";
import { parseMailbox } from "../../mail/address.ts";
import type { PostmasterList as Listed, Spool } from "../../spool/spool.ts";

export interface PostmasterListServices {
  readonly spool: Pick<Spool, "listed" | "sendList">;
  readonly outbox: Pick<Outbox, "write">;
  readonly queue: Pick<Queue, "wake">;
  readonly clock: Clock;
  readonly log: Log;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** How far behind a stored time a clock may be that is set right now and then. */
const CLOCK_ERROR = 300_000;

/** Where lists for the postmaster go. */
export function postmasterOf(configuration: Configuration): Mailbox {
  const { postmaster, hostname } = configuration.relay;
  const domain = firstLocalDomain(configuration) ?? hostname;
  const mailbox = postmaster ?? parseMailbox(`postmaster@${domain}`);
  if (mailbox === undefined) throw new Error(`postmaster@${domain} is no address`);
  return mailbox;
}

export class PostmasterList {
  readonly #services: PostmasterListServices;
  #configuration: Configuration;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(configuration: Configuration, services: PostmasterListServices) {
    this.#configuration = configuration;
    this.#services = services;
  }

  /** From now on by this configuration. */
  follow(configuration: Configuration): void {
    this.#configuration = configuration;
  }

  /** Looks now, and then once an hour. */
  start(): void {
    this.#timer = this.#services.clock.after(HOUR, () => this.start());
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
    const { spool, clock, log } = this.#services;
    try {
      const list = await spool.listed();
      if (isDue(list, clock.now())) await this.#send(list);
    } catch (error) {
      log.event("relay.error", { where: "postmaster's list", error: describeError(error) });
    }
  }

  async #send(list: Listed): Promise<void> {
    const { spool, outbox, queue, clock, log } = this.#services;
    const { hostname } = this.#configuration.relay;
    const to = postmasterOf(this.#configuration);
    const draft = listDraft({ hostname, to, list });
    const message = await outbox.write(draft, { sender: null, now: clock.now() });
    await spool.sendList(message, list);
    const { id } = message.envelope;
    log.event("postmaster.list_sent", { id, to: to.address, entries: list.entries.length });
    queue.wake();
  }
}

/** A day after its first entry. A time that lies ahead was stored by a clock that was wrong. */
function isDue({ entries: [first] }: Listed, now: number): boolean {
  if (first === undefined) return false;
  const age = now - first.at;
  return age >= DAY || age < -CLOCK_ERROR;
}

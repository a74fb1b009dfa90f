// Whether the sender of a message may be written to: asked when the first report of it is due, and not again.
//
// Invariant: while nobody can say, nothing is bounced: what has failed is tried again. That has an end, so that a sender
// whose DNS never answers holds nothing for ever.

import type { Vouching } from "./vouching.ts";
import type { Settlement, StoredMessage } from "../spool/spool.ts";

export type Standing =
  | { readonly kind: "vouched" | "unvouched" }
  /** Until then the failures of the message are put off. */
  | { readonly kind: "unknown"; readonly until: number };

const FIRST_PAUSE = 900_000;
const PAUSE_FACTOR = 4;
/** 15 minutes, 1, 4 and 16 hours. */
const TRIES_MAX = 4;

export interface StandingServices {
  /** Absent: every sender is written to. */
  readonly vouching?: Pick<Vouching, "of">;
  /** There is no later. */
  readonly decideNow?: boolean;
}

export class SenderStanding {
  readonly #message: StoredMessage;
  readonly #now: number;
  readonly #services: StandingServices;
  #asked: Promise<Standing> | undefined;

  constructor(message: StoredMessage, now: number, services: StandingServices) {
    this.#message = message;
    this.#now = now;
    this.#services = services;
  }

  get(): Promise<Standing> {
    return (this.#asked ??= this.#ask());
  }

  async #ask(): Promise<Standing> {
    const { vouching, decideNow = false } = this.#services;
    const { vouchTries = 0 } = this.#message;
    if (vouching === undefined) return { kind: "vouched" };
    const vouched = await vouching.of(this.#message);
    if (vouched === true) return { kind: "vouched" };
    const isOver = decideNow || vouchTries >= TRIES_MAX;
    if (vouched === false || isOver) return { kind: "unvouched" };
    return { kind: "unknown", until: this.#now + FIRST_PAUSE * PAUSE_FACTOR ** vouchTries };
  }

  /** What the spool is to keep of it. */
  async toStore(): Promise<Pick<Settlement, "vouched" | "vouchTries">> {
    if (this.#asked === undefined || this.#services.vouching === undefined) return {};
    const { kind } = await this.#asked;
    return kind === "unknown" ? {} : { vouched: kind === "vouched" };
  }

  /** The same, when failures are put off because of it. */
  get oneMoreTry(): Pick<Settlement, "vouchTries"> {
    return { vouchTries: (this.#message.vouchTries ?? 0) + 1 };
  }
}

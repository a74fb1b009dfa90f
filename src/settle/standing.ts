// Whether the relay may send reports to the sender of a message. It is decided when the first report is due, and only
// once.
//
// Invariant: while the answer is unknown, nothing bounces: failed mail waits and is tried again. After a limited
// number of tries the sender counts as not vouched for, so that a domain whose DNS never answers holds no mail for
// ever.

import type { Vouching } from "./vouching.ts";
import type { Settlement, StoredMessage } from "../spool/spool.ts";

export type Standing =
  | { readonly kind: "vouched" | "unvouched" }
  /** `until`: the time until which failures of the message are put off. */
  | { readonly kind: "unknown"; readonly until: number };

const FIRST_PAUSE = 900_000;
const PAUSE_FACTOR = 4;
/** The tries: after 15 minutes, 1, 4 and 16 hours. */
const TRIES_MAX = 4;

export interface StandingServices {
  /** Absent: every sender gets reports. */
  readonly vouching?: Pick<Vouching, "of">;
  /** The decision cannot be put off: an unknown sender counts as not vouched for. */
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

  /** The fields of the settlement that store the answer. */
  async toStore(): Promise<Pick<Settlement, "vouched" | "vouchTries">> {
    if (this.#asked === undefined || this.#services.vouching === undefined) return {};
    const { kind } = await this.#asked;
    return kind === "unknown" ? {} : { vouched: kind === "vouched" };
  }

  /** The field of the settlement if failures are put off: one more try. */
  get oneMoreTry(): Pick<Settlement, "vouchTries"> {
    return { vouchTries: (this.#message.vouchTries ?? 0) + 1 };
  }
}

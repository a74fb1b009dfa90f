// Domains and transports on hold: the relay accepts and copies mail for them, and delivers it when they are released.
//
// Invariants:
// - The hold of a domain is stored in the spool before it takes effect, and survives a restart. Transports are put on
//   hold by a part, which stores that itself.
// - Waiting on hold does not count as an attempt. After any time on hold, mail still has all its retries.
// - The hold of a rehearsal is for the mail of its account only. What a host refuses of that mail counts as delivered: it
//   neither bounces nor is on a list.

import type { Outcome, Transport } from "../contract/contract.ts";
import type { Spool, WithheldKey } from "../spool/spool.ts";
import type { Mailbox } from "../mail/envelope.ts";
import { status } from "../mail/status.ts";
import { Rehearsal } from "../route/rehearsal.ts";

/** Milliseconds after which a recipient on hold is looked at again without a release. */
const LOOK_AGAIN = 86_400_000;
/** Recipients in one transaction, so that a commit of mail that arrives meanwhile waits no longer than for that. */
const RELEASED_AT_ONCE = 1000;

export type HoldStore = Pick<Spool, "hold" | "release" | "releaseWithheld">;

/** Transports on hold. Only their mail waits; copies go on. */
export interface HeldTransports {
  readonly names: ReadonlySet<string>;
  /** "all": new mail waits too. "waiting": only mail that waits already, until the spool releases it. */
  readonly mail: "all" | "waiting";
  /** The reason, for the postmaster. */
  readonly why: string;
  /** Asked in place of these transports. Mail that it does not deliver waits. */
  readonly instead?: Transport;
}

/** A delivery that may be on hold. */
export interface Holdable {
  readonly domain: string;
  /** "" if the chain led to no transport. */
  readonly transport: string;
  /** The mail waits for the release of a transport. */
  readonly waits: boolean;
  /** The address of the mail. Absent: it is not the account of a rehearsal. */
  readonly mailbox?: Mailbox;
}

const NO_TRANSPORTS: HeldTransports = { names: new Set(), mail: "all", why: "" };

export class Holds {
  readonly #domains: Set<string>;
  readonly #store: HoldStore;
  readonly #rehearsal: Pick<Rehearsal, "isOf" | "isUnderWay">;
  #transports = NO_TRANSPORTS;
  #rehearsed = NO_TRANSPORTS;

  /** `known` are domains that the store holds already. */
  constructor(
    known: Iterable<string>,
    store: HoldStore,
    rehearsal: Pick<Rehearsal, "isOf" | "isUnderWay"> = new Rehearsal(),
  ) {
    this.#domains = new Set(known);
    this.#store = store;
    this.#rehearsal = rehearsal;
  }

  /** Whether nothing is on hold. */
  get isEmpty(): boolean {
    const held = this.#domains.size + this.#transports.names.size;
    return held === 0 && !this.#rehearsal.isUnderWay;
  }

  /** Puts these transports on hold, and no others. Undefined: none. Attempts that are under way go on. */
  holdTransports(held: HeldTransports = NO_TRANSPORTS): void {
    this.#transports = held;
  }

  /** Like {@link holdTransports}, but only for the mail of the rehearsal's account. */
  rehearse(held: HeldTransports = NO_TRANSPORTS): void {
    this.#rehearsed = held;
  }

  /** Whether the transport is on hold, if only for mail that waits already, or for the mail of a rehearsal. */
  isHeld(transport: string): boolean {
    return this.#transports.names.has(transport) || this.#rehearsed.names.has(transport);
  }

  /** Whether this mail must go by way of the queue: its transport is on hold, or it is the mail of a rehearsal. */
  isQueued(transport: string, mailbox: Mailbox): boolean {
    return this.#transports.names.has(transport) || this.#rehearsal.isOf(mailbox);
  }

  /** The transport that is asked in place of this one. */
  insteadOf(transport: string): Transport | undefined {
    const { names, instead } = this.#transports;
    return names.has(transport) ? instead : undefined;
  }

  /** The outcome of a delivery; undefined if it is not on hold. */
  outcomeFor({ domain, transport, waits, mailbox }: Holdable, now: number): Outcome | undefined {
    if (this.#domains.has(domain)) {
      const heldDomain = { heldDomain: domain };
      return { ...waiting(`mail for ${domain} is on hold`, now), ...heldDomain };
    }
    const isRehearsed = mailbox !== undefined && this.#rehearsal.isOf(mailbox);
    const all = isRehearsed ? [this.#transports, this.#rehearsed] : [this.#transports];
    const holding = all.some(
      ({ names, mail, instead }) =>
        instead === undefined && names.has(transport) && (mail === "all" || waits),
    );
    return holding ? this.transportOutcome(transport, now) : undefined;
  }

  /** The outcome that counts of what a host has said about the mail. */
  countedOutcome(mailbox: Mailbox, outcome: Outcome): Outcome {
    if (outcome.kind !== "failed" || !this.#rehearsal.isOf(mailbox)) return outcome;
    const { code, enhanced, text } = outcome.status;
    const answer = `rehearsed: the host has answered ${code} ${enhanced} ${text}`;
    return { ...outcome, kind: "delivered", status: status(250, "0.0", answer) };
  }

  /** The outcome of mail that waits for the release of the transport. */
  transportOutcome(transport: string, now: number): Outcome {
    const { names, why } = this.#transports;
    const reason = names.has(transport) ? why : this.#rehearsed.why;
    return { ...waiting(`${reason}: mail by ${transport} waits`, now), heldTransport: transport };
  }

  /** Puts the domain on hold. Attempts that are under way go on. */
  async hold(domain: string): Promise<void> {
    await this.#store.hold(domain);
    this.#domains.add(domain);
  }

  /** Makes all recipients that were on hold due. Resolves to their number. */
  async release(domain: string): Promise<number> {
    this.#domains.delete(domain);
    let released = 0;
    for (let some = RELEASED_AT_ONCE; some === RELEASED_AT_ONCE; released += some) {
      some = await this.#store.release(domain, RELEASED_AT_ONCE);
    }
    return released;
  }

  /**
   * Notes that a recipient in the spool waits for the release of `domain`. If the hold has ended meanwhile, releases
   * such recipients. True if there were any.
   */
  async awaited(domain: string): Promise<boolean> {
    if (this.#domains.has(domain)) return false;
    return (await this.release(domain)) > 0;
  }

  /**
   * Notes that recipients in the spool wait for the release of these transports. If the hold has ended meanwhile,
   * releases them. True if there were any.
   */
  async awaitedTransports(
    all: readonly { readonly recipient: WithheldKey; readonly transport: string }[],
  ): Promise<boolean> {
    const released = all.filter(({ transport }) => !this.isHeld(transport));
    if (released.length > 0)
      await this.#store.releaseWithheld(released.map(({ recipient }) => recipient));
    return released.length > 0;
  }
}

function waiting(why: string, now: number) {
  return {
    kind: "deferred",
    status: status(451, "3.2", why),
    scope: "recipient",
    notBefore: now + LOOK_AGAIN,
    untried: true,
  } as const;
}

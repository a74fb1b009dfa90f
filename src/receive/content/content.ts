// All that is asked of the content of one message while it goes by: its header section, its proofs, its results.
//
// Invariant: what may be kept of it is what came, less the fields that must not go on, and with an empty line in front
// where our header would run into it; what is judged is what came, behind that empty line. What stands there is body to
// everybody: no proof, no hop, no results and no signature.

import { Examination } from "../authentication/authentication.ts";
import type { Evaluation, Inbound } from "../authentication/inbound.ts";
import type { Client, Mailbox } from "../../mail/envelope.ts";
import type { Clock } from "../../base/clock.ts";
import type { Resolver } from "../../dns/dns.ts";
import type { Proof, Secret } from "../gate/gate.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { judgeHeader, judgeProofs } from "./verdict.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { LoopShare } from "../../base/loop-share.ts";
import { LOCAL_ERROR, status, type Status } from "../../mail/status.ts";
import { FirstLine } from "./first-line.ts";
import type { HeaderBudgets } from "../authentication/header-budget.ts";
import { HeaderWatch } from "./header-watch.ts";

export interface Inspected {
  readonly client: Client;
  readonly sender: Mailbox | null;
  /** Without one of them the message is refused. */
  readonly proofs: readonly Proof[];
  /** Without one of them it is not relayed. */
  readonly claims: readonly Proof[];
  readonly secrets: readonly Secret[];
  /** It is for a domain of ours. */
  readonly isLocal: boolean;
  /** The client is a host of a relay rule. */
  readonly isRelayed: boolean;
}

export interface InspectionServices {
  readonly receivedHeadersMax: number;
  readonly resolver: Resolver;
  /** Of all examinations. */
  readonly share: LoopShare;
  readonly headerBudgets: HeaderBudgets;
  /** Absent when strangers' mail is not to be authenticated. */
  readonly inbound?: Inbound | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const CROWDED_OUT = status(452, "3.1", "Too many long header sections at once, try again later");

export interface Judgement {
  readonly refusal?: Status;
  /** All claims were shown. */
  readonly shown?: boolean;
  readonly evaluation?: Evaluation;
}

export class Inspection {
  readonly #services: InspectionServices;
  readonly #header: HeaderWatch;
  readonly #firstLine = new FirstLine();
  /** Of what is kept: a field that is taken out leaves another line at the front. */
  readonly #firstKept = new FirstLine();
  readonly #claims: ReadonlySet<Proof>;
  /** Absent when nobody asks what signatures are worth. */
  #examination: Examination | undefined;
  readonly #evaluate: ReturnType<Inbound["begin"]> | undefined;

  constructor(inspected: Inspected, services: InspectionServices) {
    const { client, sender, secrets, isLocal, isRelayed } = inspected;
    const proofs = [...inspected.proofs, ...inspected.claims];
    const inbound = isLocal ? services.inbound : undefined;
    this.#services = services;
    this.#claims = new Set(inspected.claims.filter((claim) => !inspected.proofs.includes(claim)));
    this.#header = new HeaderWatch(proofs, secrets, inbound?.hostname);
    this.#evaluate = isRelayed ? undefined : inbound?.begin(client, sender);
    const isSigned = proofs.some(({ dkim }) => dkim !== undefined);
    const { strangers, relayHosts } = services.headerBudgets;
    if (isSigned || this.#evaluate !== undefined) {
      const budget = this.#evaluate === undefined ? relayHosts : strangers;
      this.#examination = new Examination(services, budget);
    }
  }

  /** It may go out before its end: nothing is left to be proven, and no results will stand above it. */
  get mayGo(): boolean {
    const { done, unproven } = this.#header;
    const isOpen = (proof: Proof) => !this.#claims.has(proof) || proof.dkim !== undefined || !done;
    return !this.#hasResults && !unproven.values().some(isOpen);
  }

  get #isProven(): boolean {
    return this.#header.unproven.size === 0;
  }

  get #hasResults(): boolean {
    return this.#evaluate !== undefined;
  }

  /** What is to be read now: the next bytes, an empty line in front of the first where one has to be. */
  begin(piece: Buffer): Buffer | undefined {
    return this.#firstLine.pass(piece);
  }

  /** The bytes that may be kept now. `piece` comes from `begin`. */
  pass(piece: Buffer): Buffer | undefined {
    const passed = this.#header.pass(piece);
    return passed && this.#firstKept.pass(passed);
  }

  /** To be called behind `pass`, with the same. Never throws. A promise asks to wait. */
  examine(piece: Buffer): MaybePromise<void> {
    if (this.#hasResults || !this.#header.done || !this.#isProven) {
      return this.#examination?.write(piece);
    }
    // A header was the proof.
    this.abort();
    return undefined;
  }

  /** The bytes that were still held back when the message ended. */
  end(): Buffer | undefined {
    const text = this.#firstLine.end();
    // Text behind an empty line has no signature that would be waited for.
    if (text !== undefined) void this.examine(text);
    const passed = text === undefined ? this.#header.end() : this.#header.pass(text);
    const begun = passed && this.#firstKept.pass(passed);
    const rest = this.#firstKept.end();
    return begun ?? rest;
  }

  /** Never throws: what cannot be judged is put off where it had to bring proof, and else let pass. */
  async judge(): Promise<Judgement> {
    const refusal = judgeHeader(this.#header, this.#services.receivedHeadersMax);
    if (refusal !== undefined) return { refusal };
    try {
      const examination = this.#examination;
      if (examination?.isCrowdedOut === true) return { refusal: CROWDED_OUT };
      const examine = examination && (() => examination.finish());
      const { unproven } = this.#header;
      const unshown = this.#claims.intersection(unproven);
      const denied = await judgeProofs(unproven.difference(unshown), examine);
      if (denied !== undefined) return { refusal: denied };
      const doubted = await judgeProofs(unshown, examine);
      // What the DNS did not say is neither a yes nor a no.
      if (doubted !== undefined && doubted.code < 500) return { refusal: doubted };
      const shown = doubted === undefined;
      const evaluation =
        examination && this.#evaluate && (await this.#evaluate(await examination.finish()));
      if (evaluation === undefined) return { shown };
      const rejected = evaluation.refusal;
      return { shown, evaluation, ...(rejected === undefined ? {} : { refusal: rejected }) };
    } catch (error) {
      const where = "mail authentication";
      this.#services.log.event("relay.error", { where, error: describeError(error) });
      return this.#isProven ? {} : { refusal: LOCAL_ERROR };
    } finally {
      this.abort();
    }
  }

  abort(): void {
    this.#examination?.abort();
    this.#examination = undefined;
  }
}

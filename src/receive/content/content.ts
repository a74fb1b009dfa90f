// All that is asked of the content of one message while it goes by: its header section, its proofs, its results.
//
// Invariant: what may be kept of it is what came, less the fields that must not go on, and with an empty line in front
// where our header would run into it; what is judged is what came, behind that empty line. What stands there is body to
// everybody: no proof, no hop, no results and no signature.

import { given } from "../../base/given.ts";
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
import type { HeaderBudgets } from "../header/header-budget.ts";
import { HeaderReader } from "../header/header.ts";
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
  readonly #header: HeaderReader;
  readonly #watch: HeaderWatch;
  readonly #firstLine = new FirstLine();
  /** Of what is kept: a field that is taken out leaves another line at the front. */
  readonly #firstKept = new FirstLine();
  readonly #claims: ReadonlySet<Proof>;
  /** Absent when nobody asks what signatures are worth. */
  #examination: Examination | undefined;
  readonly #evaluate: ReturnType<Inbound["begin"]> | undefined;
  #ready: MaybePromise<void> = undefined;

  constructor(inspected: Inspected, services: InspectionServices) {
    const { client, sender, secrets, isLocal, isRelayed } = inspected;
    const proofs = [...inspected.proofs, ...inspected.claims];
    const inbound = isLocal ? services.inbound : undefined;
    this.#services = services;
    this.#claims = new Set(inspected.claims.filter((claim) => !inspected.proofs.includes(claim)));
    this.#evaluate = isRelayed ? undefined : inbound?.begin(client, sender);
    const isSigned = proofs.some(({ dkim }) => dkim !== undefined);
    if (isSigned || this.#evaluate !== undefined) this.#examination = new Examination(services);
    const { strangers, relayHosts } = services.headerBudgets;
    const budget = this.#evaluate === undefined ? relayHosts : strangers;
    this.#header = new HeaderReader(this.#examination && budget);
    this.#watch = new HeaderWatch(this.#header, proofs, secrets, inbound?.hostname);
  }

  /** It may go out before its end: nothing is left to be proven, and no results will stand above it. */
  get mayGo(): boolean {
    const { done, unproven } = this.#watch;
    const isOpen = (proof: Proof) => !this.#claims.has(proof) || proof.dkim !== undefined || !done;
    return !this.#hasResults && !unproven.values().some(isOpen);
  }

  get #isProven(): boolean {
    return this.#watch.unproven.size === 0;
  }

  get #hasResults(): boolean {
    return this.#evaluate !== undefined;
  }

  /** Asks to wait before the next piece. Never rejects. */
  get ready(): MaybePromise<void> {
    return this.#ready;
  }

  /** Looks at the next bytes, and gives those that may be kept now. */
  pass(piece: Buffer): Buffer | undefined {
    this.#ready = undefined;
    const begun = this.#firstLine.pass(piece);
    return begun && this.#read(begun);
  }

  #read(piece: Buffer): Buffer | undefined {
    const body = this.#header.read(piece);
    const passed = this.#watch.pass(piece);
    this.#examineHeader();
    this.#ready = body.length === 0 ? undefined : this.#examination?.body(body);
    return passed && this.#firstKept.pass(passed);
  }

  /** Once, when the header section is over and its proofs are known. */
  #examineHeader(): void {
    const { section } = this.#header;
    if (section === undefined) return;
    // A header was the proof.
    if (this.#isProven && !this.#hasResults) this.abort();
    this.#examination?.header(section);
    this.#header.release();
  }

  /** The bytes that were still held back when the message ended. */
  end(): Buffer | undefined {
    const text = this.#firstLine.end();
    const begun = text && this.#read(text);
    const passed = this.#watch.end();
    this.#header.end();
    this.#examineHeader();
    const last = passed && this.#firstKept.pass(passed);
    return begun ?? last ?? this.#firstKept.end();
  }

  /** Never throws: what cannot be judged is put off where it had to bring proof, and else let pass. */
  async judge(): Promise<Judgement> {
    const refusal = judgeHeader(this.#watch, this.#header, this.#services.receivedHeadersMax);
    if (refusal !== undefined) return { refusal };
    try {
      const examination = this.#examination;
      if (examination?.isCrowdedOut === true) return { refusal: CROWDED_OUT };
      const examine = examination && (() => examination.finish());
      const { unproven } = this.#watch;
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
      return { shown, evaluation, ...given({ refusal: rejected }) };
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
    this.#header.release();
  }
}

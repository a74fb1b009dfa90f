// The content of one message while it comes in: the octets that are kept, and the findings of the scanners.
//
// Invariants:
// - The kept octets are those that came, without fields that must not go on. If our header field would run into the
//   message, an empty line is put in front.
// - The scanners judge the message as it came, after that empty line if there is one. After an empty line in front
//   all scanners see body only: no proof, hop, results or signature.
//
// Doors: built-in.ts, inspected.ts, scans.ts.

import type { MaybePromise } from "../../base/maybe-promise.ts";
import type { Scanner } from "../../contract/scanner.ts";
import type { HeaderBudgets } from "../header/header-budget.ts";
import { HEADER_TOO_BIG, HeaderReader } from "../header/header.ts";
import { FieldFilter } from "./field-filter.ts";
import { FirstLine } from "./first-line.ts";
import type { Inspected } from "./inspected.ts";
import { beginScans, type Judgement, type Scans, type ScanServices } from "./scans.ts";

export interface InspectionServices extends ScanServices {
  /** The first one that refuses decides. */
  readonly scanners: readonly Scanner<Inspected>[];
  readonly headerBudgets: HeaderBudgets;
}

export class Inspection {
  readonly #scans: Scans;
  readonly #header: HeaderReader;
  readonly #filter: FieldFilter;
  readonly #firstLine = new FirstLine();
  /** The first line of the kept octets: if the first field is taken out, another line is in front. */
  readonly #firstKept = new FirstLine();
  #ready: MaybePromise<void> = undefined;

  constructor(message: Inspected, services: InspectionServices) {
    const { strangers, relayHosts } = services.headerBudgets;
    const budget = isStrangers(message) ? strangers : relayHosts;
    this.#scans = beginScans(services.scanners, message, services);
    this.#header = new HeaderReader(this.#scans.readsHeader ? budget : undefined);
    this.#filter = new FieldFilter(this.#header, this.#scans.unwanted);
  }

  /** Whether the message may begin to go out before its end. */
  get mayGo(): boolean {
    return this.#scans.mayGo;
  }

  /** If it is a promise, the next piece must wait for it. Never rejects. */
  get ready(): MaybePromise<void> {
    return this.#ready;
  }

  /** Reads the next octets, and returns those that may be kept now. */
  pass(piece: Buffer): Buffer | undefined {
    this.#ready = undefined;
    const begun = this.#firstLine.pass(piece);
    return begun && this.#read(begun);
  }

  #read(piece: Buffer): Buffer | undefined {
    const body = this.#header.read(piece);
    const passed = this.#filter.pass(piece);
    this.#scanHeader();
    if (body.length > 0) this.#ready = this.#scans.body(body);
    return passed && this.#firstKept.pass(passed);
  }

  /** Gives the section to the scans, once, when it is complete and the filter has seen its fields. */
  #scanHeader(): void {
    const { section } = this.#header;
    if (section === undefined) return;
    this.#scans.header(section);
    this.#header.release();
  }

  /** Returns the octets that were still held back when the message ended. */
  end(): Buffer | undefined {
    const text = this.#firstLine.end();
    const begun = text && this.#read(text);
    const passed = this.#filter.end();
    this.#header.end();
    this.#scanHeader();
    const last = passed && this.#firstKept.pass(passed);
    return begun ?? last ?? this.#firstKept.end();
  }

  /** The findings of all scans; called after `end`. Never rejects. */
  judge(): MaybePromise<Judgement> {
    if (this.#filter.tooLong) {
      this.release();
      return { refusal: HEADER_TOO_BIG, fields: "", unknown: [] };
    }
    // The scans may have got their last octets in `end`.
    return this.#ready instanceof Promise
      ? this.#ready.then(() => this.#scans.judge())
      : this.#scans.judge();
  }

  /** Releases the section and the scans. */
  release(): void {
    this.#header.release();
    this.#scans.release();
  }
}

/**
 * Whether the message competes with strangers' for memory. If a relay rule asks it for a proof, it does not, whatever
 * the address of its client is: the rule may ask for a certificate.
 */
function isStrangers({ isRelayed, isLocal, proofs, claims }: Inspected): boolean {
  return isLocal && !isRelayed && proofs.length + claims.length === 0;
}

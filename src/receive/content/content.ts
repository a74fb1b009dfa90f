// The content of one message while it goes by: what of it may be kept, and what the scanners find in it.
//
// Invariant: what may be kept of it is what came, less the fields that must not go on, and with an empty line in front
// where our header would run into it; what is judged is what came, behind that empty line. What stands there is body to
// everybody: no proof, no hop, no results and no signature.
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
  /** In the order in which their refusals count. */
  readonly scanners: readonly Scanner<Inspected>[];
  readonly headerBudgets: HeaderBudgets;
}

export class Inspection {
  readonly #scans: Scans;
  readonly #header: HeaderReader;
  readonly #filter: FieldFilter;
  readonly #firstLine = new FirstLine();
  /** Of what is kept: a field that is taken out leaves another line at the front. */
  readonly #firstKept = new FirstLine();
  #ready: MaybePromise<void> = undefined;

  constructor(message: Inspected, services: InspectionServices) {
    const { strangers, relayHosts } = services.headerBudgets;
    // Mail for others comes by a relay rule, whoever the client is.
    const budget = message.isRelayed || !message.isLocal ? relayHosts : strangers;
    this.#scans = beginScans(services.scanners, message, services);
    this.#header = new HeaderReader(this.#scans.readsHeader ? budget : undefined);
    this.#filter = new FieldFilter(this.#header, this.#scans.unwanted);
  }

  /** The message may begin to go out before its end. */
  get mayGo(): boolean {
    return this.#scans.mayGo;
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
    const passed = this.#filter.pass(piece);
    this.#scanHeader();
    if (body.length > 0) this.#ready = this.#scans.body(body);
    return passed && this.#firstKept.pass(passed);
  }

  /** Once, when the header section is over and the filter has seen its fields. */
  #scanHeader(): void {
    const { section } = this.#header;
    if (section === undefined) return;
    this.#scans.header(section);
    this.#header.release();
  }

  /** The bytes that were still held back when the message ended. */
  end(): Buffer | undefined {
    const text = this.#firstLine.end();
    const begun = text && this.#read(text);
    const passed = this.#filter.end();
    this.#header.end();
    this.#scanHeader();
    const last = passed && this.#firstKept.pass(passed);
    return begun ?? last ?? this.#firstKept.end();
  }

  /** Behind `end`. Never rejects. */
  judge(): MaybePromise<Judgement> {
    if (!this.#filter.tooLong) return this.#scans.judge();
    this.release();
    return { refusal: HEADER_TOO_BIG, fields: "", unknown: [] };
  }

  /** Nothing more is wanted. */
  release(): void {
    this.#header.release();
    this.#scans.release();
  }
}

// The header section of a message that comes in, read once for all that look at it: how many hops are in it, where it
// ends, its fields. What is behind it is body to everybody.
//
// Invariants: the section ends at the first empty line, in whatever pieces the message comes. Octets of it are held only
// where a budget is given, within that budget, and until they are released.
//
// Doors: header-budget.ts.

import { GrowingBuffer } from "../../base/growing-buffer.ts";
import { type Field, parseHeaderFields } from "../../mail/header-fields.ts";
import type { HeaderAccount, HeaderBudget } from "./header-budget.ts";
import { status } from "../../mail/status.ts";
import { HeaderLines } from "./header-lines.ts";

/** Octets. A header section longer than this makes the message unfit: it is not read to its end. */
const HEADER_MAX = 1024 * 1024;

/** The reply to such a message. */
export const HEADER_TOO_BIG = status(552, "3.4", "The header section is too big");

/** Why the octets of a header section are not there to be looked at. */
export type Unheld = "unwanted" | "too-long" | "crowded-out";

/** A header section that is over. It is released soon: what is wanted of it for longer must be copied. */
export interface HeaderSection {
  /** Received fields, ours not among them. */
  readonly hops: number;
  readonly held: HeldSection | Unheld;
}

export interface HeldSection {
  /** Without the empty line. */
  readonly bytes: Buffer;
  /** In their order. Undefined when there are too many to be looked at. */
  readonly fields: readonly Field[] | undefined;
}

export class HeaderReader {
  /** The section is longer than any honest one. */
  isTooLong = false;
  /** Set as soon as the section is over, and until it is released. */
  section: HeaderSection | undefined;
  #isOver = false;
  readonly #lines = new HeaderLines();
  readonly #sectionMax: number;
  readonly #account: HeaderAccount | undefined;
  #held: GrowingBuffer | Unheld = "unwanted";

  /** Without a budget nothing is held. */
  constructor(budget?: HeaderBudget) {
    this.#sectionMax = budget?.sectionMax ?? 0;
    this.#account = budget?.account();
    if (budget !== undefined) this.#held = new GrowingBuffer(budget.sectionMax);
  }

  get hops(): number {
    return this.#lines.hops;
  }

  /** Octets up to the empty line, as soon as that is there. */
  get length(): number | undefined {
    return this.#lines.sectionLength;
  }

  /** Gives what of the piece is behind the section and its empty line. */
  read(piece: Buffer): Buffer {
    if (this.#isOver) return piece;
    const before = this.#lines.length;
    this.#lines.read(piece);
    const { sectionLength, length } = this.#lines;
    const from = length - before;
    this.#hold(piece.subarray(0, from), sectionLength ?? length);
    this.isTooLong = (sectionLength ?? length) > HEADER_MAX;
    if (this.isTooLong || sectionLength !== undefined) this.#end(sectionLength);
    return piece.subarray(from);
  }

  /** The message is over: what has come of it is its header section. */
  end(): void {
    if (!this.#isOver) this.#end();
  }

  /** Nobody looks at the section any more, or ever will. */
  release(): void {
    this.#letGo("unwanted");
    this.section = undefined;
  }

  #hold(bytes: Buffer, length: number): void {
    if (!(this.#held instanceof GrowingBuffer)) return;
    if (length > this.#sectionMax) return this.#letGo("too-long");
    this.#held.append(bytes);
    if (this.#account?.set(this.#held.capacity) === false) this.#letGo("crowded-out");
  }

  #letGo(why: Unheld): void {
    this.#held = why;
    this.#account?.set(0);
  }

  #end(length?: number): void {
    this.#isOver = true;
    const { hops } = this.#lines;
    if (!(this.#held instanceof GrowingBuffer)) {
      this.section = { hops, held: this.#held };
      return;
    }
    const bytes = this.#held.take().subarray(0, length);
    this.section = { hops, held: { bytes, fields: parseHeaderFields(bytes) } };
  }
}

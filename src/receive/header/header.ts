// The header section of a message that comes in, read once for all scanners: its hops, its end, its fields. All
// scanners treat the rest as body.
//
// Invariants:
// - The section ends at the first empty line, whatever the pieces of the message are.
// - Octets of it are held only with a budget, within that budget, and until they are released.
//
// Doors: header-budget.ts.

import { GrowingBuffer } from "../../base/growing-buffer.ts";
import { type Field, parseHeaderFields } from "../../mail/header-fields.ts";
import type { HeaderAccount, HeaderBudget } from "./header-budget.ts";
import { status } from "../../mail/status.ts";
import { HeaderLines } from "./header-lines.ts";

/**
 * Octets of the longest header section that is accepted. A longer one makes the message invalid, and is not read to
 * its end.
 */
const HEADER_MAX = 1024 * 1024;

/** The reply to such a message. */
export const HEADER_TOO_BIG = status(552, "3.4", "The header section is too big");

/** The reason why the octets of a header section are not held. */
export type Unheld = "unwanted" | "too-long" | "crowded-out";

/** A complete header section. It is released soon, so a scanner copies what it needs for longer. */
export interface HeaderSection {
  /** Number of Received fields, without our own. */
  readonly hops: number;
  readonly held: HeldSection | Unheld;
}

export interface HeldSection {
  /** The octets of the section without the empty line. */
  readonly bytes: Buffer;
  /** The fields in their order. Undefined if they are too many to be examined. */
  readonly fields: readonly Field[] | undefined;
}

export class HeaderReader {
  /** Whether the section is longer than HEADER_MAX. */
  isTooLong = false;
  /** Set as soon as the section is complete, until it is released. */
  section: HeaderSection | undefined;
  #isOver = false;
  readonly #lines = new HeaderLines();
  readonly #sectionMax: number;
  readonly #account: HeaderAccount | undefined;
  #held: GrowingBuffer | Unheld = "unwanted";

  /** Without a budget no octets are held. */
  constructor(budget?: HeaderBudget) {
    this.#sectionMax = budget?.sectionMax ?? 0;
    this.#account = budget?.account();
    if (budget !== undefined) this.#held = new GrowingBuffer(budget.sectionMax);
  }

  get hops(): number {
    return this.#lines.hops;
  }

  /** Octets before the empty line; undefined until it has come. */
  get length(): number | undefined {
    return this.#lines.sectionLength;
  }

  /** Reads a piece. Returns the part of it after the section and its empty line. */
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

  /** The message has ended: all of it is header section. */
  end(): void {
    if (!this.#isOver) this.#end();
  }

  /** Releases the section: it is not needed any more. */
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

// Removes fields that must not go on while the header section of a message streams in: secrets of proofs, and results
// in our name. It holds back only a field that may have to be removed, until that field ends. So a long header
// section needs no memory here.
//
// Invariant: only fields that a scan does not want are removed; every other octet stays as it came.

import type { UnwantedFields } from "../../contract/scanner.ts";
import { endOfField } from "../../mail/header-fields.ts";
import type { HeaderReader } from "../header/header.ts";
import { UnwantedNames } from "./unwanted-names.ts";

/** Octets of the longest field that can be removed. A longer one makes the message invalid; honest ones are shorter. */
const FIELD_MAX = 32 * 1024;

const EMPTY = Buffer.alloc(0);
const LF = 10;

export class FieldFilter {
  #isFieldTooLong = false;
  /** The beginning of a field that may have to be removed. */
  #held: Buffer = EMPTY;
  /** Octets that came before the held ones. */
  #passed = 0;
  /** Whether the octets that passed end in the middle of a line: then no field can begin before the next line. */
  #isInLine = false;
  #done = false;
  readonly #header: HeaderReader;
  readonly #fields: readonly UnwantedFields[];
  /** Undefined if no field may have to be removed. */
  readonly #unwanted: UnwantedNames | undefined;

  /** `header` must have read each piece before it passes here. */
  constructor(header: HeaderReader, fields: readonly UnwantedFields[]) {
    this.#header = header;
    this.#fields = fields;
    const names = fields.flatMap((unwanted) => unwanted.names);
    if (names.length > 0) this.#unwanted = new UnwantedNames(names);
  }

  /** Whether the header section, or a field in it, is too long: then no more of the message is kept. */
  get tooLong(): boolean {
    return this.#isFieldTooLong || this.#header.isTooLong;
  }

  /** Returns the octets that may go on now. */
  pass(piece: Buffer): Buffer | undefined {
    if (this.#done) return piece;
    if (this.tooLong) return this.#giveUp();
    const { length } = this.#header;
    this.#done = length !== undefined;
    if (this.#unwanted === undefined) return piece;
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const end = length === undefined ? bytes.length : length - this.#passed;
    return this.#clean(bytes, end, this.#unwanted);
  }

  /** Returns the octets that were still held back when the message ended. */
  end(): Buffer | undefined {
    const held = this.#held;
    if (this.#done || this.tooLong || held.length === 0 || this.#unwanted === undefined)
      return undefined;
    this.#done = true;
    return this.#clean(held, held.length, this.#unwanted);
  }

  #giveUp(): undefined {
    this.#isFieldTooLong = true;
    this.#held = EMPTY;
  }

  /** Returns `bytes` without the unwanted fields. Octets up to `end` belong to the header section. */
  #clean(bytes: Buffer, end: number, unwanted: UnwantedNames): Buffer | undefined {
    const section = bytes.toString("latin1", 0, end);
    const kept: Buffer[] = [];
    let from = 0;
    for (const start of unwanted.starts(section, this.#isInLine)) {
      const fieldEnd = endOfField(section, start);
      // The next line may continue the field.
      if (fieldEnd === section.length && !this.#done) return this.#hold(bytes, kept, from, start);
      const field = section.slice(start, fieldEnd);
      if (!this.#fields.some((one) => one.isUnwanted(field))) continue;
      kept.push(bytes.subarray(from, start));
      from = fieldEnd;
    }
    if (!this.#done) {
      return this.#hold(bytes, kept, from, unwanted.possibleStart(section, this.#isInLine));
    }
    this.#held = EMPTY;
    return from === 0 ? bytes : Buffer.concat([...kept, bytes.subarray(from)]);
  }

  /** Holds back the octets from `to` on. */
  #hold(bytes: Buffer, kept: Buffer[], from: number, to: number): Buffer | undefined {
    if (bytes.length - to > FIELD_MAX) return this.#giveUp();
    const atLineStart = to === 0 ? !this.#isInLine : bytes[to - 1] === LF;
    this.#isInLine = !atLineStart;
    this.#passed += to;
    // A copy, so that the held octets do not keep the whole piece in memory.
    this.#held = to === bytes.length ? EMPTY : Buffer.from(bytes.subarray(to));
    if (from > 0) return Buffer.concat([...kept, bytes.subarray(from, to)]);
    return to === 0 ? undefined : bytes.subarray(0, to);
  }
}

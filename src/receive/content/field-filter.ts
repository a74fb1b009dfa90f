// Takes out of a message the fields that must not go on, while its header section streams in: secrets of proofs, results in
// our name. Only a field that may have to be taken out is held back, until its end: however long a header section is, its
// length costs no memory here.
//
// Invariant: only the fields that a scan does not want are removed; every other byte stays as it came.

import type { UnwantedFields } from "../../contract/scanner.ts";
import { endOfField } from "../../mail/header-fields.ts";
import type { HeaderReader } from "../header/header.ts";
import { UnwantedNames } from "./unwanted-names.ts";

/** Octets of one field that may have to be taken out: a longer one makes the message unfit. No honest one is so long. */
const FIELD_MAX = 32 * 1024;

const EMPTY = Buffer.alloc(0);
const LF = 10;

export class FieldFilter {
  #isFieldTooLong = false;
  /** The beginning of a field that may have to be taken out. */
  #held: Buffer = EMPTY;
  /** Octets that came before what is held. */
  #passed = 0;
  /** What passed last is the beginning of a line, so that no field can begin before the line has ended. */
  #isInLine = false;
  #done = false;
  readonly #header: HeaderReader;
  readonly #fields: readonly UnwantedFields[];
  /** Undefined when nothing may have to be taken out. */
  readonly #unwanted: UnwantedNames | undefined;

  /** `header` has read each piece that is to pass. */
  constructor(header: HeaderReader, fields: readonly UnwantedFields[]) {
    this.#header = header;
    this.#fields = fields;
    const names = fields.flatMap((unwanted) => unwanted.names);
    if (names.length > 0) this.#unwanted = new UnwantedNames(names);
  }

  /** The header section, or a field in it, is too long: nothing more of the message is kept. */
  get tooLong(): boolean {
    return this.#isFieldTooLong || this.#header.isTooLong;
  }

  /** The bytes that may go on now. */
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

  /** What was still held back when the message ended. */
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

  /** `bytes` up to `end`, which are of the header section, without what is not to go on, and what is behind. */
  #clean(bytes: Buffer, end: number, unwanted: UnwantedNames): Buffer | undefined {
    const section = bytes.toString("latin1", 0, end);
    const kept: Buffer[] = [];
    let from = 0;
    for (const start of unwanted.starts(section, this.#isInLine)) {
      const fieldEnd = endOfField(section, start);
      // The next line may continue it.
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

  /** Holds back what is behind `to`. */
  #hold(bytes: Buffer, kept: Buffer[], from: number, to: number): Buffer | undefined {
    if (bytes.length - to > FIELD_MAX) return this.#giveUp();
    const atLineStart = to === 0 ? !this.#isInLine : bytes[to - 1] === LF;
    this.#isInLine = !atLineStart;
    this.#passed += to;
    // A copy: what is held must not keep the whole piece in memory.
    this.#held = to === bytes.length ? EMPTY : Buffer.from(bytes.subarray(to));
    if (from > 0) return Buffer.concat([...kept, bytes.subarray(from, to)]);
    return to === 0 ? undefined : bytes.subarray(0, to);
  }
}

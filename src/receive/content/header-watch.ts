// Looks at the header section of a message while it streams in: finds the proof of a tenant and takes it out. Only a field that may have to be taken out is held back, until its end: however long a header section
// is, its length costs no memory here. Everything else passes through untouched.
//
// Invariant: only the header lines with the secret of a proof are removed, and where we write Authentication-Results,
// those of others in our name; every other byte stays as it came.

import { timingSafeEqual } from "node:crypto";
import { endOfField } from "../../mail/header-fields.ts";
import { claimsToBeOurs } from "../authentication/own-results.ts";
import type { Proof, Secret } from "../gate/gate.ts";
import type { HeaderReader } from "../header/header.ts";
import { UnwantedNames } from "./unwanted-names.ts";

/** Octets. A field that may have to be taken out and is longer makes the message unfit. No honest one is a tenth as long. */
const FIELD_MAX = 32 * 1024;

const RESULTS = "authentication-results";
const FIELD_NAME = /^([!-9;-~]+)[ \t]*:/;
const EMPTY = Buffer.alloc(0);
const LF = 10;

export class HeaderWatch {
  #isFieldTooLong = false;
  /** The beginning of a field that may have to be taken out. */
  #held: Buffer = EMPTY;
  /** Octets that came before what is held. */
  #passed = 0;
  /** What passed last is the beginning of a line, so that no field can begin before the line has ended. */
  #isInLine = false;
  #done = false;
  readonly #header: HeaderReader;
  readonly #unproven: Set<Proof>;
  readonly #secrets: readonly Secret[];
  readonly #hostname: string | undefined;
  /** Undefined when nothing may have to be taken out. */
  readonly #unwanted: UnwantedNames | undefined;

  /**
   * `header` has read each piece that is to pass. `secrets` are taken out if they are there; what a proof asks for must be there, and is taken out as well. So are
   * the Authentication-Results in the name of `hostname`, if that is given.
   */
  constructor(
    header: HeaderReader,
    proofs: readonly Proof[],
    secrets: readonly Secret[] = [],
    hostname?: string,
  ) {
    this.#header = header;
    this.#unproven = new Set(proofs);
    const asked = proofs.flatMap(({ headers = [] }) => headers);
    this.#secrets = [...new Set([...asked, ...secrets])];
    this.#hostname = hostname;
    const names = this.#secrets.map(({ name }) => name);
    if (hostname !== undefined) names.push(RESULTS);
    if (names.length > 0) this.#unwanted = new UnwantedNames(names);
  }

  /** The header section, or a field in it, is too long: nothing more of the message is kept. */
  get tooLong(): boolean {
    return this.#isFieldTooLong || this.#header.isTooLong;
  }

  /** The header section was read to its end, or is too long to be. */
  get done(): boolean {
    return this.#done || this.tooLong;
  }

  /** The proofs that were asked for and not found. */
  get unproven(): ReadonlySet<Proof> {
    return this.#unproven;
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
    if (this.done || held.length === 0 || this.#unwanted === undefined) return undefined;
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
      if (!this.#isSecret(field) && !this.#isForged(field)) continue;
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

  #isForged(field: string): boolean {
    if (this.#hostname === undefined || !field.toLowerCase().startsWith(RESULTS)) return false;
    return claimsToBeOurs(field, this.#hostname);
  }

  #isSecret(field: string): boolean {
    const [start, name] = FIELD_NAME.exec(field) ?? [];
    const named = this.#secrets.filter((secret) => secret.name === name?.toLowerCase());
    if (start === undefined || named.length === 0) return false;
    const text = field.slice(start.length).replaceAll("\r\n", "").trim();
    const given = Buffer.from(text, "latin1");
    const found = named.filter(({ value }) => isSame(given, Buffer.from(value)));
    for (const proof of this.#unproven) {
      if (proof.headers?.some((header) => found.includes(header)) === true)
        this.#unproven.delete(proof);
    }
    return found.length > 0;
  }
}

/** In a time that does not tell how much of it is right. */
function isSame(given: Buffer, wanted: Buffer): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

// Looks at the header section of a message while it streams in: counts hops, finds the proof of a tenant and
// takes it out. The header section is held back until it is complete; the body passes through untouched.
//
// Invariant: only the header lines with the secret of a proof are removed; every other byte stays as it came.

import { timingSafeEqual } from "node:crypto";
import type { Proof, Secret } from "../gate.ts";

/** A header section longer than this makes the message unfit: nothing more of it is kept. */
const HEADER_MAX = 1024 * 1024;

const END_OF_HEADER = Buffer.from("\r\n\r\n");
const RECEIVED = /^received[ \t]*:/gim;
const FIELD_NAME = /^([!-9;-~]+)[ \t]*:/;

export class HeaderWatch {
  /** Received fields found, ours not among them. */
  hops = 0;
  tooLong = false;
  /** The beginning of the message, in the first `#length` bytes. */
  #held = Buffer.alloc(0);
  #length = 0;
  #done = false;
  readonly #unproven: Set<Proof>;
  readonly #secrets: readonly Secret[];

  /** `secrets` are taken out if they are there; what a proof asks for must be there, and is taken out as well. */
  constructor(proofs: readonly Proof[], secrets: readonly Secret[] = []) {
    this.#unproven = new Set(proofs);
    const asked = proofs.flatMap(({ header }) => (header === undefined ? [] : [header]));
    this.#secrets = [...new Set([...asked, ...secrets])];
  }

  /** Every proof that was asked for was found. */
  get proven(): boolean {
    return this.#unproven.size === 0;
  }

  /** The bytes that may go on now. */
  pass(piece: Buffer): Buffer | undefined {
    if (this.#done) return piece;
    if (this.tooLong) return undefined;
    const before = this.#length;
    const whole = before === 0 ? piece : this.#append(piece);
    const end = endOfHeader(whole, before);
    if (end >= 0) return this.#finish(whole, end);
    if (whole.length > HEADER_MAX) {
      this.tooLong = true;
      this.#held = Buffer.alloc(0);
      return undefined;
    }
    if (before === 0) this.#append(piece);
    return undefined;
  }

  /** Grows by doubling: a header that comes byte by byte costs no more than one that comes at once. */
  #append(piece: Buffer): Buffer {
    const length = this.#length + piece.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(4096, 2 * length));
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    piece.copy(this.#held, this.#length);
    this.#length = length;
    return this.#held.subarray(0, length);
  }

  /** What was still held back when the message ended. */
  end(): Buffer | undefined {
    if (this.#done || this.tooLong || this.#length === 0) return undefined;
    return this.#finish(this.#held.subarray(0, this.#length), this.#length);
  }

  #finish(whole: Buffer, end: number): Buffer {
    this.#done = true;
    const section = whole.toString("latin1", 0, end);
    this.#countHops(section);
    return this.#secrets.length === 0 ? whole : this.#withoutSecrets(whole, section);
  }

  #countHops(section: string): void {
    this.hops = section.match(RECEIVED)?.length ?? 0;
  }

  #withoutSecrets(whole: Buffer, section: string): Buffer {
    const kept: Buffer[] = [];
    let from = 0;
    for (const [start, end] of fields(section)) {
      if (!this.#isSecret(section.slice(start, end))) continue;
      kept.push(whole.subarray(from, start));
      from = end;
    }
    return from === 0 ? whole : Buffer.concat([...kept, whole.subarray(from)]);
  }

  #isSecret(field: string): boolean {
    const [start, name] = FIELD_NAME.exec(field) ?? [];
    const named = this.#secrets.filter((secret) => secret.name === name?.toLowerCase());
    if (start === undefined || named.length === 0) return false;
    const text = field.slice(start.length).replaceAll("\r\n", "").trim();
    const given = Buffer.from(text, "latin1");
    const found = named.filter(({ value }) => isSame(given, Buffer.from(value)));
    for (const proof of this.#unproven) {
      if (proof.header !== undefined && found.includes(proof.header)) this.#unproven.delete(proof);
    }
    return found.length > 0;
  }
}

/** Where the header section ends, with the CRLF of its last field; -1 if not yet. Looked at until `before` already. */
function endOfHeader(whole: Buffer, before: number): number {
  // A message may begin with the empty line.
  if (whole.length >= 2 && whole[0] === 13 && whole[1] === 10) return 0;
  const at = whole.indexOf(END_OF_HEADER, Math.max(0, before - END_OF_HEADER.length));
  return at < 0 ? -1 : at + 2;
}

/** Start and end of each field with its folded lines (RFC 5322 2.2), the CRLF at its end included. */
function* fields(section: string): Generator<readonly [number, number]> {
  for (let start = 0; start < section.length;) {
    let end = start;
    do {
      const line = section.indexOf("\r\n", end);
      end = line < 0 ? section.length : line + 2;
    } while (section[end] === " " || section[end] === "\t");
    yield [start, end];
    start = end;
  }
}

/** In a time that does not tell how much of it is right. */
function isSame(given: Buffer, wanted: Buffer): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

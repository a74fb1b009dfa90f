// Looks at the header section of a message while it streams in: counts hops, finds the proof of a tenant and
// takes it out. Only a message from which something may have to be taken is held back until its header section is
// complete: strangers cost no memory here. The body passes through untouched.
//
// Invariant: only the header lines with the secret of a proof are removed; every other byte stays as it came.

import { timingSafeEqual } from "node:crypto";
import type { Proof, Secret } from "../gate.ts";

/** A header section longer than this makes the message unfit: nothing more of it is kept. */
const HEADER_MAX = 1024 * 1024;

const RECEIVED = /^received[ \t]*:/i;
const FIELD_NAME = /^([!-9;-~]+)[ \t]*:/;

export class HeaderWatch {
  tooLong = false;
  /** The beginning of the message, in the first `#length` bytes. */
  #held = Buffer.alloc(0);
  #length = 0;
  #done = false;
  readonly #lines = new HeaderLines();
  readonly #unproven: Set<Proof>;
  readonly #secrets: readonly Secret[];

  /** `secrets` are taken out if they are there; what a proof asks for must be there, and is taken out as well. */
  constructor(proofs: readonly Proof[], secrets: readonly Secret[] = []) {
    this.#unproven = new Set(proofs);
    const asked = proofs.flatMap(({ header }) => (header === undefined ? [] : [header]));
    this.#secrets = [...new Set([...asked, ...secrets])];
  }

  /** Received fields found, ours not among them. */
  get hops(): number {
    return this.#lines.hops;
  }

  /** Every proof that was asked for was found. */
  get proven(): boolean {
    return this.#unproven.size === 0;
  }

  /** The bytes that may go on now. */
  pass(piece: Buffer): Buffer | undefined {
    if (this.#done) return piece;
    if (this.tooLong) return undefined;
    this.#lines.read(piece);
    const { sectionLength, length } = this.#lines;
    if ((sectionLength ?? length) > HEADER_MAX) {
      this.tooLong = true;
      this.#held = Buffer.alloc(0);
      return undefined;
    }
    this.#done = sectionLength !== undefined;
    if (this.#secrets.length === 0) return piece;
    const whole = this.#done && this.#length === 0 ? piece : this.#append(piece);
    return sectionLength === undefined ? undefined : this.#withoutSecrets(whole, sectionLength);
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
    this.#done = true;
    return this.#withoutSecrets(this.#held.subarray(0, this.#length), this.#length);
  }

  #withoutSecrets(whole: Buffer, sectionLength: number): Buffer {
    const section = whole.toString("latin1", 0, sectionLength);
    const kept: Buffer[] = [];
    let from = 0;
    for (const { index: start } of section.matchAll(fieldNames(this.#secrets))) {
      const end = endOfField(section, start);
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

/** More of a line says nothing about which field it begins. */
const LINE_START_MAX = 64;
const LF = 10;
const CR = 13;
const CAPITAL_R = 82;
const SMALL_R = 114;

/** The lines of a header section, in whatever pieces they come. */
class HeaderLines {
  hops = 0;
  /** Octets up to the empty line, as soon as that is there. */
  sectionLength: number | undefined;
  /** Octets read. */
  length = 0;
  /** The beginning of the line under way, and where in the message that is. */
  #start = "";
  #startAt = 0;

  read(piece: Buffer): void {
    for (let from = 0; from < piece.length && this.sectionLength === undefined;) {
      const lf = piece.indexOf(LF, from);
      const to = lf < 0 ? piece.length : lf + 1;
      const wanted = LINE_START_MAX - this.#start.length;
      const isLine = lf >= 0 && this.length === this.#startAt;
      if (wanted > 0 && !(isLine && isDull(piece[from]))) {
        this.#start += piece.toString("latin1", from, Math.min(to, from + wanted));
      }
      this.length += to - from;
      from = to;
      if (lf >= 0) this.#endLine();
    }
  }

  #endLine(): void {
    if (this.#start === "\r\n") this.sectionLength = this.#startAt;
    else if (RECEIVED.test(this.#start)) this.hops++;
    this.#start = "";
    this.#startAt = this.length;
  }
}

/** A line that begins so is neither empty nor a Received field. */
function isDull(byte: number | undefined): boolean {
  return byte !== CR && byte !== CAPITAL_R && byte !== SMALL_R;
}

/** Behind the CRLF of the last of its folded lines (RFC 5322 2.2). */
function endOfField(section: string, start: number): number {
  let end = start;
  do {
    const line = section.indexOf("\r\n", end);
    end = line < 0 ? section.length : line + 2;
  } while (section[end] === " " || section[end] === "\t");
  return end;
}

/** Where a field with one of these names begins. Most messages have none: no other field is looked at. */
function fieldNames(secrets: readonly Secret[]): RegExp {
  const names = secrets.map(({ name }) => RegExp.escape(name)).join("|");
  return new RegExp(`(?<=^|\\r\\n)(?:${names})[ \\t]*:`, "gi");
}

/** In a time that does not tell how much of it is right. */
function isSame(given: Buffer, wanted: Buffer): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

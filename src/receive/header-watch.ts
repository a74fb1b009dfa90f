// Looks at the header section of a message while it streams in: counts hops, finds the proof of a tenant and
// takes it out. The header section is held back until it is complete; the body passes through untouched.
//
// Invariant: only the header lines that served as proof are removed; every other byte stays as it came.

import { timingSafeEqual } from "node:crypto";
import type { Proof } from "../gate.ts";

/** A header section longer than this is passed on unread: it proves nothing. */
const HEADER_MAX = 1024 * 1024;

const END_OF_HEADER = Buffer.from("\r\n\r\n");
const RECEIVED = /^received[ \t]*:/gim;
/** One field with its folded lines (RFC 5322 2.2). */
const FIELD = /^([!-9;-~]+)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)(?:\r\n|$)/gm;

export class HeaderWatch {
  /** Received fields found, ours not among them. */
  hops = 0;
  #held: Buffer[] = [];
  #heldLength = 0;
  #done = false;
  readonly #unproven: Set<Proof>;
  readonly #secrets: ReadonlyMap<string, readonly Proof[]>;

  constructor(proofs: readonly Proof[]) {
    this.#unproven = new Set(proofs);
    this.#secrets = Map.groupBy(proofs, ({ header }) => header?.name ?? "");
  }

  /** Every proof that was asked for was found. */
  get proven(): boolean {
    return this.#unproven.size === 0;
  }

  /** The bytes that may go on now. */
  pass(piece: Buffer): Buffer | undefined {
    if (this.#done) return piece;
    this.#held.push(piece);
    this.#heldLength += piece.length;
    // Only the last piece can hold the end, or the two around a border.
    const whole = this.#held.length === 1 ? piece : Buffer.concat(this.#held, this.#heldLength);
    this.#held = [whole];
    const from = Math.max(0, whole.length - piece.length - END_OF_HEADER.length);
    const atOnce = whole.length >= 2 && whole[0] === 13 && whole[1] === 10;
    const end = atOnce ? 0 : whole.indexOf(END_OF_HEADER, from);
    if (end >= 0) return this.#finish(whole, end);
    if (this.#heldLength <= HEADER_MAX) return undefined;
    this.#done = true;
    return whole;
  }

  /** What was still held back when the message ended. */
  end(): Buffer | undefined {
    const whole = this.#held[0];
    return this.#done || whole === undefined ? undefined : this.#finish(whole, whole.length);
  }

  #finish(whole: Buffer, end: number): Buffer {
    this.#done = true;
    this.#held = [];
    const section = whole.toString("latin1", 0, Math.min(end + 2, whole.length));
    this.hops = section.match(RECEIVED)?.length ?? 0;
    return this.#secrets.size === 0 ? whole : this.#withoutProofs(whole, section);
  }

  #withoutProofs(whole: Buffer, section: string): Buffer {
    const kept: Buffer[] = [];
    let from = 0;
    for (const field of section.matchAll(FIELD)) {
      const secrets = this.#secrets.get(field[1]?.toLowerCase() ?? "");
      if (secrets === undefined || !this.#proves(secrets, field[2] ?? "")) continue;
      kept.push(whole.subarray(from, field.index));
      from = field.index + field[0].length;
    }
    return from === 0 ? whole : Buffer.concat([...kept, whole.subarray(from)]);
  }

  #proves(secrets: readonly Proof[], text: string): boolean {
    const given = Buffer.from(text.replaceAll("\r\n", "").trim(), "latin1");
    let proves = false;
    for (const proof of secrets) {
      const wanted = Buffer.from(proof.header?.value ?? "");
      if (given.length === wanted.length && timingSafeEqual(given, wanted)) {
        this.#unproven.delete(proof);
        proves = true;
      }
    }
    return proves;
  }
}

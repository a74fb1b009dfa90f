// Looks at the header section of a message while it streams in: counts hops, finds the proof of a tenant and
// takes it out. Only a message from which something may have to be taken is held back until its header section is
// complete: strangers cost no memory here. The body passes through untouched.
//
// Invariant: only the header lines with the secret of a proof are removed, and where we write Authentication-Results,
// those of others in our name; every other byte stays as it came.

import { timingSafeEqual } from "node:crypto";
import { endOfField } from "../authentication/header-fields.ts";
import { claimsToBeOurs } from "../authentication/own-results.ts";
import type { Proof, Secret } from "../gate.ts";
import { Gathered } from "./gathered.ts";
import { HeaderLines } from "./header-lines.ts";

/** A header section longer than this makes the message unfit: nothing more of it is kept. */
const HEADER_MAX = 1024 * 1024;

const RESULTS = "authentication-results";
const FIELD_NAME = /^([!-9;-~]+)[ \t]*:/;

export class HeaderWatch {
  tooLong = false;
  /** The beginning of the message. */
  readonly #held = new Gathered();
  #done = false;
  readonly #lines = new HeaderLines();
  readonly #unproven: Set<Proof>;
  readonly #secrets: readonly Secret[];
  readonly #hostname: string | undefined;
  /** Names of the fields that may have to be taken out. */
  readonly #unwanted: readonly string[];

  /**
   * `secrets` are taken out if they are there; what a proof asks for must be there, and is taken out as well. So are
   * the Authentication-Results in the name of `hostname`, if that is given.
   */
  constructor(proofs: readonly Proof[], secrets: readonly Secret[] = [], hostname?: string) {
    this.#unproven = new Set(proofs);
    const asked = proofs.flatMap(({ header }) => (header === undefined ? [] : [header]));
    this.#secrets = [...new Set([...asked, ...secrets])];
    this.#hostname = hostname;
    const names = this.#secrets.map(({ name }) => name);
    this.#unwanted = hostname === undefined ? names : [...names, RESULTS];
  }

  /** Received fields found, ours not among them. */
  get hops(): number {
    return this.#lines.hops;
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
    if (this.tooLong) return undefined;
    this.#lines.read(piece);
    const { sectionLength, length } = this.#lines;
    if ((sectionLength ?? length) > HEADER_MAX) {
      this.tooLong = true;
      this.#held.take();
      return undefined;
    }
    this.#done = sectionLength !== undefined;
    if (this.#unwanted.length === 0) return piece;
    if (sectionLength !== undefined && this.#held.length === 0) {
      return this.#cleaned(piece, sectionLength);
    }
    this.#held.append(piece);
    return sectionLength === undefined
      ? undefined
      : this.#cleaned(this.#held.take(), sectionLength);
  }

  /** What was still held back when the message ended. */
  end(): Buffer | undefined {
    if (this.#done || this.tooLong || this.#held.length === 0) return undefined;
    this.#done = true;
    const { length } = this.#held;
    return this.#cleaned(this.#held.take(), length);
  }

  #cleaned(whole: Buffer, sectionLength: number): Buffer {
    const section = whole.toString("latin1", 0, sectionLength);
    const kept: Buffer[] = [];
    let from = 0;
    for (const { index: start } of section.matchAll(fieldNames(this.#unwanted))) {
      const end = endOfField(section, start);
      const field = section.slice(start, end);
      if (!this.#isSecret(field) && !this.#isForged(field)) continue;
      kept.push(whole.subarray(from, start));
      from = end;
    }
    return from === 0 ? whole : Buffer.concat([...kept, whole.subarray(from)]);
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
      if (proof.header !== undefined && found.includes(proof.header)) this.#unproven.delete(proof);
    }
    return found.length > 0;
  }
}

/** Where a field with one of these names begins. Most messages have none: no other field is looked at. */
function fieldNames(all: readonly string[]): RegExp {
  const names = all.map((name) => RegExp.escape(name)).join("|");
  return new RegExp(`(?<=^|\\r\\n)(?:${names})[ \\t]*(?:\\r\\n[ \\t]+)?:`, "gi");
}

/** In a time that does not tell how much of it is right. */
function isSame(given: Buffer, wanted: Buffer): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

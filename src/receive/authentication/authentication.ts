// Examines one message while it streams in: its header section, and its body by the DKIM verifier if a signature asks
// for that. Only the part of the header section that the signatures cover is kept.
//
// Invariant: the message is judged as it was received, before any field was removed or put in front. Only the empty
// line before a first line that is not a field counts as received.
//
// Doors: author.ts, dns-questions.ts, inbound.ts, mailauth.ts, tenant.ts, vouched.ts.

import type { Clock } from "../../base/clock.ts";
import type { Resolver } from "../../dns/dns.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { FirstError } from "../../base/first-error.ts";
import { GrowingBuffer } from "../../base/growing-buffer.ts";
import type { HeaderBudget } from "../header/header-budget.ts";
import { HeaderReader, type HeaderSection, type HeldSection } from "../header/header.ts";
import type { LoopShare } from "../../base/loop-share.ts";
import { type Author, authorOf } from "./author.ts";
import { type Ask, createQuestions, type Questions } from "./dns-questions.ts";
import { type HeaderShape, headerShape } from "./header-shape.ts";
import { type Signature, type Verification, verifySignatures } from "./mailauth.ts";
import { signedPart } from "./signatures.ts";

/** The results of examining a message. */
export interface Examined {
  /** False if it has too many fields, or too long a From, so that none was examined. */
  readonly readable: boolean;
  /** Whether the header section is longer than is held: then none of it was examined. */
  readonly tooLong: boolean;
  readonly shape: HeaderShape;
  readonly author: Author;
  /** The DKIM signatures that were examined. */
  readonly signatures: readonly Signature[];
  /** Whether it has signatures, and none could be examined. */
  readonly unfit: boolean;
}

export interface ExaminationServices {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** The share of the event loop, for all examinations together. */
  readonly share: LoopShare;
}

/** Milliseconds for all keys of one message, which are looked up at the same time. */
const KEY_TIMEOUT = 10_000;
/** Octets of a body that the verifier gets at once, at least. */
const BLOCK = 16 * 1024;

export class Examination {
  /** Whether other messages use the whole budget for header sections: then this message must come again later. */
  isCrowdedOut = false;
  readonly #services: ExaminationServices;
  /** Octets for the verifier that it has not been given yet. */
  readonly #gathered = new GrowingBuffer(BLOCK);
  #section: Section | undefined;
  #questions: Questions | undefined;
  #verification: Verification | undefined;
  #examined: Promise<Examined> | undefined;
  readonly #failure = new FirstError();

  constructor(services: ExaminationServices) {
    this.#services = services;
  }

  /** Takes the header section. Neither this nor `body` throws: `finish` reports the error. */
  header({ held }: HeaderSection): void {
    this.isCrowdedOut = held === "crowded-out";
    if (typeof held === "string") this.#section = held === "too-long" ? TOO_LONG : UNREADABLE;
    else void this.#failure.guard(() => this.#readHeader(held));
  }

  #readHeader({ fields }: HeldSection): void {
    const author = fields && authorOf(fields);
    if (fields === undefined || author === undefined) {
      this.#section = UNREADABLE;
      return;
    }
    this.#section = { ...UNREADABLE, readable: true, shape: headerShape(fields), author };
    const signed = signedPart(fields, author);
    if (signed === undefined) return;
    const { resolver, clock, share } = this.#services;
    // All keys are looked up at the same time, so that a slow one does not delay the others.
    const { ask } = (this.#questions = createQuestions(resolver, clock, KEY_TIMEOUT));
    const names = Array.from(signed.keys, apart);
    const keys = new Map(names.map((name) => [name, keyRecord(ask(name, "TXT"))]));
    for (const key of keys.values()) key.catch(() => undefined);
    this.#verification = verifySignatures(
      (name, type) => keys.get(name.toLowerCase()) ?? ask(name, type),
      clock.now(),
      share,
    );
    this.#gathered.append(signed.header);
  }

  /** Takes a piece of the body. If it returns a promise, the next piece must wait for it. */
  body(piece: Buffer): MaybePromise<void> {
    return this.#verification && this.#failure.guard(() => this.#writeBody(piece));
  }

  #writeBody(piece: Buffer): MaybePromise<void> {
    this.#gathered.append(piece);
    return this.#gathered.length < BLOCK
      ? undefined
      : this.#verification?.write(this.#gathered.take());
  }

  /** The results; every call returns the same promise. Rejects if the verifier cannot handle the message. */
  finish(): Promise<Examined> {
    return (this.#examined ??= this.#finish());
  }

  async #finish(): Promise<Examined> {
    const { first } = this.#failure;
    if (first !== undefined) throw first.error;
    const section = this.#section ?? UNREADABLE;
    const isSigned = (section.shape.counts.get("dkim-signature") ?? 0) > 0;
    const unfit = this.#verification === undefined && isSigned;
    try {
      await this.#verification?.write(this.#gathered.take());
      const signatures = (await this.#verification?.finish()) ?? [];
      return { ...section, signatures, unfit };
    } finally {
      this.#questions?.end();
    }
  }

  /** Stops the examination: its result is not needed. */
  abort(): void {
    this.#verification?.abort();
    this.#questions?.end();
  }
}

/** Examines a message that is complete. */
export async function examineAll(
  pieces: AsyncIterable<Buffer> | Iterable<Buffer>,
  examination: Examination,
  budget: HeaderBudget,
): Promise<Examined> {
  const header = new HeaderReader(budget);
  const pass = () => {
    if (header.section !== undefined) examination.header(header.section);
    header.release();
  };
  try {
    for await (const piece of pieces) {
      const body = header.read(piece);
      if (header.section !== undefined) pass();
      if (body.length > 0) await examination.body(body);
    }
    header.end();
    pass();
    return await examination.finish();
  } finally {
    header.release();
    examination.abort();
  }
}

type Section = Pick<Examined, "readable" | "tooLong" | "shape" | "author">;

const UNREADABLE: Section = {
  readable: false,
  tooLong: false,
  shape: headerShape([]),
  author: { domains: [], exact: false },
};
const TOO_LONG = { ...UNREADABLE, tooLong: true };

/** A copy of the text, which does not keep the whole header section in memory. */
function apart(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/** The key record. If there are several, any of them may be meant (RFC 6376 3.6.2.2), so none is returned. */
async function keyRecord(asked: ReturnType<Ask>): ReturnType<Ask> {
  const records = await asked;
  return records.length === 1 ? records : [];
}

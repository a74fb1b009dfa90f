// One message while it streams by: its header section is looked at, and its body goes through the DKIM verifier if a
// signature asks for that. Nothing of it is kept but what the signatures cover of the header section.
//
// Invariant: the message is judged as it was received, before anything was taken out of it or put in front, but for the
// empty line in front of what is no header section.
//
// Doors: inbound.ts, mailauth.ts, tenant.ts, vouched.ts.

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

/** What a message shows of itself. */
export interface Examined {
  /** False when it has so many fields, or so long a From, that none was looked at. */
  readonly readable: boolean;
  /** The header section is longer than what is held of one: none of it was looked at. */
  readonly tooLong: boolean;
  readonly shape: HeaderShape;
  readonly author: Author;
  /** Those of its DKIM signatures that were looked at. */
  readonly signatures: readonly Signature[];
  /** It bears signatures, and none was fit to be looked at. */
  readonly unfit: boolean;
}

export interface ExaminationServices {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Of all examinations. */
  readonly share: LoopShare;
}

/** For the keys of one message, asked for at the same time; in milliseconds. */
const KEY_TIMEOUT = 10_000;
/** Octets of a body that the verifier is given at once, at least. */
const BLOCK = 16 * 1024;

export class Examination {
  /** Others hold all that may be held of header sections: the message has to come again later. */
  isCrowdedOut = false;
  readonly #services: ExaminationServices;
  /** What the verifier is to be given, as far as it has not gone on. */
  readonly #gathered = new GrowingBuffer(BLOCK);
  #section: Section | undefined;
  #questions: Questions | undefined;
  #verification: Verification | undefined;
  #examined: Promise<Examined> | undefined;
  readonly #failure = new FirstError();

  constructor(services: ExaminationServices) {
    this.#services = services;
  }

  /** Never throws, and nor does `body`: who is to wait for the result hears of it. */
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
    // All at the same time: one that is slow must not make the others late.
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

  /** What is behind the header section. A promise asks to wait. */
  body(piece: Buffer): MaybePromise<void> {
    return this.#verification && this.#failure.guard(() => this.#writeBody(piece));
  }

  #writeBody(piece: Buffer): MaybePromise<void> {
    this.#gathered.append(piece);
    return this.#gathered.length < BLOCK
      ? undefined
      : this.#verification?.write(this.#gathered.take());
  }

  /** Rejects when the verifier does not know what to make of the message. The same, however often it is asked for. */
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

  /** Nobody wants to know any more. */
  abort(): void {
    this.#verification?.abort();
    this.#questions?.end();
  }
}

/** Examines a message that is here already. */
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

/** A text of its own, which does not keep the header section in memory that it was cut out of. */
function apart(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/** Of several records any may be meant (RFC 6376 3.6.2.2): then there is no telling which, and so no key. */
async function keyRecord(asked: ReturnType<Ask>): ReturnType<Ask> {
  const records = await asked;
  return records.length === 1 ? records : [];
}

// The copy of one message that is passing. Small messages wait in memory until they are whole; larger ones go to tmp/ of
// their Maildir as they pass.
//
// Invariants:
// - When `finish` resolves to "kept", the file has its final name and is on disk. "known": it was there before.
// - At most one mebibyte of a message is in memory.

import { createHash } from "node:crypto";
import { inlineBody } from "../../../mail/body.ts";
import type { Body } from "../../../mail/envelope.ts";

/** Octets up to which a message is held in memory until it is whole. */
const INLINE_MAX = 256 * 1024;
/** Octets that are written at once. */
export const PIECE = 512 * 1024;

export type Finished =
  | { readonly kind: "kept"; readonly path: string; readonly size: number }
  | { readonly kind: "known" }
  | { readonly kind: "failed"; readonly why: string };

/** Where a copy goes, and what is known of earlier ones. */
export interface CopyPlace {
  /** Writes the body into the Maildir. Resolves to the path. Rejects if the copy could not be written. */
  write(id: string, body: Body, signal: AbortSignal): Promise<string>;
  /** Calls `write` unless the message was kept before. Resolves to whether it was new. */
  keep(id: string, sha256: string, write: () => Promise<void>): Promise<boolean>;
}

/** Ends the writing of a message that was kept before. */
class KeptBefore extends Error {}

export class Copy {
  readonly #id: string;
  readonly #place: CopyPlace;
  readonly #hash = createHash("sha256");
  readonly #aborted = new AbortController();
  #pieces: Buffer[] = [];
  #waiting = 0;
  #size = 0;
  #isWhole = false;
  /** The writing of a large message. Never rejects. */
  #writing: Promise<Finished> | undefined;
  /** Set once the writing has failed. */
  #failure: string | undefined;
  /** The writer waits for pieces, the session waits for room. */
  #more: (() => void) | undefined;
  #room: (() => void) | undefined;

  constructor(id: string, place: CopyPlace) {
    this.#id = id;
    this.#place = place;
  }

  get size(): number {
    return this.#size;
  }

  /** Resolves when there is room for more. Rejects with the reason if the copy cannot be written. */
  async add(piece: Buffer): Promise<void> {
    this.#hash.update(piece);
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    this.#size += piece.length;
    if (this.#size <= INLINE_MAX) return;
    this.#writing ??= this.#stream();
    this.#more?.();
    while (this.#waiting >= PIECE && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#room = resolve));
    }
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  /** The message is whole. */
  async finish(): Promise<Finished> {
    this.#isWhole = true;
    if (this.#writing !== undefined) {
      this.#more?.();
      return this.#writing;
    }
    const body = inlineBody(Buffer.concat(this.#pieces));
    let path = "";
    return this.#settled(async () => {
      const isNew = await this.#place.keep(this.#id, this.#hash.digest("hex"), async () => {
        path = await this.#place.write(this.#id, body, this.#aborted.signal);
      });
      return isNew ? { kind: "kept", path, size: this.#size } : { kind: "known" };
    });
  }

  /** The message is not to be kept. */
  abandon(): void {
    this.#pieces = [];
    this.#aborted.abort();
    this.#more?.();
    this.#room?.();
  }

  /** The file gets its name only when the message is written down. */
  #stream(): Promise<Finished> {
    const written = Promise.withResolvers<string>();
    const claimed = Promise.withResolvers<void>();
    const body: Body = {
      size: 0,
      chunks: () =>
        this.#chunks(async () => {
          claimed.resolve(
            this.#place
              .keep(this.#id, this.#hash.digest("hex"), async () => {
                mayEnd.resolve(true);
                await written.promise;
              })
              .then((isNew) => mayEnd.resolve(isNew)),
          );
          claimed.promise.catch(mayEnd.reject);
          if (!(await mayEnd.promise)) throw new KeptBefore();
        }),
    };
    const mayEnd = Promise.withResolvers<boolean>();
    written.promise.catch(() => undefined);
    return this.#settled(async () => {
      try {
        const path = await this.#place.write(this.#id, body, this.#aborted.signal);
        written.resolve(path);
        await claimed.promise;
        return { kind: "kept", path, size: this.#size };
      } catch (error) {
        written.reject(error);
        if (error instanceof Error && error.cause instanceof KeptBefore) return { kind: "known" };
        throw error;
      }
    });
  }

  async *#chunks(whole: () => Promise<void>): AsyncGenerator<Buffer> {
    for (;;) {
      this.#aborted.signal.throwIfAborted();
      if (this.#waiting >= PIECE || (this.#isWhole && this.#waiting > 0)) {
        const octets = Buffer.concat(this.#pieces);
        this.#pieces = [];
        this.#waiting = 0;
        this.#room?.();
        yield octets;
      } else if (this.#isWhole) {
        return whole();
      } else {
        await new Promise<void>((resolve) => (this.#more = resolve));
      }
    }
  }

  async #settled(work: () => Promise<Finished>): Promise<Finished> {
    try {
      return await work();
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
      this.#room?.();
      return { kind: "failed", why: this.#failure };
    }
  }
}

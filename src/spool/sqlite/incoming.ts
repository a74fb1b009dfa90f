// The body of a message on its way into the spool. It is kept in memory up to 64 KiB, and up to 256 KiB if the room for
// such bodies has space. Otherwise it is streamed to a file.
//
// Invariants:
// - `finish` returns only after the file and its directory are synced.
// - After the first write that fails, nothing more is written, and `finish` throws that error.
// - A body that is not stored leaves no file, no open descriptor and no share of the room.
// - A body that goes to a file uses the same few blocks of memory from its beginning to its end, and then gives them
//   back. So its pieces need not stay in memory until the disk has taken them.

import { constants } from "node:fs";
import { crc32 } from "node:zlib";
import { inlineBody, withHead } from "../../mail/body.ts";
import type { Body, MessageId } from "../../mail/envelope.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { FirstError } from "../../base/first-error.ts";
import type { DirectorySyncs } from "../../base/durable/directory-syncs.ts";
import { errorCode, withErrorNames } from "../../base/error-code.ts";
import type { FileCalls } from "../../base/durable/file-calls.ts";
import { SpoolError } from "../spool.ts";
import {
  bodyDirectory,
  bodyFile,
  type CorruptBody,
  fileBody,
  INLINE_MAX,
  SMALL_MAX,
} from "./body.ts";
import type { BodyRoom, BodyShare } from "./body-room.ts";

/** Bytes that are written to the file at once. */
const BLOCK = 64 * 1024;
/** Bytes that may wait for the disk. Above that the client must wait. */
const UNWRITTEN_MAX = 256 * 1024;

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

export interface BodyStore {
  readonly spoolDirectory: string;
  readonly calls: FileCalls;
  readonly syncs: DirectorySyncs;
  readonly room: BodyRoom;
  readonly onDamage: (id: MessageId, damage: CorruptBody) => void;
}

/** A body that has come in. */
export interface FinishedBody {
  /** With the fields of the head above it. */
  readonly body: Body;
  /** The bytes for the database, without the head. Absent if they are in a file. */
  readonly bytes?: Buffer;
  /** Memory of `bytes` that `body` does not use. It is moved to the spool's thread instead of copied. */
  readonly moved: readonly ArrayBuffer[];
}

export class IncomingBody {
  size = 0;
  checksum = 0;
  /** The share of a body of more than 64 KiB in memory. */
  readonly share: BodyShare;
  readonly #id: MessageId;
  readonly #store: BodyStore;
  /** The body, while it is in memory. */
  #pieces: Buffer[] = [];
  /** What comes next in the file, and its length. */
  #block: Buffer<ArrayBuffer> | undefined;
  #filled = 0;
  /** Blocks that are written. */
  readonly #free: Buffer<ArrayBuffer>[] = [];
  #unwritten = 0;
  /**
   * Resolves when all bytes given to the file are written or have failed. Undefined before the first write to a file.
   */
  #writing: Promise<void> | undefined;
  #descriptor: number | undefined;
  readonly #failure = new FirstError();
  #discarded = false;
  /** This body has created the file. If not, a file of that name belongs to another message. */
  #isOurs = false;

  constructor(id: MessageId, store: BodyStore) {
    this.#id = id;
    this.#store = store;
    this.share = store.room.share();
  }

  get #path(): string {
    return bodyFile(this.#store.spoolDirectory, this.#id);
  }

  /** Takes a piece. Never rejects: the client is still sending, and gets its answer at the end. */
  write(piece: Buffer): MaybePromise<void> {
    this.size += piece.length;
    if (this.#failure.first !== undefined || this.#discarded) return undefined;
    this.checksum = crc32(piece, this.checksum);
    this.#pieces.push(piece);
    if (this.#writing === undefined && this.#fitsMemory()) return undefined;
    for (const one of this.#pieces.splice(0)) this.#fill(one);
    return this.#unwritten > UNWRITTEN_MAX ? this.#writing : undefined;
  }

  #fitsMemory(): boolean {
    if (this.size <= SMALL_MAX) return true;
    if (this.size <= INLINE_MAX && this.share.grow(this.size)) return true;
    this.share.giveBack();
    return false;
  }

  #fill(piece: Buffer): void {
    this.#unwritten += piece.length;
    for (let at = 0; at < piece.length;) {
      this.#block ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
      const copied = piece.copy(this.#block, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled === BLOCK) this.#flush();
    }
  }

  #flush(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#writing = this.#write(block, this.#filled, this.#writing);
    this.#block = undefined;
    this.#filled = 0;
  }

  async #write(
    block: Buffer<ArrayBuffer>,
    length: number,
    before: Promise<void> | undefined,
  ): Promise<void> {
    await before;
    if (!this.#discarded) {
      await this.#failure.guard(() => this.#append(block.subarray(0, length)));
    }
    this.#unwritten -= length;
    this.#free.push(block);
  }

  async #append(bytes: Buffer): Promise<void> {
    const { calls } = this.#store;
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    this.#descriptor ??= await calls.open(this.#path, flags, 0o600);
    this.#isOurs = true;
    for (let written = 0; written < bytes.length;) {
      const left = bytes.length - written;
      const { bytesWritten } = await calls.write(this.#descriptor, bytes, written, left);
      if (bytesWritten === 0) throw new SpoolError("the disk takes nothing more", true);
      written += bytesWritten;
    }
  }

  /**
   * Returns the body: complete in memory, or complete and synced in its file. `head` are fields to be above it. Throws
   * SpoolError.
   */
  async finish(head?: string): Promise<FinishedBody> {
    if (this.#discarded) throw new SpoolError("the message was given up", false);
    if (this.#writing === undefined) return this.#finishInMemory(head);
    const { calls, syncs, spoolDirectory, onDamage } = this.#store;
    try {
      this.#flush();
      await this.#writing;
      this.#giveBack();
      const { first } = this.#failure;
      if (first !== undefined) throw first.error;
      if (this.#descriptor === undefined) throw new Error("the message was given up");
      await calls.fsync(this.#descriptor);
      await this.#close();
      await syncs.sync(bodyDirectory(spoolDirectory));
    } catch (error) {
      throw spoolError("cannot store the body", error);
    }
    const { size, checksum } = this;
    const stored = fileBody(this.#path, { size, checksum }, (damage) => onDamage(this.#id, damage));
    return { body: withHead(head, stored), moved: [] };
  }

  /** A body of more than 64 KiB is copied once for the spool's thread and once, with its head, for the attempt. */
  #finishInMemory(head: string | undefined): FinishedBody {
    const pieces = this.#pieces;
    this.#pieces = [];
    const bytes = joined(pieces);
    if (bytes.length <= SMALL_MAX) {
      return { body: withHead(head, inlineBody(bytes)), bytes, moved: [] };
    }
    const whole = joined(head === undefined ? pieces : [Buffer.from(head, "latin1"), ...pieces]);
    return { body: inlineBody(whole), bytes, moved: [bytes.buffer] };
  }

  /** Gives the memory of the blocks back at once. No write may be under way. */
  #giveBack(): void {
    if (this.#block !== undefined) this.#free.push(this.#block);
    this.#block = undefined;
    for (const block of this.#free.splice(0)) block.buffer.transfer(0);
  }

  async #close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) await this.#store.calls.close(descriptor);
  }

  /** Removes everything of the body. Throws if its file cannot be removed. */
  async discard(): Promise<void> {
    this.#discarded = true;
    this.#pieces = [];
    this.share.giveBack();
    if (this.#writing === undefined) return;
    await this.#writing;
    this.#giveBack();
    // A close that fails has released the descriptor.
    await this.#close().catch(() => undefined);
    if (!this.#isOurs) return;
    await this.#store.calls.unlink(this.#path).catch((error: unknown) => {
      if (errorCode(error) !== "ENOENT") throw error;
    });
  }
}

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

function spoolError(what: string, cause: unknown): SpoolError {
  if (cause instanceof SpoolError) return cause;
  const text = cause instanceof Error ? withErrorNames(cause.message) : String(cause);
  const full = FULL.has(errorCode(cause) ?? "");
  return new SpoolError(`${what}: ${text}`, full, cause);
}

/** Joins the pieces in memory of their own. A piece of a pool would be sent to the thread with the whole pool. */
function joined(pieces: readonly Buffer[]): Buffer<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) at += piece.copy(bytes, at);
  return bytes;
}

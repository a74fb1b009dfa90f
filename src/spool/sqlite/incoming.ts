// The body of a message on its way into the spool. It is kept in memory up to 64 KiB, and up to 256 KiB if the room for
// such bodies has space. Otherwise it is streamed to a file.
//
// Invariants:
// - `finish` returns only after the file and its directory are synced.
// - After the first write that fails, nothing more is written, and `finish` throws that error.
// - A body that is not stored leaves no file, no open descriptor and no share of the room.

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

/** Bytes that are written to the file at once, at least. */
const WRITTEN_MIN = 64 * 1024;
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
  #pieces: Buffer[] = [];
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
    this.#unwritten += piece.length;
    if (this.#writing === undefined && this.#fitsMemory()) return undefined;
    if (this.#unwritten < WRITTEN_MIN) return undefined;
    this.#writing = this.#flush();
    return this.#unwritten > UNWRITTEN_MAX ? this.#writing : undefined;
  }

  #fitsMemory(): boolean {
    if (this.size <= SMALL_MAX) return true;
    if (this.size <= INLINE_MAX && this.share.grow(this.size)) return true;
    this.share.giveBack();
    return false;
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    await this.#writing;
    if (!this.#discarded) await this.#failure.guard(() => this.#append(bytes));
    if (this.#failure.first !== undefined) this.#pieces = [];
    this.#unwritten -= bytes.length;
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
      this.#writing = this.#flush();
      await this.#writing;
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

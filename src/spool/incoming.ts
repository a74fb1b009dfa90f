// A message on its way into the spool: held in memory while it is small, streamed to a file once it is not.
// The file and its directory are synced before anybody may say that the message is stored.

import type { FileHandle } from "node:fs/promises";
import { open, rm } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { Body, MessageId } from "../envelope.ts";
import type { MaybePromise } from "../lists/lists.ts";
import { SpoolError } from "../spool.ts";
import { bodyDirectory, bodyFile, fileBody, INLINE_MAX, inlineBody } from "./body.ts";
import { syncDirectory } from "./directory.ts";

/** Bytes that may wait for the disk before the client is asked to. */
const UNWRITTEN_MAX = 256 * 1024;

export class IncomingBody {
  size = 0;
  checksum = 0;
  readonly #id: MessageId;
  readonly #spoolDirectory: string;
  #pieces: Buffer[] = [];
  #unwritten = 0;
  /** The chain of file writes; undefined while everything is in memory. */
  #writing: Promise<FileHandle> | undefined;

  constructor(id: MessageId, spoolDirectory: string) {
    this.#id = id;
    this.#spoolDirectory = spoolDirectory;
  }

  write(piece: Buffer): MaybePromise<void> {
    this.size += piece.length;
    this.checksum = crc32(piece, this.checksum);
    this.#pieces.push(piece);
    this.#unwritten += piece.length;
    if (this.size <= INLINE_MAX || this.#unwritten < INLINE_MAX) return undefined;
    const pieces = this.#pieces;
    const bytes = this.#unwritten;
    this.#pieces = [];
    const writing = this.#append(pieces).then((file) => {
      this.#unwritten -= bytes;
      return file;
    });
    // Whoever waits for the chain next sees its failure; nobody may have to wait for it now.
    writing.catch(() => undefined);
    this.#writing = writing;
    return this.#unwritten > UNWRITTEN_MAX ? writing.then(() => undefined) : undefined;
  }

  async #append(pieces: readonly Buffer[]): Promise<FileHandle> {
    const file =
      this.#writing === undefined
        ? await open(bodyFile(this.#spoolDirectory, this.#id), "wx", 0o600)
        : await this.#writing;
    let left = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const { bytesWritten } = await file.writev([...pieces]);
    left -= bytesWritten;
    if (left !== 0) throw new SpoolError(`short write, ${left} bytes are missing`, true);
    return file;
  }

  /** The body: whole in memory, or whole and synced in its file. Throws SpoolError, and removes the file then. */
  async finish(): Promise<Body> {
    if (this.#writing === undefined) return inlineBody(Buffer.concat(this.#pieces, this.size));
    try {
      const file = await this.#append(this.#pieces);
      await file.sync();
      await file.close();
      await syncDirectory(bodyDirectory(this.#spoolDirectory));
      return fileBody(bodyFile(this.#spoolDirectory, this.#id), this.size, this.checksum);
    } catch (error) {
      await this.discard();
      throw spoolError("cannot store the body", error);
    }
  }

  /** Nothing of the body is left. */
  async discard(): Promise<void> {
    this.#pieces = [];
    const writing = this.#writing;
    if (writing === undefined) return;
    this.#writing = undefined;
    await writing.then((file) => file.close()).catch(() => undefined);
    await rm(bodyFile(this.#spoolDirectory, this.#id), { force: true });
  }
}

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export function spoolError(what: string, cause: unknown): SpoolError {
  if (cause instanceof SpoolError) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const text = cause instanceof Error ? cause.message : String(cause);
  // EDQUOT has no name in Node: "Unknown system error -122".
  return new SpoolError(`${what}: ${text}`, FULL.has(code) || code.includes("-122"), cause);
}

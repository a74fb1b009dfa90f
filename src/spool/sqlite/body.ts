// Bodies as the spool stores them:
//
// - up to 64 KiB in the database. They are loaded with their message.
// - up to 256 KiB in the database if there was room in memory when they came in. For later attempts they are read in
//   pieces, so that hundreds of messages under attempt cost little memory. Reports of the relay are in the database
//   whatever their size.
// - all others in a file of their own.
//
// Invariant: a body with a wrong length or checksum is never read to its end without an error.

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { readBuffers } from "../../base/net/read-buffers.ts";
import type { Body, MessageId } from "../../mail/envelope.ts";
import { errorCode } from "../../base/error-code.ts";

/** Bodies up to this number of octets are always in the database, and are loaded with their message. */
export const SMALL_MAX = 64 * 1024;

/** No incoming body of more octets is in the database. */
export const INLINE_MAX = 256 * 1024;

const CHUNK = 64 * 1024;
/** SQLite reads a whole body for each piece of it, so a large report is read in this number of larger pieces. */
const PIECES_MAX = 16;

export class CorruptBody extends Error {
  constructor(what: string, cause?: unknown) {
    super(`stored body is damaged: ${what}`, { cause });
    this.name = "CorruptBody";
  }
}

/** What the row of a message says of its body. */
export interface Recorded {
  readonly size: number;
  /** CRC-32. */
  readonly checksum: number;
}

/** Gets the damage that is found while a body is read. */
type OnDamage = (damage: CorruptBody) => void;

export function bodyDirectory(spoolDirectory: string): string {
  return join(spoolDirectory, "bodies");
}

export function bodyFile(spoolDirectory: string, id: MessageId): string {
  return join(bodyDirectory(spoolDirectory), id);
}

/** Returns a body that is read from its file. */
export function fileBody(path: string, recorded: Recorded, onDamage: OnDamage): Body {
  return checkedBody(() => piecesOfFile(path), recorded, onDamage);
}

/** Returns octets of a body in the database. Fewer than `length` if it ends; undefined if it is not there. */
export type ReadPart = (from: number, length: number) => Promise<Uint8Array | undefined>;

/** Returns a body that is read from the database in pieces. */
export function databaseBody(read: ReadPart, recorded: Recorded, onDamage: OnDamage): Body {
  const length = Math.max(CHUNK, Math.ceil(recorded.size / PIECES_MAX));
  return checkedBody(() => partsOf(read, length), recorded, onDamage);
}

/**
 * Returns the body of these pieces. If they are damaged, `chunks` throws CorruptBody at the latest after the last
 * chunk, so that the reader does not finish, and `onDamage` is called.
 */
function checkedBody(
  pieces: () => AsyncIterable<Buffer>,
  { size, checksum }: Recorded,
  onDamage: OnDamage,
): Body {
  return {
    size,
    async *chunks() {
      let sum = 0;
      let length = 0;
      try {
        for await (const piece of pieces()) {
          sum = crc32(piece, sum);
          length += piece.length;
          if (length > size) break;
          yield piece;
        }
        if (length !== size) throw new CorruptBody(`${length} bytes of ${size}`);
        if (sum !== checksum) throw new CorruptBody("wrong checksum");
      } catch (error) {
        if (error instanceof CorruptBody) onDamage(error);
        throw error;
      }
    },
  };
}

async function* piecesOfFile(path: string): AsyncGenerator<Buffer> {
  try {
    const stream: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: CHUNK });
    for await (const piece of stream) {
      readBuffers.count(piece.length);
      yield piece;
    }
  } catch (error) {
    throw errorCode(error) === "ENOENT" ? new CorruptBody("its file is missing", error) : error;
  }
}

/** Reads until a piece is short: a body that is longer than recorded is noticed. */
async function* partsOf(read: ReadPart, length: number): AsyncGenerator<Buffer> {
  for (let from = 0; ; from += length) {
    const part = await read(from, length);
    if (part === undefined) throw new CorruptBody("its bytes are missing");
    if (part.length > 0) yield Buffer.from(part.buffer, part.byteOffset, part.length);
    if (part.length < length) return;
  }
}

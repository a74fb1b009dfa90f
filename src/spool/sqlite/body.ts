// Bodies as the spool keeps them: up to 64 KiB in the database, larger ones in a file of their own.
// Invariant: a body with a wrong length or checksum is never read to its end without an error.

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Body, MessageId } from "../../mail/envelope.ts";
import { errorCode } from "../../base/error-code.ts";

/** Bodies up to this number of bytes are in the database. */
export const INLINE_MAX = 64 * 1024;

const CHUNK = 64 * 1024;

export class CorruptBody extends Error {
  constructor(what: string, cause?: unknown) {
    super(`stored body is damaged: ${what}`, { cause });
    this.name = "CorruptBody";
  }
}

export function bodyDirectory(spoolDirectory: string): string {
  return join(spoolDirectory, "bodies");
}

export function bodyFile(spoolDirectory: string, id: MessageId): string {
  return join(bodyDirectory(spoolDirectory), id);
}

/**
 * Returns a body that is read from its file. If the file is damaged, `chunks` throws CorruptBody at the latest after
 * the last chunk, so that the reader does not finish, and `onDamage` is called.
 */
export function fileBody(
  path: string,
  size: number,
  checksum: number,
  onDamage: (damage: CorruptBody) => void,
): Body {
  const damaged = (what: string, cause?: unknown): CorruptBody => {
    const damage = new CorruptBody(what, cause);
    onDamage(damage);
    return damage;
  };
  return {
    size,
    async *chunks() {
      let sum = 0;
      let length = 0;
      const stream: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: CHUNK });
      try {
        for await (const chunk of stream) {
          sum = crc32(chunk, sum);
          length += chunk.length;
          if (length > size) break;
          yield chunk;
        }
      } catch (error) {
        throw errorCode(error) === "ENOENT" ? damaged("its file is missing", error) : error;
      }
      if (length !== size) throw damaged(`${length} bytes of ${size}`);
      if (sum !== checksum) throw damaged("wrong checksum");
    },
  };
}

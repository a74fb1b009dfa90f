// Bodies as the spool keeps them: up to 64 KiB in the database, larger ones in a file of their own.
// A body whose length or checksum is wrong is never handed out as if it were whole.

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Body, MessageId } from "../../mail/envelope.ts";
import { errorCode } from "../../base/error-code.ts";

/** Bodies up to this many bytes stand in the database. */
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
 * Throws CorruptBody behind the last chunk when the file is not what was stored: the reader must not finish.
 * `onDamage` hears of it too.
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

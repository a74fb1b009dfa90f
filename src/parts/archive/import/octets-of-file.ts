// The octets of a file as they are read, by a descriptor that somebody else has opened.

import type { FileHandle } from "node:fs/promises";

const PIECE = 256 * 1024;

/** From `from` to `end`, as far as the file goes. `count` hears of each piece. Each piece has a buffer of its own. */
export async function* octetsOfFile(
  file: Pick<FileHandle, "read">,
  count: (octets: number) => void,
  from = 0,
  end = Infinity,
): AsyncGenerator<Buffer> {
  for (let at = from; at < end;) {
    const length = Math.min(PIECE, end - at);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    count(bytesRead);
    yield buffer.subarray(0, bytesRead);
  }
}

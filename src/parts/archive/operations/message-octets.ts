// The octets of a message's file, piece by piece.

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { errorCode } from "../../../base/error-code.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const PIECE = 192 * 1024;

/** From `start` to `end`, at most to the end of the file. Throws CommandError (1) if the file is gone or too short. */
export async function* octetsOf(
  path: string,
  start = 0,
  end?: number,
): AsyncGenerator<Buffer, void> {
  await using file = await opened(path);
  const status = await file.stat();
  if (!status.isFile()) throw new CommandError(`${path} is no regular file`, EXIT.notDone);
  const last = end ?? status.size;
  for (let at = start; at < last;) {
    const length = Math.min(PIECE, last - at);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) throw new CommandError(`${path} has become shorter`, EXIT.notDone);
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function opened(path: string) {
  try {
    return await open(path, FLAGS);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    throw new CommandError(`${path} is gone; try again`, EXIT.notDone);
  }
}

// raw: the file of a message, octet by octet.

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { operation } from "../service/operation.ts";
import { archivedMessage, chunksOf, readMessageOrder } from "./archived.ts";

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const PIECE = 192 * 1024;

export const raw = operation({
  verb: "raw",
  access: "read",
  read: readMessageOrder,
  async *run(archive, order, signal) {
    const { path } = await archivedMessage(archive, order);
    await using file = await open(path, FLAGS);
    const status = await file.stat();
    if (!status.isFile()) throw new CommandError(`${path} is no regular file`, EXIT.notDone);
    const { size } = status;
    for (let at = 0; at < size && !signal.aborted;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(PIECE), 0, PIECE, at);
      if (bytesRead === 0) {
        throw new CommandError(`${path} has become shorter`, EXIT.notDone);
      }
      yield* chunksOf(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  },
});

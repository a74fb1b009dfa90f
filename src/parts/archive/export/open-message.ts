// Opens the file of a message for an export, and follows it if a reader moves it meanwhile.

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { errorCode } from "../../../base/error-code.ts";
import { type ExportedMessage, type OpenedMessage, Unreadable } from "./exported-message.ts";

const PIECE = 256 * 1024;
/** Times by two clocks that mean the same, in ms. */
const SAME = 1000;
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface Opened extends OpenedMessage {
  /** Whether all octets have been read, and are those of the index. */
  isAsIndexed(): boolean | undefined;
  close(): Promise<void>;
}

/** Undefined if the message is gone. `pathOf` finds the present path. Rejects with Unreadable. */
export async function openMessage(
  message: ExportedMessage,
  pathOf: (message: ExportedMessage) => Promise<string | undefined>,
): Promise<Opened | undefined> {
  for (let tries = 0; tries < 3; tries++) {
    const path = await pathOf(message);
    if (path === undefined) return undefined;
    try {
      return await withFile(message, path, await open(path, FLAGS));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw unreadable(error);
    }
  }
  return undefined;
}

async function withFile(message: ExportedMessage, path: string, file: FileHandle): Promise<Opened> {
  const status = await file.stat();
  if (!status.isFile()) {
    await file.close();
    throw new Unreadable("it is no regular file");
  }
  const { mtimeMs, size } = status;
  const isSame = Math.abs(mtimeMs - message.deliveredAt) < SAME;
  let digest: string | undefined;
  return {
    message,
    path,
    size,
    time: isSame ? mtimeMs : message.deliveredAt,
    peek: async (from, length) => {
      const { buffer, bytesRead } = await read(file, from, Math.min(length, size - from));
      return buffer.subarray(0, bytesRead);
    },
    async *octets() {
      const hash = createHash("sha256");
      for (let at = 0; at < size;) {
        const { buffer, bytesRead } = await read(file, at, Math.min(PIECE, size - at));
        if (bytesRead === 0) throw new Unreadable("it has become shorter");
        const piece = buffer.subarray(0, bytesRead);
        hash.update(piece);
        at += bytesRead;
        yield piece;
      }
      digest = hash.digest("hex");
    },
    isAsIndexed: () => (digest === undefined ? undefined : digest === message.sha256),
    close: () => file.close(),
  };
}

async function read(
  file: FileHandle,
  at: number,
  length: number,
): Promise<{ readonly buffer: Buffer; readonly bytesRead: number }> {
  if (length <= 0) return { buffer: Buffer.alloc(0), bytesRead: 0 };
  try {
    return await file.read(Buffer.allocUnsafe(length), 0, length, at);
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): Unreadable {
  const what = error instanceof Error ? error.message : String(error);
  return new Unreadable(what, { cause: error });
}

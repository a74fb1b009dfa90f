// The size and hash of a file, read in pieces.

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { errorCode } from "../../../base/error-code.ts";

export interface FileSeen {
  readonly size: number;
  /** mtime in ms. */
  readonly modifiedAt: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

const PIECE = 256 * 1024;

/** Links are not followed. A pipe does not block the open. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** "gone" without such a file; "unreadable" if it is not a regular file, or the system cannot read it. */
export async function hashOfFile(path: string): Promise<FileSeen | "gone" | "unreadable"> {
  try {
    await using file = await open(path, FLAGS);
    const status = await file.stat();
    if (!status.isFile()) return "unreadable";
    return {
      size: status.size,
      modifiedAt: status.mtimeMs,
      sha256: await hashOf(file, status.size),
    };
  } catch (error) {
    return errorCode(error) === "ENOENT" ? "gone" : "unreadable";
  }
}

async function hashOf(file: FileHandle, size: number): Promise<string> {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(Math.min(PIECE, size + 1));
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, piece.length);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(piece.subarray(0, bytesRead));
  }
}

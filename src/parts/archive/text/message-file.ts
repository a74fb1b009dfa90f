// Opens the file of one message and takes its hashes.
//
// Invariants: only regular files are opened, and no link is followed. A FIFO in the place of a file blocks nothing. The
// file is read as a stream, whatever its size.

import { createHash, hash } from "node:crypto";
import fs from "node:fs";
import { errorCode } from "../../../base/error-code.ts";
import {
  DELIVERY_HEADERS_OCTETS,
  readDeliveryHeaders,
} from "../../../maildir/read-delivery-headers.ts";
import type { ReadDeliveryHeaders } from "../../../maildir/read-delivery-headers.ts";
import { Octets } from "./octets.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
/** Files up to this size are read at once. */
const AT_ONCE = 1 << 20;
const STREAMED = Buffer.allocUnsafeSlow(1 << 18);

/** No such file, or something that is no file of a message: a link, a directory, a device. */
const NO_MESSAGE = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EMLINK", "ENXIO", "EISDIR", "ENODEV"]);

export interface MessageFile {
  readonly octets: Octets;
  readonly headers: ReadDeliveryHeaders;
  readonly sha256: string;
  readonly contentSha256: string;
}

/**
 * Calls `use` with the open file, which is closed afterwards. Returns "gone" if no regular file has this name. `alive` is
 * called from time to time while a large file is hashed.
 */
export async function withMessageFile<T>(
  path: string,
  alive: () => void,
  use: (file: MessageFile) => Promise<T> | T,
): Promise<T | "gone"> {
  const file = openMessage(path);
  if (file === undefined) return "gone";
  try {
    const status = fs.fstatSync(file);
    if (!status.isFile()) return "gone";
    const octets = new Octets({ file, length: status.size });
    const headers = readDeliveryHeaders(octets.bytes(0, DELIVERY_HEADERS_OCTETS));
    return await use({ octets, headers, ...hashesOf(file, octets, headers.length, alive) });
  } finally {
    fs.closeSync(file);
  }
}

function openMessage(path: string): number | undefined {
  try {
    return fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    if (NO_MESSAGE.has(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}

function hashesOf(
  file: number,
  octets: Octets,
  headersLength: number,
  alive: () => void,
): Pick<MessageFile, "sha256" | "contentSha256"> {
  if (octets.length <= AT_ONCE) {
    const all = octets.bytes(0, octets.length);
    const sha256 = hash("sha256", all);
    return {
      sha256,
      contentSha256: headersLength === 0 ? sha256 : hash("sha256", all.subarray(headersLength)),
    };
  }
  const whole = createHash("sha256");
  const content = createHash("sha256");
  for (let at = 0; at < octets.length;) {
    const count = fs.readSync(file, STREAMED, 0, Math.min(STREAMED.length, octets.length - at), at);
    // The file has become shorter: its present octets are hashed, and the next look at it finds another size.
    if (count === 0) break;
    const piece = STREAMED.subarray(0, count);
    whole.update(piece);
    content.update(at >= headersLength ? piece : piece.subarray(headersLength - at));
    at += count;
    alive();
  }
  return { sha256: whole.digest("hex"), contentSha256: content.digest("hex") };
}

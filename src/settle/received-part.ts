// Reads a message in the spool as it was received: without the fields that the relay has put above it.
//
// Invariant: only our own results and the first Received field, which is ours, are left out; every other octet stays.

import type { Body } from "../mail/envelope.ts";

/** Limit of octets of our Received fields. */
const FIELD_MAX = 8192;

/** `head` has the fields above our Received field (see Envelope). */
export async function* receivedPart(
  body: Pick<Body, "chunks">,
  head = "",
): AsyncGenerator<Buffer, void> {
  let begin: Buffer | undefined = Buffer.alloc(0);
  const skipped = Buffer.byteLength(head);
  for await (const piece of body.chunks()) {
    if (begin === undefined) {
      yield piece;
      continue;
    }
    begin = Buffer.concat([begin, piece]);
    const end = endOfField(begin, skipped);
    if (end === undefined && begin.length < skipped + FIELD_MAX) continue;
    yield begin.subarray(end ?? skipped);
    begin = undefined;
  }
  if (begin !== undefined) yield begin.subarray(endOfField(begin, skipped, true) ?? skipped);
}

/**
 * The end of the field that begins at `start`, with its folded lines; undefined while more `bytes` may belong to it.
 */
function endOfField(bytes: Buffer, start: number, isAll = false): number | undefined {
  for (let end = bytes.indexOf("\r\n", start); end >= 0; end = bytes.indexOf("\r\n", end + 2)) {
    const next = bytes[end + 2];
    if (next === undefined) return isAll ? end + 2 : undefined;
    if (next !== 0x20 && next !== 0x09) return end + 2;
  }
  return undefined;
}

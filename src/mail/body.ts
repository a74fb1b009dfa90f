// Bodies that are held in memory, and header fields above a body.

import type { Body } from "./envelope.ts";

/** Octets of a chunk. */
const CHUNK = 64 * 1024;

export function inlineBody(bytes: Buffer): Body {
  return {
    size: bytes.length,
    inline: bytes,
    async *chunks() {
      for (let from = 0; from < bytes.length; from += CHUNK) {
        yield bytes.subarray(from, from + CHUNK);
      }
    },
  };
}

/** The body with separately stored header fields above it. */
export function withHead(head: string | undefined, body: Body): Body {
  if (head === undefined) return body;
  const bytes = Buffer.from(head, "latin1");
  if (body.inline !== undefined) return inlineBody(Buffer.concat([bytes, body.inline]));
  return {
    size: bytes.length + body.size,
    async *chunks() {
      yield bytes;
      yield* body.chunks();
    },
  };
}

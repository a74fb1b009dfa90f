// Bodies that are held in memory, and header fields above a body.

import type { Body } from "./envelope.ts";

export function inlineBody(bytes: Buffer): Body {
  return {
    size: bytes.length,
    inline: bytes,
    async *chunks() {
      yield bytes;
    },
  };
}

/** The body with separately stored header fields above it. */
export function withHead(head: string | undefined, body: Body): Body {
  if (head === undefined) return body;
  const bytes = Buffer.from(head, "latin1");
  return {
    size: bytes.length + body.size,
    ...(body.inline && { inline: Buffer.concat([bytes, body.inline]) }),
    async *chunks() {
      yield bytes;
      yield* body.chunks();
    },
  };
}

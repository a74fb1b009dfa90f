// Downloads: octets that strangers wrote.

import { OCTETS_POLICY } from "./security-headers.ts";
import { dispositionOf } from "./text.ts";

/** A download. A browser neither shows it nor guesses its type. */
export function octets(stream: ReadableStream, name: string, type: string): Response {
  const headers = {
    "content-type": type,
    "content-disposition": dispositionOf(name),
    "content-security-policy": OCTETS_POLICY,
  };
  return new Response(stream, { headers });
}

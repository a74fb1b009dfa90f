// Fetches the MTA-STS policy of a domain (RFC 8461 3.3): only from its policy host, and at most 64 KiB.

import type { IncomingMessage } from "node:http";
import { exchange, type HttpsMeans } from "../base/net/https.ts";

/** The limit that RFC 8461 3.3 suggests, in octets. */
const SIZE_MAX = 65_536;

/** Returns the text of the policy. Rejects if it cannot be fetched. */
export function fetchPolicy(domain: string, means: HttpsMeans): Promise<string> {
  const host = `mta-sts.${domain}`;
  const path = "/.well-known/mta-sts.txt";
  return exchange({ host, path, headers: { host, accept: "text/plain" } }, means, (response) => {
    const problem = problemOf(response);
    if (problem !== undefined) throw new Error(problem);
    return limitedText(response);
  });
}

/** The reason why a reply has no policy: RFC 8461 3.3 allows only plain text, and forbids redirects. */
function problemOf({ statusCode, headers }: IncomingMessage): string | undefined {
  if (statusCode !== 200) return `HTTP status ${statusCode}`;
  const type = headers["content-type"] ?? "";
  return /^text\/plain[ \t]*(?:;|$)/i.test(type) ? undefined : `content type "${type}"`;
}

async function limitedText(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response) {
    if (!Buffer.isBuffer(piece)) continue;
    size += piece.length;
    if (size > SIZE_MAX) throw new Error(`more than ${SIZE_MAX} octets`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

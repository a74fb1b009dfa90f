// Fetches the MTA-STS policy of a domain (RFC 8461 3.3): over HTTPS with a certificate that is valid for the policy host,
// from nowhere else, in little time and of little size.

import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Clock } from "../clock.ts";
import { lookupOf } from "../dns/lookup.ts";
import type { Resolver } from "../dns/resolver.ts";

/** How policy hosts are reached. */
export interface Https {
  readonly port: number;
  /** The authorities to trust, PEM; absent: those that Node.js trusts. */
  readonly ca?: string;
}

export interface Fetching {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly https: Https;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

/** RFC 8461 3.3 names both. */
const DEADLINE = 60_000;
const SIZE_MAX = 65_536;

/** The text of the policy. Throws when there is none to be had. */
export async function fetchPolicy(domain: string, fetching: Fetching): Promise<string> {
  const { clock, signal: outer } = fetching;
  const controller = new AbortController();
  const timer = clock.after(DEADLINE, () => controller.abort(new Error("it took too long")));
  const signal = AbortSignal.any([outer, controller.signal]);
  try {
    const response = await get(domain, fetching, signal);
    const problem = problemOf(response);
    if (problem !== undefined) {
      response.destroy();
      throw new Error(problem);
    }
    return await limitedText(response);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    timer.cancel();
  }
}

async function get(
  domain: string,
  { resolver, https }: Fetching,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const host = `mta-sts.${domain}`;
  const lookup = await lookupOf(host, resolver);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // The certificate is checked as always: chain, dates, name.
  request({
    host,
    servername: host,
    port: https.port,
    path: "/.well-known/mta-sts.txt",
    headers: { host, accept: "text/plain" },
    agent: false,
    lookup,
    signal,
    ...(https.ca === undefined ? {} : { ca: https.ca }),
  })
    .on("response", resolve)
    .on("error", reject)
    .end();
  return promise;
}

/** Redirects are not followed, and a page for people is no policy (RFC 8461 3.3). */
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

// A report by HTTPS (RFC 8460 5.4): to a host whose certificate is valid in its name, and to nobody else; redirects are
// not followed, and of the answer only its status is looked at. So a record that names a host of our own network finds
// nobody there who is told anything.

import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Clock } from "../clock.ts";
import { lookupOf } from "../dns/lookup.ts";
import type { Resolver } from "../dns/resolver.ts";
import type { Https } from "../mta-sts/fetch.ts";

export interface Posting {
  readonly clock: Clock;
  readonly resolver: Resolver;
  /** Its port is that of addresses that name none. */
  readonly https: Https;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

const DEADLINE = 60_000;

/** Resolves when the other side has taken it. Rejects when it has not, or nobody knows. */
export async function postReport(url: URL, gzipped: Buffer, posting: Posting): Promise<void> {
  const { clock, signal: outer } = posting;
  const controller = new AbortController();
  const timer = clock.after(DEADLINE, () => controller.abort(new Error("it took too long")));
  const signal = AbortSignal.any([outer, controller.signal]);
  try {
    const response = await post(url, gzipped, posting, signal);
    response.destroy();
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw new Error(`HTTP status ${statusCode}`);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    timer.cancel();
  }
}

async function post(
  { hostname, port, pathname, search }: URL,
  gzipped: Buffer,
  { resolver, https }: Posting,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const lookup = await lookupOf(hostname, resolver);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({
    method: "POST",
    host: hostname,
    port: port === "" ? https.port : Number(port),
    path: `${pathname}${search}`,
    headers: { "content-type": "application/tlsrpt+gzip", "content-length": gzipped.length },
    agent: false,
    lookup,
    signal,
    ...(https.ca === undefined ? {} : { ca: https.ca }),
  })
    .on("response", resolve)
    .on("error", reject)
    .end(gzipped);
  return promise;
}

// HTTPS to hosts that strangers name: by our own resolver, under a certificate that is valid in the host's name, within
// a minute; redirects are not followed.
//
// Invariants: no connection is made to an address that no mail is sent to either, so a name that leads into our own
// network reaches nobody there; nor to a port that the stranger has chosen.

import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import { given } from "../given.ts";
import type { Clock } from "../clock.ts";
import { lookupOf } from "../../dns/lookup.ts";
import type { Resolver } from "../../dns/dns.ts";
import { isNeverTarget } from "../../dns/target-addresses.ts";

/** How such hosts are reached. */
export interface Https {
  /** The only one that is connected to. */
  readonly port: number;
  /** The authorities to trust, PEM; absent: those that Node.js trusts. */
  readonly ca?: string;
  /** Nothing is sent to this address. */
  readonly isIgnored: (address: string) => boolean;
}

/** As all the world does. */
export const HTTPS: Https = { port: 443, isIgnored: isNeverTarget };

export interface HttpsMeans {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly https: Https;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

export interface HttpsRequest extends Pick<RequestOptions, "method" | "path" | "headers"> {
  readonly host: string;
  /** Absent: that of the means. */
  readonly port?: number;
  readonly body?: Buffer;
}

/** As RFC 8461 3.3 has it. */
const DEADLINE = 60_000;

/** What `read` makes of the answer, of which nothing is left behind. Rejects when there is none in time. */
export async function exchange<T>(
  wanted: HttpsRequest,
  means: HttpsMeans,
  read: (response: IncomingMessage) => T | Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = means.clock.after(DEADLINE, () => deadline.abort(new Error("it took too long")));
  const signal = AbortSignal.any([means.signal, deadline.signal]);
  try {
    const response = await answerTo(wanted, means, signal);
    try {
      return await read(response);
    } finally {
      response.destroy();
    }
  } catch (error) {
    throw deadline.signal.aborted ? deadline.signal.reason : error;
  } finally {
    timer.cancel();
  }
}

async function answerTo(
  { body, port, ...wanted }: HttpsRequest,
  { resolver, https }: HttpsMeans,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  if (port !== undefined && port !== https.port)
    throw new Error(`port ${port}: only port ${https.port} is connected to`);
  const lookup = await until(signal, lookupOf(wanted.host, resolver, https.isIgnored));
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // The certificate is checked as always: chain, dates, name.
  request({
    ...wanted,
    port: https.port,
    agent: false,
    lookup,
    signal,
    ...given({ ca: https.ca }),
  })
    .on("response", resolve)
    .on("error", reject)
    .end(body);
  return promise;
}

/** What `work` gives; rejects as soon as the signal comes, and the work goes on for nothing. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  work.then(resolve, reject);
  return promise;
}

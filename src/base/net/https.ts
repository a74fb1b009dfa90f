// HTTPS to hosts that are named in DNS records or policies of other domains. Names are resolved by our own resolver,
// certificates must be valid for the host's name, the deadline is one minute, and redirects are not followed.
//
// Invariants: the relay connects only to addresses that mail may be sent to, so a name cannot lead it into our own
// network. It connects only to one fixed port, never to one that the other domain has chosen.

import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import { given } from "../given.ts";
import type { Clock } from "../clock.ts";
import { lookupOf } from "../../dns/lookup.ts";
import type { Resolver } from "../../dns/dns.ts";
import { isNeverTarget } from "../../dns/target-addresses.ts";

/** How such hosts are reached. */
export interface Https {
  /** The only port that is connected to. */
  readonly port: number;
  /** The authorities to trust, PEM. Absent: those that Node.js trusts. */
  readonly ca?: string;
  /** Whether the relay must not connect to this address. */
  readonly isIgnored: (address: string) => boolean;
}

/** The settings for the public Internet. */
export const HTTPS: Https = { port: 443, isIgnored: isNeverTarget };

export interface HttpsMeans {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly https: Https;
  /** Aborts the request. */
  readonly signal: AbortSignal;
}

export interface HttpsRequest extends Pick<RequestOptions, "method" | "path" | "headers"> {
  readonly host: string;
  /** Absent: the port of `HttpsMeans`. */
  readonly port?: number;
  readonly body?: Buffer;
}

/** Milliseconds, as RFC 8461 3.3 suggests. */
const DEADLINE = 60_000;

/** Returns what `read` makes of the answer, then closes the connection. Rejects without an answer in time. */
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
  // Node checks the certificate as always: chain, dates, name.
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

/** Settles like `work`, but rejects as soon as the signal is aborted. The work itself goes on unobserved. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  work.then(resolve, reject);
  return promise;
}

// HTTPS to hosts that strangers name: by our own resolver, under a certificate that is valid in the host's name, within
// a minute; redirects are not followed. So a name that leads into our own network finds nobody there who is told
// anything.

import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import type { Clock } from "./clock.ts";
import { lookupOf } from "./dns/lookup.ts";
import type { Resolver } from "./dns/resolver.ts";

/** How such hosts are reached. */
export interface Https {
  /** Where an address names none. */
  readonly port: number;
  /** The authorities to trust, PEM; absent: those that Node.js trusts. */
  readonly ca?: string;
}

export interface HttpsMeans {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly https: Https;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

export interface HttpsRequest extends Pick<RequestOptions, "method" | "path" | "headers"> {
  readonly host: string;
  /** Another than that of the means. */
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
  const lookup = await lookupOf(wanted.host, resolver);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // The certificate is checked as always: chain, dates, name.
  request({
    ...wanted,
    port: port ?? https.port,
    agent: false,
    lookup,
    signal,
    ...(https.ca === undefined ? {} : { ca: https.ca }),
  })
    .on("response", resolve)
    .on("error", reject)
    .end(body);
  return promise;
}

// One HTTP request to an API of Google, and its whole answer.
//
// Invariants:
//
// - A request ends after 20 s, headers and body together. An answer above its limit of octets is not read to its end.
// - The secrets in a request go to HTTPS or to this machine, and never to where an answer redirects to.
// - An answer that is cut short is no answer.

import type { Clock } from "../base/clock.ts";
import { errorCode } from "../base/error-code.ts";
import { given } from "../base/given.ts";
import { GoogleError } from "./google-error.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Request {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Present: the request is a POST. */
  readonly body?: string;
}

export interface ExchangeMeans {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Octets of the answer's body, after decompression. */
  readonly sizeMax: number;
}

/** The request got no whole answer. It may get one later. */
export class NoAnswer extends Error {
  override name = "NoAnswer";
}

/** Milliseconds. */
const REQUEST_LONGEST = 20_000;

/** Throws NoAnswer, or GoogleError if another try is useless. If the signal is aborted, throws its reason. */
export async function exchange(request: Request, means: ExchangeMeans): Promise<Answer> {
  const { clock, sizeMax } = means;
  const late = new AbortController();
  const timer = clock.after(REQUEST_LONGEST, () => late.abort());
  const signal = AbortSignal.any([means.signal, late.signal]);
  try {
    const { url, headers, body } = request;
    const method = body === undefined ? "GET" : "POST";
    const response = await fetch(url, {
      ...given({ body }),
      method,
      headers,
      signal,
      redirect: "manual",
    });
    const text = await limitedText(response, sizeMax, url);
    return { status: response.status, headers: response.headers, text };
  } catch (error) {
    if (error instanceof GoogleError) throw error;
    if (means.signal.aborted) throw means.signal.reason;
    throw new NoAnswer(late.signal.aborted ? "no answer within 20 s" : causeOf(error), {
      cause: error,
    });
  } finally {
    timer.cancel();
  }
}

async function limitedText(response: Response, sizeMax: number, { host }: URL): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  // Leaving the loop early cancels the rest of the body.
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > sizeMax) {
      throw new GoogleError("unreachable", `${host}: an answer with more than ${sizeMax} octets`, {
        status: response.status,
      });
    }
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** "ECONNREFUSED". The error of fetch itself says only that it failed. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return errorCode(cause) ?? (cause instanceof Error ? cause.message : String(cause));
}

/** The URL, if secrets may be sent there: by HTTPS, or to this machine. Undefined otherwise. */
export function safeUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return undefined;
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isThisMachine(url));
  return isSafe ? url : undefined;
}

function isThisMachine({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.[\d.]+$/.test(hostname);
}

// Reads from APIs of Google as a service account: tokens, requests with bounds, back-off, the meaning of refusals. The
// room knows no particular API.
//
// Invariants:
//
// - An object that `get` returns is one that Google has sent whole. No error, no HTML and no cut answer looks like one.
// - Nothing that is shown holds a key, a token or a signed statement.

import type { Clock } from "../base/clock.ts";
import { credentialsFor, type Credentials, type GoogleAccess, type Token } from "./credentials.ts";
import { exchange, NoAnswer, type Request, safeUrl } from "./exchange.ts";
import { GoogleError } from "./google-error.ts";
import { Patience, TryLater } from "./patience.ts";
import { objectOf } from "./refusal.ts";

export { GoogleError } from "./google-error.ts";

export interface GoogleMeans {
  readonly clock: Clock;
  /** A number from 0 to 1, for the waits between tries. Absent: Math.random. */
  readonly random?: (() => number) | undefined;
  /** Ends all requests and waits. They reject with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for all requests together, waits included. Absent: as long as some of them succeed. */
  readonly deadline?: number | undefined;
}

interface GetOptions {
  /** Octets of the answer. */
  readonly sizeMax?: number;
  /** Whether the object is what was asked for. If not, the request is tried again, as after a cut answer. */
  readonly isWhole?: (object: Readonly<Record<string, unknown>>) => boolean;
}

/** Octets of an answer. */
const SIZE_MAX = 4 * 1024 * 1024;
/** Octets of an answer with a token. */
const TOKEN_SIZE_MAX = 64 * 1024;
/** Seconds before its end at which a token is no longer used, and the shortest use of any token. */
const TOKEN_MARGIN = 60;
const TOKEN_SHORTEST = 10;

interface Held {
  readonly token: Promise<Token>;
  /** By the monotonic clock. */
  until: number;
}

export class GoogleApi {
  readonly #credentials: Credentials;
  readonly #means: GoogleMeans;
  readonly #patience: Patience;
  #held: Held | undefined;

  private constructor(credentials: Credentials, means: GoogleMeans) {
    const { clock, random = Math.random, signal = new AbortController().signal, deadline } = means;
    this.#credentials = credentials;
    this.#means = means;
    this.#patience = new Patience({ clock, random, signal, deadline });
  }

  /** Reads the credentials, and asks nobody yet. Throws GoogleError ("key") if they cannot be used. */
  static async open(access: GoogleAccess, means: GoogleMeans): Promise<GoogleApi> {
    return new GoogleApi(await credentialsFor(access), means);
  }

  /**
   * Returns the JSON object at the URL. Throws GoogleError. Tries again after errors that may pass, at most until the
   * deadline; without a deadline, until no request has succeeded for 60 s, or 90 s after the first success.
   */
  get(
    url: URL,
    { sizeMax = SIZE_MAX, isWhole = () => true }: GetOptions = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    let isRenewed = false;
    return this.#patience.persist(async (signal) => {
      const held = this.#current(signal);
      const { value } = await held.token;
      const headers = { authorization: `Bearer ${value}`, accept: "application/json" };
      try {
        const object = await this.#ask({ url, headers }, signal, sizeMax, value);
        if (isWhole(object)) return object;
      } catch (error) {
        const isExpired = error instanceof GoogleError && error.status === 401 && !isRenewed;
        if (!isExpired) throw error;
        isRenewed = true;
        // Another request may have renewed it meanwhile.
        if (this.#held === held) this.#held = undefined;
        throw new TryLater(error, { isAtOnce: true });
      }
      const what = `${url.host}: an answer without what was asked for`;
      throw new TryLater(new GoogleError("unreachable", what));
    });
  }

  #current(signal: AbortSignal): Held {
    const now = this.#means.clock.monotonic();
    if (this.#held !== undefined && now < this.#held.until) return this.#held;
    const token = this.#credentials.token((url, body) => {
      const headers = {
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
      };
      return this.#ask({ url, headers, body }, signal, TOKEN_SIZE_MAX);
    }, signal);
    const held: Held = { token, until: Number.POSITIVE_INFINITY };
    this.#held = held;
    void this.#timed(held);
    return held;
  }

  /** Limits the use of a token to its lifetime. A failure is thrown where the token is awaited. */
  async #timed(held: Held): Promise<void> {
    try {
      const { lifetime } = await held.token;
      const seconds = Math.max(lifetime - TOKEN_MARGIN, TOKEN_SHORTEST);
      held.until = this.#means.clock.monotonic() + seconds * 1000;
    } catch {
      if (this.#held === held) this.#held = undefined;
    }
  }

  async #ask(
    request: Request,
    signal: AbortSignal,
    sizeMax: number,
    ...secrets: readonly string[]
  ): Promise<Readonly<Record<string, unknown>>> {
    const { clock } = this.#means;
    const { host } = request.url;
    const { asker, secrets: own } = this.#credentials;
    if (safeUrl(request.url.href) === undefined) {
      throw new GoogleError("key", `${host}: tokens are sent by https only`);
    }
    try {
      const answer = await exchange(request, { clock, signal, sizeMax });
      return objectOf(answer, { host, asker, secrets: [...own, ...secrets], now: clock.now() });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      throw new TryLater(new GoogleError("unreachable", `${host}: ${error.message}`));
    }
  }
}

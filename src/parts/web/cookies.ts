// The cookies of the pages. Each has its attributes here, and only here.

import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";

/** Seconds in which the code of a second factor must follow the password. */
export const CODE_TIME = 300;

export class Cookies {
  readonly #isSecure: boolean;
  readonly #prefix: string;

  /** `isSecure`: browsers reach the pages by HTTPS. */
  constructor(isSecure: boolean) {
    this.#isSecure = isSecure;
    this.#prefix = isSecure ? "__Host-unseen" : "unseen";
  }

  /** The token of the session; "" if the request has none. */
  session(context: Context): string {
    return getCookie(context, this.#prefix) ?? "";
  }

  /** The token of a login that waits for its second factor; "" if the request has none. */
  code(context: Context): string {
    return getCookie(context, `${this.#prefix}-code`) ?? "";
  }

  /** The time zone that the reader's browser has named. */
  zone(context: Context): string | undefined {
    return getCookie(context, "zone");
  }

  setSession(context: Context, token: string): void {
    setCookie(context, this.#prefix, token, this.#attributes);
    deleteCookie(context, `${this.#prefix}-code`, this.#attributes);
  }

  setCode(context: Context, token: string): void {
    const attributes = { ...this.#attributes, maxAge: CODE_TIME };
    setCookie(context, `${this.#prefix}-code`, token, attributes);
  }

  endSession(context: Context): void {
    deleteCookie(context, this.#prefix, this.#attributes);
  }

  get #attributes() {
    return { path: "/", httpOnly: true, sameSite: "Lax", secure: this.#isSecure } as const;
  }
}

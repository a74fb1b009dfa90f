// The check against forged forms: a page elsewhere must not act for a user who is logged in here.

import { isLoopback, type WebOptions } from "./options.ts";

/** Whether a request that changes something comes from our own pages, or from a program that is no browser. */
export function isOwnOrigin(headers: Headers, own: ReadonlySet<string>): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  const origin = headers.get("origin");
  return origin === null || own.has(origin);
}

/** The origins of the pages. On loopback, the machine has several names. */
export function ownOrigins({ url, address, certificate }: WebOptions): ReadonlySet<string> {
  const scheme = certificate === undefined ? "http" : "https";
  const names = isLoopback(address.host)
    ? ["localhost", "127.0.0.1", "[::1]"]
    : [address.host.includes(":") ? `[${address.host}]` : address.host];
  const direct = names.map((name) => new URL(`${scheme}://${name}:${address.port}`).origin);
  return new Set(url === undefined ? direct : [url, ...(isLoopback(address.host) ? direct : [])]);
}

/** Whether browsers reach the pages by HTTPS. */
export function isSecure({ url, certificate }: WebOptions): boolean {
  return url === undefined ? certificate !== undefined : url.startsWith("https:");
}

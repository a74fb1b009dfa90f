// The header fields that keep a page to itself, whatever stands in a message.

const OWN_PAGE = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self' data:",
  "frame-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Of a message's HTML in its frame: no scripts, no forms, nothing from elsewhere but images if the reader wants them. */
export function framePolicy(isRemote: boolean): string {
  return [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    `img-src data:${isRemote ? " http: https:" : ""}`,
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
    "sandbox allow-popups allow-popups-to-escape-sandbox",
  ].join("; ");
}

/** Of octets that strangers wrote: a browser that shows them anyway runs nothing. */
export const OCTETS_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'";

/** Sets the fields that the answer does not have yet. */
export function secure(headers: Headers, isSecure: boolean): void {
  const fields = {
    "content-security-policy": OWN_PAGE,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
    ...(isSecure ? { "strict-transport-security": "max-age=31536000" } : {}),
  };
  for (const [name, value] of Object.entries(fields)) {
    if (!headers.has(name)) headers.set(name, value);
  }
}

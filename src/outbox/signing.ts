// DKIM signatures for mail of the relay's own. A signature covers the whole body and every header field with a meaning.

import type { Draft } from "../mail/draft.ts";
import type { DkimSigner } from "./dkim-options.ts";
import { signMessage, type SigningKey } from "../receive/authentication/mailauth.ts";

/** The signed fields of every message. */
export const SIGNED = [
  "From",
  "To",
  "Subject",
  "Date",
  "Message-ID",
  "In-Reply-To",
  "References",
  "MIME-Version",
  "Content-Type",
  "Content-Transfer-Encoding",
];

/**
 * The DKIM-Signature field of a composed draft, with its CRLF. `now` is in milliseconds since the epoch. Rejects if the
 * key cannot sign.
 */
export function signatureOf(
  message: Buffer,
  { fields }: Draft,
  key: SigningKey,
  now: number,
): Promise<string> {
  return signMessage(message, [...SIGNED, ...Object.keys(fields)], key, now);
}

/**
 * The keys that sign mail from this address: the keys of its domain, or of the nearest domain above it that has a key. Both
 * are aligned with the address for DMARC (RFC 9989), the second kind in relaxed mode.
 */
export function signersFor(address: string, signers: readonly DkimSigner[]): readonly DkimSigner[] {
  const from = address.slice(address.lastIndexOf("@") + 1).toLowerCase();
  const fitting = signers.filter(({ domain }) => from === domain || from.endsWith(`.${domain}`));
  const longest = Math.max(...fitting.map(({ domain }) => domain.length));
  return fitting.filter(({ domain }) => domain.length === longest);
}

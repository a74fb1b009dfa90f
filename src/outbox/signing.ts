// DKIM over the mail of the relay's own. The signature covers the whole body and every field that says something.

import type { Draft } from "../mail/draft.ts";
import { signMessage, type SigningKey } from "../receive/authentication/mailauth.ts";

/** Besides the fields that the draft has of its own. */
const SIGNED = [
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

/** The message below its signature. `now` in milliseconds since the epoch. Rejects when it cannot be signed. */
export async function signed(
  message: Buffer,
  { fields }: Draft,
  key: SigningKey,
  now: number,
): Promise<Buffer> {
  const signature = await signMessage(message, [...SIGNED, ...Object.keys(fields)], key, now);
  return Buffer.concat([Buffer.from(signature), message]);
}

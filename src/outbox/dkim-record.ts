// The DNS record of a key that signs (RFC 6376 3.6, RFC 8463), for the postmaster to publish.

import { createPublicKey } from "node:crypto";
import type { DkimSigner } from "./dkim-options.ts";

export interface DkimRecord {
  /** The name of the record, without a dot at the end. */
  readonly name: string;
  /** The text of the TXT record, in one piece. */
  readonly value: string;
}

export function dkimRecordOf({ domain, selector, key_file: { key } }: DkimSigner): DkimRecord {
  const type = key.asymmetricKeyType === "ed25519" ? "ed25519" : "rsa";
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  // RFC 8463 4.2 asks for the bare key of Ed25519: the last 32 octets of its SPKI.
  const published = type === "ed25519" ? spki.subarray(-32) : spki;
  const value = `v=DKIM1; k=${type}; p=${published.toString("base64")}`;
  return { name: `${selector}._domainkey.${domain}`, value };
}

/** One string of a TXT record holds 255 octets (RFC 1035 3.3). */
const STRING_OCTETS = 255;

/** The record as a line of a zone file. */
export function zoneLineOf({ name, value }: DkimRecord): string {
  const strings = value.match(new RegExp(`.{1,${STRING_OCTETS}}`, "g")) ?? [];
  return `${name}. TXT ${strings.map((one) => `"${one}"`).join(" ")}`;
}

// DANE for SMTP (RFC 7672, RFC 6698, RFC 7671): does a server's certificate match the TLSA records of its host?
// Invariants: usage 3 pins the server's own certificate, and its name and dates are not checked. Usage 2 names an
// authority: only OpenSSL judges the chain, and trusts only that authority. A record may have only a digest of the
// authority, so the authority must be seen in a chain once before OpenSSL can get it.

import { createHash, X509Certificate } from "node:crypto";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import type { TlsaRecord } from "../dns/dns.ts";

export interface DaneIdentity {
  /** The domain of the TLSA records; also the name for SNI. */
  readonly base: string;
  /** Under usage 2, the certificate must have one of these names. */
  readonly names: readonly string[];
  /** Usable records, at least one. */
  readonly records: readonly TlsaRecord[];
}

/** Certificates of authorities that match a record of usage 2, in PEM. */
export type Anchors = readonly string[];

export type DaneVerdict =
  | { readonly kind: "match" }
  /** The chain has an authority that matches a record: connect again, with it as an anchor. */
  | { readonly kind: "anchors"; readonly anchors: Anchors }
  | { readonly kind: "mismatch" };

const DANE_TA = 2;
const DANE_EE = 3;
const WHOLE = 0;
const PUBLIC_KEY = 1;
/** The matching types with a digest: all but 0. */
const DIGESTS: ReadonlyMap<number, { readonly name: string; readonly length: number }> = new Map([
  [1, { name: "sha256", length: 32 }],
  [2, { name: "sha512", length: 64 }],
]);

/**
 * The records that a client of SMTP can use (RFC 7672 3.1). Of several digests of one usage and selector only the
 * strongest counts (RFC 7671 9), so that a broken weaker digest does no harm.
 */
export function usableRecords(records: readonly TlsaRecord[]): TlsaRecord[] {
  const usable = records.filter(isUsable);
  const strongest = new Map<string, number>();
  for (const one of usable) {
    strongest.set(kindOf(one), Math.max(one.matching, strongest.get(kindOf(one)) ?? 0));
  }
  return usable.filter((one) => one.matching === 0 || one.matching === strongest.get(kindOf(one)));
}

function isUsable({ usage, selector, matching, association }: TlsaRecord): boolean {
  if (usage !== DANE_TA && usage !== DANE_EE) return false;
  if (selector !== WHOLE && selector !== PUBLIC_KEY) return false;
  return matching === 0
    ? association.length > 0
    : association.length === DIGESTS.get(matching)?.length;
}

function kindOf({ usage, selector }: TlsaRecord): string {
  return `${usage} ${selector}`;
}

/** The TLS options for a handshake that `judgeDane` judges afterwards. */
export function daneHandshake(identity: DaneIdentity, learnt: Anchors): ConnectionOptions {
  const { base, names, records } = identity;
  return {
    host: base,
    servername: base,
    // judgeDane decides; OpenSSL says whether the chain leads to an anchor.
    rejectUnauthorized: false,
    ca: [...learnt, ...records.flatMap(writtenAnchor)],
    allowPartialTrustChain: true,
    checkServerIdentity: (_, certificate) => {
      const problems = names.map((name) => checkServerIdentity(name, certificate));
      return problems.includes(undefined) ? undefined : problems[0];
    },
  };
}

/** The certificate in the record, if it is whole: then it need not be in the chain. */
function writtenAnchor({ usage, selector, matching, association }: TlsaRecord): string[] {
  if (usage !== DANE_TA || selector !== WHOLE || matching !== 0) return [];
  try {
    return [new X509Certificate(association).toString()];
  } catch {
    // These bytes are not a certificate, and match none.
    return [];
  }
}

/** `chain` begins with the server's own certificate, in DER. `leadsToAnchor` is OpenSSL's result, names included. */
export function judgeDane(
  { records }: DaneIdentity,
  chain: readonly Buffer[],
  leadsToAnchor: boolean,
): DaneVerdict {
  const [own, ...authorities] = chain;
  const byUsage = Map.groupBy(records, ({ usage }) => usage);
  const matches = (usage: number, certificate: Buffer) =>
    byUsage.get(usage)?.some((record) => isMatch(record, certificate)) === true;
  if (leadsToAnchor || (own !== undefined && matches(DANE_EE, own))) return { kind: "match" };
  const anchors = authorities.filter((certificate) => matches(DANE_TA, certificate));
  if (anchors.length === 0) return { kind: "mismatch" };
  return { kind: "anchors", anchors: anchors.map((der) => new X509Certificate(der).toString()) };
}

function isMatch({ selector, matching, association }: TlsaRecord, certificate: Buffer): boolean {
  const selected = selector === WHOLE ? certificate : publicKeyOf(certificate);
  if (selected === undefined) return false;
  const digest = DIGESTS.get(matching);
  return digest === undefined
    ? association.equals(selected)
    : association.equals(createHash(digest.name).update(selected).digest());
}

/**
 * SubjectPublicKeyInfo as the certificate has it, octet for octet, because a key that is read and written again may be
 * encoded in another way. It is the sixth field after the version (RFC 5280 4.1). Undefined if the certificate is not in
 * DER; OpenSSL accepts other encodings too.
 */
export function publicKeyOf(certificate: Buffer): Buffer | undefined {
  try {
    const outer = element(certificate, 0);
    let field = element(certificate, element(certificate, outer.content).content);
    const VERSION = 0xa0;
    const before = certificate[field.start] === VERSION ? 6 : 5;
    for (let count = 0; count < before; count++) field = element(certificate, field.end);
    return certificate.subarray(field.start, field.end);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The element of DER that begins at `start`. Throws RangeError, as Buffer does, if `start` is beyond the end. */
function element(der: Buffer, start: number): { start: number; content: number; end: number } {
  const first = der.readUInt8(start + 1);
  if (first < 0x80) return { start, content: start + 2, end: start + 2 + first };
  const octets = first & 0x7f;
  const content = start + 2 + octets;
  return { start, content, end: content + der.readUIntBE(start + 2, octets) };
}

// DANE for SMTP (RFC 7672, RFC 6698, RFC 7671): does a server's certificate match the TLSA records of its host?
//
// Invariants: usage 3 pins the server's own certificate, and nothing else of it is looked at. Usage 2 names an
// authority: OpenSSL judges the chain, with that authority as the only one it trusts, never we. As a record may hold
// only a digest of the authority, it has to be seen once before OpenSSL can be given it.

import { createHash, X509Certificate } from "node:crypto";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import type { TlsaRecord } from "../dns/dns.ts";

export interface DaneIdentity {
  /** Where the TLSA records stand: also the name for SNI. */
  readonly base: string;
  /** Names of which the certificate must bear one, under usage 2. */
  readonly names: readonly string[];
  /** Usable ones, at least one. */
  readonly records: readonly TlsaRecord[];
}

/** Certificates that a record of usage 2 has been found to mean, PEM. */
export type Anchors = readonly string[];

export type DaneVerdict =
  | { readonly kind: "match" }
  /** The chain has an authority that a record means: connect again, with it as an anchor. */
  | { readonly kind: "anchors"; readonly anchors: Anchors }
  | { readonly kind: "mismatch" };

const DANE_TA = 2;
const DANE_EE = 3;
const WHOLE = 0;
const PUBLIC_KEY = 1;
/** Matching types other than 0, which is no digest. */
const DIGESTS: ReadonlyMap<number, { readonly name: string; readonly length: number }> = new Map([
  [1, { name: "sha256", length: 32 }],
  [2, { name: "sha512", length: 64 }],
]);

/**
 * The records that a client of SMTP can use (RFC 7672 3.1). Of several digests of one usage and selector only the
 * strongest counts (RFC 7671 9): it is there for those who have lost faith in the weaker one.
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

/** What a handshake needs so that `judgeDane` can judge afterwards. */
export function daneHandshake(identity: DaneIdentity, learnt: Anchors): ConnectionOptions {
  const { base, names, records } = identity;
  return {
    host: base,
    servername: base,
    // The verdict is ours; of OpenSSL we ask whether the chain leads to an anchor.
    rejectUnauthorized: false,
    ca: [...learnt, ...records.flatMap(writtenAnchor)],
    allowPartialTrustChain: true,
    checkServerIdentity: (_, certificate) => {
      const problems = names.map((name) => checkServerIdentity(name, certificate));
      return problems.includes(undefined) ? undefined : problems[0];
    },
  };
}

/** A whole certificate in a record needs not come with the chain. */
function writtenAnchor({ usage, selector, matching, association }: TlsaRecord): string[] {
  if (usage !== DANE_TA || selector !== WHOLE || matching !== 0) return [];
  try {
    return [new X509Certificate(association).toString()];
  } catch {
    // Not a certificate: it matches nothing.
    return [];
  }
}

/** `chain` begins with the server's own certificate, DER. `leadsToAnchor` is OpenSSL's word, names included. */
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
 * SubjectPublicKeyInfo as the certificate has it, octet for octet: a key that is read and written again may look
 * different. It is the sixth field behind the version (RFC 5280 4.1). Undefined if the certificate is not in DER,
 * about which OpenSSL is generous.
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

/** One element of DER that begins at `start`. Throws RangeError, as Buffer does, where there is none. */
function element(der: Buffer, start: number): { start: number; content: number; end: number } {
  const first = der.readUInt8(start + 1);
  if (first < 0x80) return { start, content: start + 2, end: start + 2 + first };
  const octets = first & 0x7f;
  const content = start + 2 + octets;
  return { start, content, end: content + der.readUIntBE(start + 2, octets) };
}

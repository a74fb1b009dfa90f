// A self-signed certificate for STARTTLS, until the postmaster has a public one. Any certificate keeps mail from passive
// listeners; only a public one shows who the relay is. node-forge is loaded here and nowhere else.

import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";

/** Two years; the clocks of others may be a day behind. */
const DAYS = 730;
const DAY = 86_400_000;
/** RFC 5280, ub-common-name: a longer name stands in the subjectAltName only. */
const COMMON_NAME_MAX = 64;

export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** `now` is in milliseconds since 1970. */
export async function selfSigned(hostname: string, now: number): Promise<KeyPair> {
  const { default: forge } = await import("node-forge");
  const keys = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(keys.publicKey);
  // Positive, and not zero: the first octet is from 01 to 7f.
  certificate.serialNumber = `01${randomBytes(15).toString("hex")}`;
  certificate.validity.notBefore = new Date(now - DAY);
  certificate.validity.notAfter = new Date(now + DAYS * DAY);
  const commonName = hostname.length > COMMON_NAME_MAX ? "unseen" : hostname;
  const name = [{ name: "commonName", value: commonName }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "extKeyUsage", serverAuth: true },
    { name: "subjectAltName", altNames: [{ type: 2, value: hostname }] },
  ]);
  const key = forge.pki.privateKeyFromPem(keys.privateKey);
  certificate.sign(key, forge.md.sha256.create());
  const pem = forge.pki.certificateToPem(certificate).replaceAll("\r\n", "\n");
  return { certificate: pem, key: keys.privateKey };
}

/** Returns what is wrong with a certificate and its key, both in PEM, in one clause; undefined when they fit. */
export function mismatchOf({ certificate, key }: KeyPair): string | undefined {
  try {
    const fits = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    return fits ? undefined : "the key belongs to another certificate";
  } catch {
    return "the certificate or the key is not in PEM, or the key has a password";
  }
}

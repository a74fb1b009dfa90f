// The certificates of test/support/tls/, and a listener of a routers.toml that shows one.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of a file: "certificate", "private-key", "other-certificate", "other-private-key". */
export const pem = (name: string): string =>
  fileURLToPath(new URL(`./tls/${name}.pem`, import.meta.url));

/** CN=mx.example.com, also valid for 127.0.0.1. */
export const OURS = { certificate: pem("certificate"), privateKey: pem("private-key") };
/** CN=other.test. */
export const OTHER = {
  certificate: pem("other-certificate"),
  privateKey: pem("other-private-key"),
};

/** OURS, in the form that node:tls takes. */
export function testCertificate(): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(OURS.certificate), key: readFileSync(OURS.privateKey) };
}

/** [[listeners]] with STARTTLS. Text after it may add further options. */
export const tlsListener = (port = 0): string => `
[[listeners]]
address = "127.0.0.1:${port}"
tls = "starttls"
certificate = "${OURS.certificate}"
private_key = "${OURS.privateKey}"
`;

// The certificates of test/support/tls/, and a listener of a routers.toml that shows one.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of a file: "certificate", "private-key", "other-certificate", "other-private-key". */
export const pem = (name: string): string =>
  fileURLToPath(new URL(`./tls/${name}.pem`, import.meta.url));

/** CN=mx.example.com, good for 127.0.0.1 too. */
export const OURS = { certificate: pem("certificate"), privateKey: pem("private-key") };
/** CN=other.test. */
export const OTHER = {
  certificate: pem("other-certificate"),
  privateKey: pem("other-private-key"),
};

/** OURS, as node:tls takes it. */
export function testCertificate(): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(OURS.certificate), key: readFileSync(OURS.privateKey) };
}

/** [[listeners]] with STARTTLS. What follows it may be further options of it. */
export const tlsListener = (port = 0): string => `
[[listeners]]
address = "127.0.0.1:${port}"
tls = "starttls"
certificate = "${OURS.certificate}"
private_key = "${OURS.privateKey}"
`;

// The result of a TLS handshake: version, cipher, certificates of the peer.

import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { given } from "../given.ts";

export interface PeerCertificates {
  /** DER, the peer's own certificate first. */
  readonly chain: readonly Buffer[];
  /** Why the certificate is not valid for the name that was asked for; undefined when it is valid. */
  readonly problem: string | undefined;
}

export const NO_CERTIFICATES: PeerCertificates = { chain: [], problem: "there is none" };

export function peerCertificates(socket: TLSSocket): PeerCertificates {
  const chain: Buffer[] = [];
  // A self-signed authority is its own issuer, so the chain would never end.
  const seen = new Set<unknown>();
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined && !seen.has(certificate)) {
    seen.add(certificate);
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  const { authorized, authorizationError } = socket;
  return { chain, problem: authorized ? undefined : problemText(authorizationError) };
}

/** Node's types say that it is an Error. At run time it is a string for the problems that OpenSSL finds. */
function problemText(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

export interface TlsDescription {
  readonly version: string;
  readonly cipher: string;
  /** SHA-256 of the peer's certificate. Absent if the relay did not ask for one or the peer has shown none. */
  readonly certificate?: string;
}

export function describeTls(socket: TLSSocket): TlsDescription {
  const certificate = socket.getPeerX509Certificate()?.fingerprint256;
  return {
    version: socket.getProtocol() ?? "TLS",
    cipher: socket.getCipher().name,
    ...given({ certificate }),
  };
}

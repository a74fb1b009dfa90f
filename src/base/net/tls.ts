// What TLS has come to on a socket.

import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { given } from "../given.ts";

export interface PeerCertificates {
  /** DER, the peer's own certificate first. */
  readonly chain: readonly Buffer[];
  /** Why it is not valid for the name that was asked for; undefined when it is. */
  readonly problem: string | undefined;
}

export const NO_CERTIFICATES: PeerCertificates = { chain: [], problem: "there is none" };

export function peerCertificates(socket: TLSSocket): PeerCertificates {
  const chain: Buffer[] = [];
  // An authority that has signed itself is its own issuer.
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

/** Node's types say Error; its code says otherwise for what OpenSSL has found. */
function problemText(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

export interface TlsDescription {
  readonly version: string;
  readonly cipher: string;
  /** SHA-256 of the peer's certificate, if we have asked for it and it has shown one. */
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

// TLS on the listening side: TLS 1.2 is the least that is offered.

import { createSecureContext, type SecureContext, type TLSSocket } from "node:tls";

export interface Listener {
  /** Host and port to bind; "::" takes both families. */
  readonly host: string;
  readonly port: number;
  readonly tls: "none" | "starttls" | "implicit";
  /** PEM texts; given unless tls is "none". */
  readonly certificate?: string;
  readonly privateKey?: string;
}

/** Undefined where the listener offers no TLS. Throws when the certificate and its key do not fit. */
export function secureContextOf(listener: Listener): SecureContext | undefined {
  if (listener.tls === "none") return undefined;
  return createSecureContext({
    cert: listener.certificate,
    key: listener.privateKey,
    minVersion: "TLSv1.2",
  });
}

export function describeTls(socket: TLSSocket): { version: string; cipher: string } {
  return { version: socket.getProtocol() ?? "TLS", cipher: socket.getCipher().name };
}

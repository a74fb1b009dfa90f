// What TLS has come to on a socket.

import type { TLSSocket } from "node:tls";

export function describeTls(socket: TLSSocket): { version: string; cipher: string } {
  return { version: socket.getProtocol() ?? "TLS", cipher: socket.getCipher().name };
}

// The relay's side of a TLS handshake with a mail program.

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { awaitHello } from "../../base/net/client-hello.ts";
import type { TlsOptions } from "../../base/net/connection.ts";
import { describeTls, type TlsDescription } from "../../base/net/tls.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";

export interface Secured {
  readonly socket: TLSSocket;
  readonly tls: TlsDescription;
}

/** Resolves when the client has shaken hands. Rejects if it fails; never ends if the client says nothing. */
export async function secured(
  clear: Socket,
  options: () => MaybePromise<TlsOptions>,
): Promise<Secured> {
  await new Promise<void>((resolve) => awaitHello(clear, resolve));
  const { secureContext, secureContextFor } = await options();
  const socket = new TLSSocket(clear, {
    isServer: true,
    requestCert: false,
    secureContext,
    ...(secureContextFor === undefined
      ? {}
      : { SNICallback: (name, answer) => answer(null, secureContextFor(name)) }),
  });
  return new Promise((resolve, reject) => {
    // Node reports TLS errors by this event only, because no tls.Server owns the socket.
    socket.on("_tlsError", (error: Error) => {
      socket.destroy();
      reject(error);
    });
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("the client has closed the connection")));
    socket.once("secure", () => resolve({ socket, tls: describeTls(socket) }));
  });
}

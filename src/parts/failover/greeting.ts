// The first line that a server says, as a client of its port gets it.

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ListenAddress } from "../../base/net/listen-address.ts";
import type { Configuration } from "../../config/configuration.ts";
import { printable } from "../../base/printable.ts";

type Greeting = { readonly line: string } | { readonly error: string };

/** Milliseconds until a server counts as silent. */
const PATIENCE = 5000;
/** Octets of a line that are read. */
const LINE_MAX = 1000;

/** The certificate is not checked: the server is our own, and gets no secret. Never rejects. */
export function greetingOf(
  { host: bound, port }: ListenAddress,
  tls: "none" | "starttls" | "implicit",
): Promise<Greeting> {
  const host = loopbackOf(bound);
  return new Promise((resolve) => {
    const socket: Socket =
      tls === "implicit"
        ? connectTls({ host, port, rejectUnauthorized: false })
        : connect(port, host);
    const end = (greeting: Greeting) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(greeting);
    };
    const timer = setTimeout(() => end({ error: `no answer in ${PATIENCE / 1000} s` }), PATIENCE);
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => {
      text += piece;
      const line = text.slice(0, LINE_MAX).split("\r\n")[0] ?? "";
      if (text.includes("\n") || text.length > LINE_MAX) end({ line: printable(line) });
    });
    socket.on("error", (error) => end({ error: error.message }));
    socket.on("close", () => end({ error: "the connection was closed without a greeting" }));
  });
}

/** Whether Dovecot has a certificate, as `dovecot-config` gives it one: without one it talks IMAP in the clear. */
export function hasCertificate({ listeners }: Pick<Configuration, "listeners">): boolean {
  return listeners.some(({ certificate }) => certificate !== undefined);
}

/** The address at which a client on this machine reaches a server: the loopback if it listens on every address. */
export function loopbackOf(bound: string): string {
  return LOOPBACK.get(bound) ?? bound;
}

const LOOPBACK: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

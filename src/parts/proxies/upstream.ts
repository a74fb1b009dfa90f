// The connection to a server: the servers in their order, TLS as configured, and the greeting.
//
// Invariants:
// - With `server_tls`, nothing of a client reaches the server before the handshake. With `server_verify` the certificate
//   is valid for the server's name.
// - A server has 20 seconds for connection, TLS and greeting.

import { connect, isIP, type Socket } from "node:net";
import { constants } from "node:crypto";
import { type ConnectionOptions, createSecureContext, type SecureContext } from "node:tls";
import type { Clock } from "../../base/clock.ts";
import { given } from "../../base/given.ts";
import type { Host } from "../../mail/host.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { defaultPort, type ProxyOptions } from "./options.ts";
import { Peer, PeerGone } from "./wire/peer.ts";

const PATIENCE = 20_000;

/** The server has answered, and does not want to serve. */
export class ServerRefused extends Error {
  /** The line or lines that say so, as they came. */
  readonly reply: Buffer;

  constructor(reply: Buffer) {
    super(`it answered: ${reply.toString("latin1").trim().slice(0, 500)}`);
    this.reply = reply;
  }
}

export interface Upstream {
  readonly server: Peer;
  /** "mail.example.com:143" */
  readonly name: string;
  /** The greeting as clients are to get it, with its line end. */
  readonly greeting: Buffer;
}

export type Reached =
  | { readonly kind: "reached"; readonly upstream: Upstream }
  /** No server can be used. `refusal` is the answer of the last one that has answered. */
  | { readonly kind: "failed"; readonly why: string; readonly refusal?: Buffer };

/**
 * Reads the greeting of a server, and starts TLS if `startTls` is given. Returns the greeting for clients. Rejects with
 * ServerRefused if the server does not want to serve.
 */
export type Greet = (server: Peer, startTls: (() => Promise<void>) | undefined) => Promise<Buffer>;

/** Old servers have old TLS: they get what they can do, because without the proxy they would get no more. */
function oldTls(): SecureContext {
  return createSecureContext({
    minVersion: "TLSv1",
    ciphers: "DEFAULT:@SECLEVEL=0",
    secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
  });
}

export class Upstreams {
  readonly #options: ProxyOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #context: SecureContext | undefined;

  constructor(options: ProxyOptions, { clock, log }: { clock: Clock; log: Log }) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#context = options.server_tls === "none" ? undefined : oldTls();
  }

  /** Tries the hosts in order. `watch` gets each connection that is made, so that its client's end can end it. */
  async reach(
    hosts: readonly Host[],
    greet: Greet,
    watch: (server: Peer) => void,
  ): Promise<Reached> {
    let why = "no server is configured";
    let refusal: Buffer | undefined;
    for (const host of hosts) {
      const name = this.#nameOf(host);
      try {
        return { kind: "reached", upstream: await this.#open(host, greet, watch) };
      } catch (error) {
        const what = describeError(error);
        this.#log.event("proxy.server_failed", {
          proxy: this.#options.name,
          server: name,
          error: what,
        });
        why = `${name}: ${what}`;
        if (error instanceof ServerRefused) refusal = error.reply;
      }
    }
    return { kind: "failed", why, ...given({ refusal }) };
  }

  async #open(host: Host, greet: Greet, watch: (server: Peer) => void): Promise<Upstream> {
    const { server_tls: tls } = this.#options;
    const socket = connect({
      host: host.name,
      port: host.port ?? defaultPort(this.#options),
      allowHalfOpen: true,
    });
    let isLate = false;
    const deadline = this.#clock.after(PATIENCE, () => {
      isLate = true;
      socket.destroy();
    });
    try {
      await connected(socket);
      const server = new Peer(socket);
      watch(server);
      const shake = () => server.startTls(this.#tlsFor(host));
      if (tls === "implicit") await shake();
      const greeting = await greet(server, tls === "starttls" ? shake : undefined);
      return { server, name: this.#nameOf(host), greeting };
    } catch (error) {
      socket.destroy();
      throw isLate ? new Error(`no answer within ${PATIENCE / 1000} s`, { cause: error }) : error;
    } finally {
      deadline.cancel();
    }
  }

  #tlsFor({ name }: Host): ConnectionOptions {
    return {
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      rejectUnauthorized: this.#options.server_verify,
      ...(this.#context === undefined ? {} : { secureContext: this.#context }),
    };
  }

  #nameOf({ name, port = defaultPort(this.#options) }: Host): string {
    return `${isIP(name) === 6 ? `[${name}]` : name}:${port}`;
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error?: Error) => reject(error ?? new PeerGone("the connection was closed"));
    const closed = () => failed();
    socket.once("error", failed);
    socket.once("close", closed);
    socket.once("connect", () => {
      socket.off("error", failed);
      socket.off("close", closed);
      resolve();
    });
  });
}

// SMTP peers for tests. `startSink` is a well-behaved server that collects messages. Its faults are chosen by the local
// part of an address. `scriptedServer` is a bare socket for peers that break the rules. Both listen on 127.0.0.1 at a
// port of the kernel's choice and close with `await using`.

import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { TLSSocket, type TlsOptions } from "node:tls";
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from "smtp-server";
import { given } from "../../src/base/given.ts";
import { testCertificate } from "./certificates.ts";

export interface SinkRecipient {
  readonly address: string;
  readonly notify?: readonly string[];
  readonly orcpt?: string;
}

export interface SinkMessage {
  /** "" is <>. */
  readonly sender: string;
  /** Accepted recipients only, in the order of the RCPTs. */
  readonly recipients: readonly string[];
  readonly rcpt: readonly SinkRecipient[];
  readonly ret?: string;
  readonly envid?: string;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  /** MAIL had the parameter REQUIRETLS. */
  readonly requireTls: boolean;
  /** The message as it came, after dot unstuffing. */
  readonly raw: Buffer;
  /** Protocol of the TLS session, absent in clear. */
  readonly tls?: string;
  readonly helo: string;
  /** The number of its connection: 1, 2, 3, … */
  readonly connection: number;
}

export interface SinkOptions {
  /** Offer STARTTLS with the test certificate. */
  readonly tls?: boolean;
  /** Milliseconds that slow@ takes for its RCPT. */
  readonly slowness?: number;
  readonly address?: string;
  readonly port?: number;
  /** While this returns true, every RCPT gets 451. */
  readonly isBusy?: () => boolean;
  /** The replies to further local parts. */
  readonly replies?: Readonly<Record<string, readonly [number, string]>>;
  /** Further options of smtp-server: hidePIPELINING, size, hideDSN, … */
  readonly server?: SMTPServerOptions;
}

export interface Sink extends AsyncDisposable {
  readonly port: number;
  readonly messages: readonly SinkMessage[];
  /** Number of connections so far. */
  readonly connections: number;
  /** Every RCPT argument, including refused ones. */
  readonly attempted: readonly string[];
  /** Resolves when `count` messages have arrived; rejects after ten seconds. */
  waitFor(count: number): Promise<readonly SinkMessage[]>;
  close(): Promise<void>;
}

const REPLIES: Readonly<Record<string, readonly [number, string]>> = {
  tempfail: [451, "4.3.0 try again later"],
  permfail: [550, "5.1.1 no such user here"],
  quota: [452, "4.2.2 mailbox full"],
  "too-many": [452, "4.5.3 too many recipients"],
  closing: [421, "4.3.2 closing"],
};

function reply(code: number, text: string): Error & { responseCode: number } {
  return Object.assign(new Error(text), { responseCode: code });
}

function localPart(address: string): string {
  return address.slice(0, address.lastIndexOf("@")).toLowerCase();
}

/**
 * Behaviour by local part, at MAIL for the sender and at RCPT for a recipient: `tempfail` 451, `permfail` 550,
 * `quota` 452 4.2.2, `too-many` 452 4.5.3, `closing` 421, `slow` waits, `drop` cuts the connection.
 * At the end of DATA, for a recipient: `tempfail-data` 451, `permfail-data` 554, `drop-in-data` cuts the
 * connection at the first bytes, `drop-after-dot` cuts it instead of answering. Everything else is accepted.
 */
export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const messages: SinkMessage[] = [];
  const attempted: string[] = [];
  const sockets = new Map<number, { socket: Socket; ordinal: number }>();
  let connections = 0;
  const waiting = new Set<() => void>();

  const cut = (session: SMTPServerSession): void => {
    sockets.get(session.remotePort)?.socket.destroy();
  };
  const behave = (
    address: string,
    session: SMTPServerSession,
    done: (error?: Error) => void,
  ): void => {
    const word = localPart(address);
    const refusal = options.replies?.[word] ?? REPLIES[word];
    if (refusal !== undefined) done(reply(...refusal));
    else if (word === "drop") cut(session);
    else if (word === "slow") setTimeout(done, options.slowness ?? 300);
    else done();
  };

  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    hideDSN: false,
    // smtp-server would choose the enhanced code by the basic one. Ours are in the texts.
    hideENHANCEDSTATUSCODES: true,
    closeTimeout: 100,
    lenientAddressParsing: true,
    ...(options.tls === true ? testCertificate() : { disabledCommands: ["STARTTLS", "AUTH"] }),
    ...options.server,
    onMailFrom(address, session, done) {
      behave(address.address, session, done);
    },
    onRcptTo(address, session, done) {
      attempted.push(address.address);
      if (options.isBusy?.() === true) done(reply(451, "4.3.0 try again later"));
      else behave(address.address, session, done);
    },
    onData(stream, session, done) {
      const words = session.envelope.rcptTo.map((one) => localPart(one.address));
      const chunks: Buffer[] = [];
      if (words.includes("drop-in-data")) {
        cut(session);
        return;
      }
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        if (words.includes("drop-after-dot")) return cut(session);
        if (words.includes("tempfail-data")) return done(reply(451, "4.3.0 not now"));
        if (words.includes("permfail-data")) return done(reply(554, "5.6.0 not this"));
        if (stream.sizeExceeded) return done(reply(552, "5.3.4 too big"));
        messages.push(
          collected(session, Buffer.concat(chunks), sockets.get(session.remotePort)?.ordinal ?? 0),
        );
        done(null, "2.0.0 taken");
        for (const wake of waiting) wake();
        return undefined;
      });
    },
  });
  // Many tests are about a peer that hangs up.
  server.on("error", nothing);
  server.server.prependListener("connection", (socket: Socket) => {
    connections++;
    const port = socket.remotePort ?? 0;
    sockets.set(port, { socket, ordinal: connections });
    socket.once("close", () => sockets.delete(port));
  });
  const listener = server.listen(options.port ?? 0, options.address ?? "127.0.0.1");
  await listening(listener);

  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  return {
    port: portOf(listener),
    messages,
    attempted,
    get connections() {
      return connections;
    },
    waitFor(count) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`${messages.length} of ${count} messages came`));
        }, 10_000);
        const look = () => {
          if (messages.length < count) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve(messages);
        };
        waiting.add(look);
        look();
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function collected(session: SMTPServerSession, raw: Buffer, connection: number): SinkMessage {
  const { mailFrom, rcptTo, dsn, bodyType, smtpUtf8, requireTLS } = session.envelope;
  const secured = session.tlsOptions;
  return {
    sender: mailFrom === false ? "" : mailFrom.address,
    recipients: rcptTo.map((one) => one.address),
    rcpt: rcptTo.map((one) => ({
      address: one.address,
      ...given({ notify: one.dsn?.notify, orcpt: one.dsn?.orcpt }),
    })),
    ...(typeof dsn?.ret === "string" ? { ret: dsn.ret } : {}),
    ...(typeof dsn?.envid === "string" ? { envid: dsn.envid } : {}),
    eightBit: bodyType === "8bitmime",
    smtputf8: smtpUtf8 === true,
    requireTls: requireTLS === true,
    raw,
    ...(secured === false ? {} : { tls: secured.version ?? secured.name }),
    helo: session.hostNameAppearsAs,
    connection,
  };
}

/** One connection of a scripted peer. Reading rejects when the client has gone, which ends the script. */
export interface ScriptedConnection {
  readonly socket: Socket;
  /** The input of each read: shows which bytes the client sent in one write. */
  readonly segments: readonly string[];
  /** The next line, without its CRLF. */
  readLine(): Promise<string>;
  /** All bytes up to `end`, including it, as latin1. */
  readUntil(end: string): Promise<string>;
  /** Sends lines; CRLF is added to each. */
  send(...lines: readonly string[]): void;
  /** Sends exactly these bytes. */
  raw(bytes: string | Buffer): void;
  /** Performs the server's side of a TLS handshake with the test certificate. */
  startTls(options?: TlsOptions): Promise<void>;
  /** Resolves when the client has closed. */
  closed(): Promise<void>;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly port: number;
  readonly connections: number;
}

class PeerGone extends Error {}

function nothing(): void {}

/**
 * Runs `script` for each connection (numbered from 1) and then closes it. An error of the script, including an
 * assertion, is thrown when the server is disposed of.
 */
export async function scriptedServer(
  script: (connection: ScriptedConnection, ordinal: number) => Promise<void>,
): Promise<ScriptedServer> {
  const open = new Set<Socket>();
  const failures: unknown[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    const connection = scripted(socket);
    connections++;
    script(connection, connections)
      .catch((error: unknown) => {
        if (!(error instanceof PeerGone)) failures.push(error);
      })
      .finally(() => connection.socket.end());
  });
  server.listen(0, "127.0.0.1");
  await listening(server);
  return {
    port: portOf(server),
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      if (failures.length > 0) throw failures[0];
    },
  };
}

function scripted(raw: Socket): ScriptedConnection {
  const segments: string[] = [];
  let socket: Socket = raw;
  let pending = "";
  const state = { gone: false, wake: nothing };
  const listen = (): void => {
    socket.on("data", (chunk: Buffer) => {
      segments.push(chunk.toString("latin1"));
      pending += chunk.toString("latin1");
      state.wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        state.gone = true;
        state.wake();
      });
    }
  };
  listen();
  const changed = () =>
    new Promise<void>((resolve) => {
      state.wake = resolve;
    });
  const readUntil = async (end: string): Promise<string> => {
    for (;;) {
      const at = pending.indexOf(end);
      if (at >= 0) {
        const text = pending.slice(0, at + end.length);
        pending = pending.slice(at + end.length);
        return text;
      }
      if (state.gone) throw new PeerGone("the client closed the connection");
      await changed();
    }
  };
  return {
    get socket() {
      return socket;
    },
    segments,
    readUntil,
    readLine: async () => (await readUntil("\r\n")).slice(0, -2),
    send: (...lines) => void socket.write(lines.map((line) => `${line}\r\n`).join("")),
    raw: (bytes) => void socket.write(bytes),
    async startTls(options = {}) {
      raw.removeAllListeners("data");
      const secured = new TLSSocket(raw, { isServer: true, ...testCertificate(), ...options });
      socket = secured;
      listen();
      await new Promise<void>((resolve, reject) => {
        secured.once("secure", () => resolve());
        secured.once("error", () => reject(new PeerGone("the TLS handshake failed")));
        secured.once("close", () => reject(new PeerGone("the TLS handshake failed")));
      });
    },
    async closed() {
      while (!state.gone) await changed();
    },
  };
}

/** The EHLO part of a script: greeting, EHLO, capabilities. */
export async function greet(
  connection: ScriptedConnection,
  capabilities: readonly string[] = ["PIPELINING"],
): Promise<string> {
  connection.send("220 mx.test ESMTP");
  const hello = await connection.readLine();
  const lines = ["mx.test", ...capabilities];
  connection.send(
    ...lines.map((line, index) => `250${index === lines.length - 1 ? " " : "-"}${line}`),
  );
  return hello;
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return address.port;
}

// A proxy in this process, a server behind it that the test speaks for, and clients.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import { systemClock } from "../../../src/base/clock.ts";
import type { CopyKeeper } from "../../../src/parts/proxies/copies/keeper.ts";
import { type ProxyOptions, proxyOptions } from "../../../src/parts/proxies/options.ts";
import { ProxyServer } from "../../../src/parts/proxies/server.ts";
import { OURS, testCertificate } from "../../support/certificates.ts";
import { type RecordingLog, recordingLog } from "../../support/services.ts";

/** One end of a connection, read by lines and octets. */
export class Lines {
  #socket: Socket;
  #input = Buffer.alloc(0);
  #isOver = false;
  #wake: (() => void) | undefined;
  /** All octets that ever came. */
  received = "";

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen();
  }

  static async open(port: number): Promise<Lines> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    socket.setNoDelay(true);
    return new Lines(socket);
  }

  send(text: string | Buffer): void {
    this.#socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  /** The next line, without its line end. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#input.indexOf("\n");
      if (end !== -1) {
        const line = this.#input.toString("latin1", 0, end).replace(/\r$/, "");
        this.#input = this.#input.subarray(end + 1);
        return line;
      }
      if (this.#isOver) throw new Error(`closed after ${JSON.stringify(this.#input.toString())}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async ask(command: string): Promise<string> {
    this.send(`${command}\r\n`);
    return this.line();
  }

  /** Everything up to the end. */
  async rest(): Promise<string> {
    while (!this.#isOver) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#input.toString("latin1");
  }

  async octets(count: number): Promise<Buffer> {
    while (this.#input.length < count && !this.#isOver) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const octets = this.#input.subarray(0, count);
    this.#input = this.#input.subarray(count);
    return octets;
  }

  /** Writes, and resolves to whether the other side has taken it within 200 ms. */
  async drained(octets: Buffer): Promise<boolean> {
    if (this.#socket.write(octets)) return true;
    const signal = AbortSignal.timeout(200);
    return once(this.#socket, "drain", { signal }).then(
      () => true,
      () => false,
    );
  }

  pause(): void {
    this.#socket.pause();
  }

  async startTls(): Promise<void> {
    this.#socket.removeAllListeners();
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(secure, "secureConnect");
    this.#socket = secure;
    this.#listen();
  }

  async acceptTls(): Promise<void> {
    this.#socket.removeAllListeners();
    const secure = new TLSSocket(this.#socket, { isServer: true, ...testCertificate() });
    this.#socket = secure;
    this.#listen();
    await once(secure, "secure");
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #listen(): void {
    const over = () => {
      this.#isOver = true;
      this.#wake?.();
    };
    this.#socket.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
      this.#input = Buffer.concat([this.#input, chunk]);
      this.#wake?.();
    });
    this.#socket.on("end", over);
    this.#socket.on("error", over);
    this.#socket.on("close", over);
  }
}

export type Script = (server: Lines) => Promise<void>;

/** A server that plays `script` with each client. Its errors are in `errors`. */
export class FakeServer implements AsyncDisposable {
  readonly #server: Server;
  readonly sessions: Lines[] = [];
  readonly errors: unknown[] = [];

  private constructor(script: Script) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const session = new Lines(socket);
      this.sessions.push(session);
      script(session).catch((error: unknown) => this.errors.push(error));
    });
  }

  static async start(script: Script): Promise<FakeServer> {
    const fake = new FakeServer(script);
    fake.#server.listen(0, "127.0.0.1");
    await once(fake.#server, "listening");
    return fake;
  }

  get port(): number {
    return portOf(this.#server);
  }

  get at(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Everything that reached the server in all sessions. */
  get received(): string {
    return this.sessions.map(({ received }) => received).join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.destroy();
    this.#server.close();
  }
}

export interface Proxied extends AsyncDisposable {
  readonly log: RecordingLog;
  readonly proxies: ProxyServer;
  client(): Promise<Lines>;
}

export const TLS = { certificate: OURS.certificate, private_key: OURS.privateKey };

/** The proxy of this table. `keeper` makes what keeps copies. */
export async function startProxy(
  table: Readonly<Record<string, unknown>>,
  keeper?: (options: ProxyOptions, log: RecordingLog) => CopyKeeper | undefined,
): Promise<Proxied> {
  const problems: { path: string; message: string }[] = [];
  const written = { name: "test", address: "127.0.0.1:1", ...table };
  const options = proxyOptions.read(written, "proxies[0]", problems);
  assert.deepEqual(problems, []);
  assert.ok(options);
  const log = recordingLog();
  const means = { clock: systemClock, log, hostname: "mx.example.com" };
  const proxies = new ProxyServer([options], () => keeper?.(options, log), means);
  const door = createServer({ pauseOnConnect: true }, (socket) =>
    proxies.connected(socket, options.address),
  );
  door.listen(0, "127.0.0.1");
  await once(door, "listening");
  const clients: Lines[] = [];
  return {
    log,
    proxies,
    async client() {
      const client = await Lines.open(portOf(door));
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      door.close();
      await proxies.close(0);
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

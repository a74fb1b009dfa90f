// An SMTP client that sends exactly the given bytes, in the given segments.

import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { given } from "../../src/base/given.ts";

export class Wire {
  #socket: Socket | TLSSocket;
  #text = "";
  #closed = false;
  /** The TLS session, for a later resumption. */
  session: Buffer | undefined;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen();
  }

  static async open(port: number, host = "127.0.0.1", localAddress?: string): Promise<Wire> {
    const socket = connect({ port, host, ...given({ localAddress }) });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    // Each write is sent at once, without waiting for the acknowledgement of the last one.
    socket.setNoDelay(true);
    return new Wire(socket);
  }

  #listen(): void {
    this.#socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      this.#wake?.();
    });
    this.#socket.on("error", () => (this.#closed = true));
    this.#socket.on("close", () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  /** Writes `text` unchanged. */
  send(text: string | Buffer): void {
    this.#socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  /** The next complete reply, with all its lines. Throws when the connection ends before it. */
  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\n)*\d{3} [^\n]*\n/.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match[0].length);
        return match[0].trimEnd();
      }
      if (this.#closed) throw new Error(`the server is gone; left over: ${this.#text}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Sends one command line and returns the reply. */
  ask(line: string): Promise<string> {
    this.send(`${line}\r\n`);
    return this.reply();
  }

  async startTls(options: ConnectionOptions = {}): Promise<void> {
    this.#socket.removeAllListeners();
    const secure = connectTls({ ...options, socket: this.#socket, rejectUnauthorized: false });
    secure.on("session", (session) => (this.session = session));
    await new Promise<void>((resolve, reject) => {
      secure.once("secureConnect", resolve);
      secure.once("error", reject);
    });
    this.#socket = secure;
    this.#listen();
  }

  /** Resolves when the server has closed the connection, to the text that was not read yet. */
  async closed(): Promise<string> {
    while (!this.#closed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#text;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

// The client's side of a played session: SMTP over the control socket, one command at a time, with TLS without a check of
// the certificate.

import { connect } from "node:tls";
import type { Duplex } from "node:stream";
import { playClient } from "../../run/control/client.ts";

export interface Reply {
  readonly code: number;
  /** The text of the last line, without the code. */
  readonly text: string;
}

/** Octets of one reply. */
const REPLY_MAX = 65_536;

export class PlayedSession implements Disposable {
  #stream: Duplex;
  #input = "";
  #wake: () => void = () => undefined;
  #ended: string | undefined;

  readonly #onData = (piece: Buffer): void => {
    this.#input += piece.toString("latin1");
    this.#wake();
  };
  readonly #onError = (error: Error): void => this.#end(error.message);
  readonly #onClose = (): void => this.#end("the relay has ended the session");

  private constructor(stream: Duplex, beginning: Buffer) {
    this.#input = beginning.toString("latin1");
    this.#stream = stream;
    this.#listen();
  }

  /** Resolves after the greeting and EHLO, and after STARTTLS if the relay offers it. */
  static async open(controlSocket: string, address: string): Promise<PlayedSession> {
    const { socket, beginning } = await playClient(controlSocket, address);
    const session = new PlayedSession(socket, beginning);
    try {
      await session.#begin();
      return session;
    } catch (error) {
      session[Symbol.dispose]();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const greeting = await this.#reply();
    if (greeting.last.code !== 220) throw new Error(`the relay greets with ${greeting.last.code}`);
    const { lines } = await this.#ask("EHLO doctor.invalid");
    if (!lines.some((line) => /^250[ -]STARTTLS$/i.test(line))) return;
    const reply = await this.command("STARTTLS");
    if (reply.code !== 220) return;
    await this.#secure();
    await this.command("EHLO doctor.invalid");
  }

  async #secure(): Promise<void> {
    this.#stream.off("data", this.#onData).off("close", this.#onClose);
    const secured = connect({ socket: this.#stream, rejectUnauthorized: false });
    this.#stream = secured;
    this.#listen();
    await new Promise<void>((resolve, reject) => {
      secured.once("secureConnect", resolve);
      secured.once("error", reject);
      secured.once("close", () => reject(new Error("the relay ended the TLS handshake")));
    });
  }

  #listen(): void {
    this.#stream.on("data", this.#onData).on("error", this.#onError).on("close", this.#onClose);
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#wake();
  }

  async command(line: string): Promise<Reply> {
    return (await this.#ask(line)).last;
  }

  #ask(line: string) {
    this.#stream.write(`${line}\r\n`);
    return this.#reply();
  }

  async #reply(): Promise<{ readonly lines: readonly string[]; readonly last: Reply }> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: ([^\n]*))?\r\n/.exec(this.#input);
      if (whole !== null) {
        const [text, code, last = ""] = whole;
        this.#input = this.#input.slice(text.length);
        return { lines: text.trimEnd().split(/\r\n/), last: { code: Number(code), text: last } };
      }
      if (this.#input.length > REPLY_MAX) throw new Error("the relay's reply is too long");
      if (this.#ended !== undefined) throw new Error(this.#ended);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  [Symbol.dispose](): void {
    this.#stream.on("error", () => undefined);
    this.#stream.destroy();
  }
}

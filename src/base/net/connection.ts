// The byte side of a session: its socket, in clear or under TLS, the input that waits and the output to send.
//
// Invariants:
//
// - Nothing that came before a TLS handshake is read after it (RFC 3207 4.2). Nothing on the socket below TLS is read
//   again.
// - Neither input nor output grows without bound. The relay stops reading from a client that does not read its replies
//   or that sends faster than its commands are carried out.
// - The replies of one burst leave in one write.

import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { awaitHello } from "./client-hello.ts";
import { readBuffers } from "./read-buffers.ts";
import { describeTls, type TlsDescription } from "./tls.ts";

export interface ConnectionOwner {
  /** `octets` were read from the socket. */
  onRead(octets: number): void;
  /** There is input, or room for output again. */
  onInput(): void;
  /** Input came in after `end`. The socket is paused until `drain`. */
  onWaste(): void;
  /** The client has closed its side. Called once, unless the connection breaks first. */
  onEnd(): void;
  /** The socket is closed. Called once, last. */
  onClose(): void;
}

export interface TlsOptions {
  readonly secureContext: SecureContext;
  /** Ask the client for a certificate. Any certificate or none is accepted here: the gate decides what it is worth. */
  readonly requestCert: boolean;
  /** A context for the name that the client asks for; undefined means `secureContext`. Never throws. */
  readonly secureContextFor?: (name: string) => SecureContext | undefined;
}

export type Handshake = (
  options: TlsOptions,
  done: (result: Error | TlsDescription) => void,
) => void;

const EMPTY = Buffer.alloc(0);
/** Octets of input that may wait while a command is carried out. Beyond it the socket is paused. */
const INPUT_MAX = 128 * 1024;

export class Connection {
  /** Input that has arrived and was not taken yet. */
  input: Buffer = EMPTY;
  #output = "";
  /** Too many of our replies are unread, so the client's next commands wait. */
  #blocked = false;
  /** The owner will come back to its input later. */
  #held = false;
  #deaf = false;
  #closed = false;
  #socket: Socket;
  readonly #owner: ConnectionOwner;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** Whether the client still has to read what the relay wrote. */
  get blocked(): boolean {
    return this.#blocked;
  }

  listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    socket.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#owner.onRead(chunk.length);
    readBuffers.count(chunk.length);
    if (this.#deaf) {
      this.#socket.pause();
      return this.#owner.onWaste();
    }
    this.input = this.input.length === 0 ? chunk : Buffer.concat([this.input, chunk]);
    this.#owner.onInput();
    if ((this.#held || this.input.length > INPUT_MAX) && !this.#deaf) this.#socket.pause();
  };

  readonly #onDrain = (): void => {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#owner.onInput();
  };

  readonly #onEnd = (): void => this.#owner.onEnd();

  readonly #onError = (): void => void this.#socket.destroy();

  readonly #onClose = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.onClose();
  };

  /** Pauses reading until `settled`. Output written so far is sent. */
  hold(): void {
    this.flush();
    this.#held = true;
    this.#socket.pause();
  }

  /** The owner has processed the input as far as possible. */
  settled(): void {
    this.#held = false;
    if (this.#socket.isPaused() && this.input.length <= INPUT_MAX) this.#socket.resume();
  }

  write(text: string): void {
    this.#output += text;
  }

  flush(): void {
    if (this.#output === "") return;
    this.#blocked = !this.#socket.write(this.#output);
    this.#output = "";
  }

  /**
   * Waits for the ClientHello. Then `ready` is called once with a function that begins the handshake, unless the socket
   * closes first. Its `done` is called once, with an error if the handshake failed.
   */
  awaitTls(ready: (shake: Handshake) => void): void {
    const clear = this.#socket;
    clear.off("data", this.#onData);
    clear.off("drain", this.#onDrain);
    this.input = EMPTY;
    awaitHello(clear, () => ready((options, done) => this.#startTls(options, done)));
  }

  #startTls(
    { secureContext, requestCert, secureContextFor }: TlsOptions,
    done: (result: Error | TlsDescription) => void,
  ): void {
    // The ClientHello is in the paused socket, and TLS reads it from there.
    const clear = this.#socket;
    if (clear.destroyed) return;
    clear.off("end", this.#onEnd);
    const secure = new TLSSocket(clear, {
      isServer: true,
      requestCert,
      rejectUnauthorized: false,
      secureContext,
      ...(secureContextFor === undefined
        ? {}
        : { SNICallback: (name, answer) => answer(null, secureContextFor(name)) }),
    });
    let shaking = true;
    // Node reports TLS errors by this event only, because no tls.Server owns the socket.
    secure.on("_tlsError", (error: Error) => {
      if (shaking) done(error);
      shaking = false;
      secure.destroy();
    });
    secure.once("secure", () => {
      shaking = false;
      done(describeTls(secure));
    });
    this.#socket = secure;
    this.listen();
  }

  /** Sends what was written and closes our side. Input that still arrives is discarded. */
  end(): void {
    this.flush();
    this.#deaf = true;
    this.input = EMPTY;
    this.#socket.resume();
    this.#socket.end();
  }

  /** Goes on reading and discarding input: a client reads our last reply only after it has sent everything. */
  drain(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

// The byte side of a session: its socket, in clear or under TLS, what has come in and waits, what is to go out.
//
// Invariants: nothing that came before a TLS handshake is read after it (RFC 3207 4.2), and nothing on the socket
// below it is read again. Neither input nor output grows without bound: a client that does not let us write, or
// that runs ahead of us, is not read from. Replies of one burst leave in one write.

import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { awaitHello } from "./client-hello.ts";
import { readBuffers } from "./read-buffers.ts";
import { describeTls, type TlsDescription } from "./tls.ts";

export interface ConnectionOwner {
  /** So many octets were read from the socket. */
  onRead(octets: number): void;
  /** There is input, or room for output again. */
  onInput(): void;
  /** Something came in that nobody looks at. The socket stands still until `drain`. */
  onWaste(): void;
  /** The client will say no more. Called once, unless the connection breaks first. */
  onEnd(): void;
  /** The socket is gone. Called once, last. */
  onClose(): void;
}

export interface TlsOptions {
  readonly secureContext: SecureContext;
  /** Ask the client for a certificate. Any will do here, and none: the gate decides what it is good for. */
  readonly requestCert: boolean;
  /** A context for the name that the client asks for; undefined for the one above. Never throws. */
  readonly secureContextFor?: (name: string) => SecureContext | undefined;
}

export type Handshake = (
  options: TlsOptions,
  done: (result: Error | TlsDescription) => void,
) => void;

const EMPTY = Buffer.alloc(0);
/** Input that waits while a command is carried out; beyond it the client is made to wait. */
const INPUT_MAX = 128 * 1024;

export class Connection {
  /** What came in and was not taken yet. */
  input: Buffer = EMPTY;
  #output = "";
  /** The client has not read so many of our replies that more of its commands make sense. */
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

  /** Waits until the client has read what we wrote. */
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

  /** Nothing more is read until the input is settled. What was said goes out. */
  hold(): void {
    this.flush();
    this.#held = true;
    this.#socket.pause();
  }

  /** Says that the input was worked off as far as it went. */
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
   * Waits for the first word of a handshake. `ready` is called once with what begins it, unless the socket closes
   * first: its `done` is called once, with what went wrong if anything did.
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
    // The hello is in there; TLS takes it from a socket that stands still.
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
    // Node tells TLS errors by this name only, as long as no tls.Server has the socket.
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

  /** Last words: what was written still goes out, what still comes in is not looked at. */
  end(): void {
    this.flush();
    this.#deaf = true;
    this.input = EMPTY;
    this.#socket.resume();
    this.#socket.end();
  }

  /** Goes on reading what nobody looks at: a client reads our last words when it has said all. */
  drain(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

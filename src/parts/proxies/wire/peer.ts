// One side of a proxied session: its socket, in clear or under TLS, read line by line until both sides are joined.
//
// Invariants:
// - Text that came before a TLS handshake is not read after it (RFC 3207 4.2): it is forgotten, or fails the handshake.
// - Input does not grow without bound: the socket is read only when a line or octets are wanted.

import type { Socket } from "node:net";
import { connect, type ConnectionOptions, TLSSocket } from "node:tls";
import { readBuffers } from "../../../base/net/read-buffers.ts";
import type { TlsOptions } from "../../../base/net/connection.ts";
import { describeTls, type TlsDescription } from "../../../base/net/tls.ts";

/** The peer has closed the connection, or the connection broke. */
export class PeerGone extends Error {}

/** The peer has sent a line that is longer than the protocol allows. */
export class LineTooLong extends Error {}

const EMPTY = Buffer.alloc(0);
const LF = 0x0a;
/** Milliseconds between probes of an idle connection, so that a peer that vanished is noticed. */
const KEEP_ALIVE = 300_000;

/** A socket and what was read from it and not used. */
export interface Released {
  readonly socket: Socket;
  readonly rest: Buffer;
}

export class Peer {
  #socket: Socket;
  #input: Buffer = EMPTY;
  /** Octets at the beginning of the input that hold no line end. */
  #searched = 0;
  #isOver = false;
  #waiting: (() => void) | undefined;
  /** Absent in clear. */
  tls: TlsDescription | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE);
    this.#listen();
  }

  /** The peer sends nothing more, and all that it has sent was read. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get isDestroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** The next line with its line end, if it has arrived. Throws LineTooLong. */
  takeLine(max: number): Buffer | undefined {
    for (;;) {
      const end = this.#input.indexOf(LF, this.#searched);
      if (end >= max || (end === -1 && this.#input.length >= max)) {
        throw new LineTooLong(`a line of more than ${max} octets`);
      }
      if (end !== -1) return this.#take(end + 1);
      this.#searched = this.#input.length;
      if (!this.#read()) return undefined;
    }
  }

  /** Up to `max` octets that have arrived; undefined if there are none. */
  takeChunk(max: number): Buffer | undefined {
    if (this.#input.length === 0 && !this.#read()) return undefined;
    return this.#take(Math.min(max, this.#input.length));
  }

  /** Rejects with PeerGone or LineTooLong. */
  async line(max: number): Promise<Buffer> {
    for (;;) {
      const line = this.takeLine(max);
      if (line !== undefined) return line;
      if (this.#isOver) throw new PeerGone("the connection was closed");
      await Peer.either(this);
    }
  }

  /** Up to `max` octets, at least one. Rejects with PeerGone. */
  async chunk(max: number): Promise<Buffer> {
    for (;;) {
      const chunk = this.takeChunk(max);
      if (chunk !== undefined) return chunk;
      if (this.#isOver) throw new PeerGone("the connection was closed");
      await Peer.either(this);
    }
  }

  /** Puts octets back in front of the input. */
  giveBack(octets: Buffer): void {
    this.#input = this.#input.length === 0 ? octets : Buffer.concat([octets, this.#input]);
    this.#searched = 0;
  }

  /** Text is one octet a character. */
  write(what: Buffer | string): void {
    if (this.#socket.writable) this.#socket.write(what, "latin1");
  }

  /** Writes, and resolves when the peer can take more. Rejects with PeerGone. */
  async send(what: Buffer): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) throw new PeerGone("the connection was closed");
    if (socket.write(what)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
    if (socket.destroyed) throw new PeerGone("the connection was closed");
  }

  /** Resolves when one of them may have input, or is over. */
  static either(...peers: readonly Peer[]): Promise<void> {
    return new Promise((resolve) => {
      for (const peer of peers) peer.#waiting = resolve;
    });
  }

  /** Forgets all input that has come. Call it before the answer that lets the peer begin TLS. */
  forget(): void {
    this.#input = EMPTY;
    this.#searched = 0;
    while (this.#socket.read() !== null);
  }

  /** Shakes hands as a server. Rejects if that fails. */
  async acceptTls({ secureContext, secureContextFor }: TlsOptions): Promise<void> {
    const clear = this.#leaveClear();
    const secure = new TLSSocket(clear, {
      isServer: true,
      requestCert: false,
      secureContext,
      ...(secureContextFor === undefined
        ? {}
        : { SNICallback: (name, answer) => answer(null, secureContextFor(name)) }),
    });
    await this.#shaken(secure, "secure");
  }

  /** Shakes hands as a client. Rejects if that fails. */
  async startTls(options: ConnectionOptions): Promise<void> {
    const clear = this.#leaveClear();
    await this.#shaken(connect({ ...options, socket: clear }), "secureConnect");
  }

  /** From now on the connection is cut off after so many ms without any traffic. */
  cutOffAfter(silence: number): void {
    this.#socket.setTimeout(silence, () => this.destroy());
  }

  /** Gives the socket away, without listeners. The peer must not be used after it. */
  release(): Released {
    this.#unlisten();
    const rest = this.#input;
    this.#input = EMPTY;
    return { socket: this.#socket, rest };
  }

  /** Sends what was written and closes. */
  end(): void {
    const socket = this.#socket;
    socket.end();
    // A peer that sends on after the last reply is not waited for.
    socket.resume();
    socket.setTimeout(5000, () => socket.destroy());
  }

  /** Closes the sending side only. */
  endSending(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#over();
  }

  #take(length: number): Buffer {
    const taken = this.#input.subarray(0, length);
    this.#input = length === this.#input.length ? EMPTY : this.#input.subarray(length);
    this.#searched = 0;
    return taken;
  }

  #read(): boolean {
    const chunk: Buffer | null = this.#socket.read();
    if (chunk === null) return false;
    readBuffers.count(chunk.length);
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    return true;
  }

  #leaveClear(): Socket {
    const clear = this.#socket;
    this.#unlisten();
    // The first message of the handshake may have come already. TLS reads it from the socket.
    if (this.#input.length > 0) clear.unshift(this.#input);
    this.#input = EMPTY;
    this.#searched = 0;
    return clear;
  }

  async #shaken(secure: TLSSocket, done: "secure" | "secureConnect"): Promise<void> {
    this.#socket = secure;
    try {
      await handshake(secure, done);
    } finally {
      this.#listen();
    }
    this.tls = describeTls(secure);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("readable", this.#wake);
    socket.on("end", this.#over);
    socket.on("error", this.#over);
    socket.on("close", this.#over);
    if (socket.destroyed) this.#over();
  }

  #unlisten(): void {
    const socket = this.#socket;
    socket.off("readable", this.#wake);
    socket.off("end", this.#over);
    socket.off("close", this.#over);
    socket.off("error", this.#over);
    socket.on("error", ignored);
  }

  /** Ends a wait for input, as if some had come. */
  wake(): void {
    this.#wake();
  }

  readonly #wake = (): void => {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  };

  readonly #over = (): void => {
    this.#isOver = true;
    this.#wake();
  };
}

/** "close" follows every error and says what to do. */
function ignored(): void {}

/** Node reports errors of a server's handshake by "_tlsError" only, because no tls.Server owns the socket. */
const ENDINGS = ["_tlsError", "error", "end", "close"] as const;

function handshake(secure: TLSSocket, done: "secure" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      for (const event of ENDINGS) secure.off(event, failed);
      secure.off(done, shaken);
      if (error === undefined) return resolve();
      secure.on("error", ignored);
      secure.destroy();
      reject(error);
    };
    const failed = (error: unknown) =>
      settle(error instanceof Error ? error : new PeerGone("the connection was closed"));
    const shaken = () => settle();
    for (const event of ENDINGS) secure.on(event, failed);
    secure.on(done, shaken);
  });
}

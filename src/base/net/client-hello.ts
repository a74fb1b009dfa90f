// The first thing that a client says in a TLS handshake (RFC 8446 4.1.2, 5.1). It is waited for in the clear, because
// what answers it, a signature, costs us milliseconds and the client nothing: see LoopShare.
//
// Invariant: nothing is judged here. What is no ClientHello counts as one that is whole: OpenSSL says what it is.

import type { Socket } from "node:net";

const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** No honest one is half as long. */
const LENGTH_MAX = 16 * 1024;

/** Tells when a ClientHello is whole, into however many records and pieces it is cut. */
export class ClientHello {
  #length = 0;
  /** Octets of the header of the record under way that were read, and of its content that were not. */
  #headerAt = 0;
  #recordLeft = 0;
  /** Octets of the message that were read, and what it has in all as far as its header was read. */
  #messageAt = 0;
  #messageLength = 0;

  /** True when it is whole, or none. Not to be asked again then. */
  read(chunk: Buffer): boolean {
    this.#length += chunk.length;
    return chunk.some((byte) => this.#isLast(byte)) || this.#length > LENGTH_MAX;
  }

  #isLast(byte: number): boolean {
    return this.#headerAt < RECORD_HEADER ? this.#readHeader(byte) : this.#readMessage(byte);
  }

  #readHeader(byte: number): boolean {
    const at = this.#headerAt++;
    if (at === 0) return byte !== HANDSHAKE;
    if (at >= RECORD_HEADER - 2) this.#recordLeft = this.#recordLeft * 256 + byte;
    return this.#headerAt === RECORD_HEADER && this.#recordLeft === 0;
  }

  #readMessage(byte: number): boolean {
    if (--this.#recordLeft === 0) this.#headerAt = 0;
    const at = this.#messageAt++;
    if (at === 0) return byte !== CLIENT_HELLO;
    if (at < MESSAGE_HEADER) this.#messageLength = this.#messageLength * 256 + byte;
    return this.#messageAt >= MESSAGE_HEADER + this.#messageLength && at >= MESSAGE_HEADER - 1;
  }
}

/** Waits for the hello, and leaves it in the socket, which stands still then. `whole` may never be called. */
export function awaitHello(socket: Socket, whole: () => void): void {
  const hello = new ClientHello();
  const chunks: Buffer[] = [];
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    if (!hello.read(chunk)) return;
    socket.off("data", onData);
    socket.pause();
    socket.unshift(Buffer.concat(chunks));
    whole();
  };
  socket.on("data", onData);
  socket.resume();
}

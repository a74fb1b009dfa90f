// The ClientHello, the first message of a TLS handshake (RFC 8446 4.1.2, 5.1). The relay waits for it before it starts
// TLS: the answer contains a signature, which costs the relay milliseconds and the client nothing. See LoopShare.
//
// Invariant: nothing is judged here. Input that is not a ClientHello counts as a complete one, and OpenSSL rejects it.

import type { Socket } from "node:net";

const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** Octets. Honest ClientHellos are less than half as long. */
const LENGTH_MAX = 16 * 1024;

/** Detects the end of a ClientHello, into however many records and pieces it is cut. */
export class ClientHello {
  #length = 0;
  /** Octets read of the current record's header, and octets of its content still to come. */
  #headerAt = 0;
  #recordLeft = 0;
  /** Octets read of the message, and its length as far as the header has been read. */
  #messageAt = 0;
  #messageLength = 0;

  /**
   * True when the ClientHello is complete, or when the input is not a ClientHello. Must not be called again after that.
   */
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

/** Waits for the ClientHello, then pauses the socket and puts the hello back into it. `whole` may never be called. */
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

// One socket to a server, in the clear or under TLS: writes what it is given, hands out the replies in order.
// Invariants: a reply that nobody asked for ends the connection, so the replies waiting are never more than the
// commands sent; nothing that came in the clear is read as if it had come under TLS (RFC 3207 5); 421 ends the
// connection in any state; what the peer has said before it closed is read, also if our own writes fail meanwhile;
// every wait has a deadline. Once it has failed, it stays failed, for one reason.

import { connect as connectSocket, type NetConnectOpts, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, TLSSocket } from "node:tls";
import { given } from "../../base/given.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { RetryError } from "../../mail/host.ts";
import { errorCode } from "../../base/error-code.ts";
import { status, type Status } from "../../mail/status.ts";
import { Deadline } from "../../base/net/deadline.ts";
import { readToTheEnd } from "../../base/net/writes.ts";
import { isLastOne, ProtocolError, ReplyParser, replyStatus, type Reply } from "./reply.ts";
import {
  describeTls,
  NO_CERTIFICATES,
  type PeerCertificates,
  peerCertificates,
} from "../../base/net/tls.ts";

/** The connection is of no further use. Always temporary: it says nothing about a message. */
export class ConnectionFailure extends Error {
  override readonly name = "ConnectionFailure";
  readonly status: Status;
  /** This machine has no way to such an address at all: nothing was learnt about the host. */
  readonly noRoute: boolean;
  readonly error: RetryError | undefined;

  constructor(why: Status, cause?: unknown, error?: RetryError) {
    super(why.text, { cause });
    this.error = error;
    this.status = why;
    this.noRoute = NO_ROUTE.has(errorCode(cause) ?? "");
  }
}

const NO_ROUTE: ReadonlySet<string> = new Set(["ENETUNREACH", "EAFNOSUPPORT", "EADDRNOTAVAIL"]);

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EPIPE: "connection closed by peer",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOENT: "there is no such socket",
  EACCES: "permission denied",
};

const ERRORS: Readonly<Record<string, RetryError>> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
};

export interface Endpoint {
  /** IPv4 or IPv6, never a name. */
  readonly address: string;
  readonly port: number;
  /** Our side; absent: the system chooses. */
  readonly localAddress?: string;
  /** A Unix socket in the place of all that. */
  readonly socket?: string;
}

/** What asks for more, and in which stage it may. */
const GO_ON: Readonly<Record<string, number>> = { DATA: 354, AUTH: 334 };

/** How long the words of a peer that has closed may take from the network to us, in ms. They are there, as a rule. */
const LAST_WORDS = 5000;

type Phase = "connecting" | "securing" | "open";

function socketOptions({ address: host, port, localAddress, socket }: Endpoint): NetConnectOpts {
  if (socket !== undefined) return { path: socket };
  return { host, port, noDelay: true, ...given({ localAddress }) };
}

export class ClientConnection {
  /** Our own end, as soon as there is a connection. */
  localAddress: string | undefined;
  #socket: Socket;
  #parser = new ReplyParser();
  readonly #replies: Reply[] = [];
  /** Replies that are still to come: the greeting, and one for each command sent. */
  #outstanding = 1;
  #failure: ConnectionFailure | undefined;
  #phase: Phase = "connecting";
  /** What is being waited for, for the text of a failure. */
  #stage = "connecting";
  #wake: (() => void) | undefined;
  #idleEnd: (() => void) | undefined;
  #quitting = false;
  /** Nothing more can be written: the peer has closed. It is still read. */
  #writeError: Error | undefined;
  #lastWords: Timer | undefined;
  readonly #clock: Clock;
  readonly #deadline: Deadline;
  readonly #onBytes = (chunk: Buffer): void => this.#take(chunk);
  readonly #onDrain = (): void => this.#awake();
  readonly #onEnd = (): void => this.#broken();

  constructor(endpoint: Endpoint, clock: Clock) {
    this.#clock = clock;
    this.#deadline = new Deadline(clock, () => this.#timedOut());
    this.#socket = connectSocket(socketOptions(endpoint));
    this.#socket.once("connect", () => {
      this.#phase = "open";
      this.localAddress = this.#socket.localAddress;
      this.#awake();
    });
    this.#listen();
  }

  get alive(): boolean {
    return this.#failure === undefined && !this.#quitting;
  }

  async connected(timeout: number): Promise<void> {
    this.#deadline.set(timeout);
    while (this.#phase === "connecting") await this.#change();
    this.#deadline.clear();
  }

  /** Writes command lines, which will bring `replies` replies. `text` holds whole lines with their CRLF. */
  send(text: string, replies: number): void {
    this.#outstanding += replies;
    this.#socket.write(text, "utf8");
  }

  /** From here on the message may be answered so many times, if the peer cares to before its end. */
  expectAnswers(count: number): void {
    this.#outstanding += count;
  }

  /** Writes message bytes, in one go. */
  sendBody(...pieces: readonly Buffer[]): void {
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
  }

  /**
   * The next reply, which answers `stage`; `timeout` in milliseconds. A 421 is a failure, and so is 3xx, except
   * for 354 to DATA and 334 to AUTH.
   */
  async reply(stage: string, timeout: number): Promise<Reply> {
    const reply = await this.answer(stage, timeout);
    // Also when the connection broke meanwhile: what was said says more.
    if (isLastOne(reply)) throw new ConnectionFailure(replyStatus(reply));
    return reply;
  }

  /** The same, and a 421 is an answer to `stage`: no other will come, for the connection has ended. */
  async answer(stage: string, timeout: number): Promise<Reply> {
    this.#stage = stage;
    let reply = this.#replies.shift();
    if (reply === undefined) {
      this.#deadline.set(timeout);
      while (reply === undefined) {
        await this.#change();
        reply = this.#replies.shift();
      }
      this.#deadline.clear();
    }
    if (isLastOne(reply)) this.fail(replyStatus(reply));
    else if (reply.code >= 300 && reply.code < 400 && reply.code !== GO_ON[stage]) {
      throw this.outOfStep(stage);
    }
    return reply;
  }

  outOfStep(stage: string): ConnectionFailure {
    return this.fail(status(451, "5.0", `protocol error: unexpected reply to ${stage}`));
  }

  /** Waits until the peer has taken what was written. False: it has answered before the end instead. */
  async drained(timeout: number): Promise<boolean> {
    this.#stage = "the message";
    this.#deadline.set(timeout);
    while (this.#replies.length === 0) {
      const isTaken = this.#writeError === undefined && !this.#socket.writableNeedDrain;
      if (this.#failure === undefined && isTaken) break;
      await this.#change();
    }
    this.#deadline.clear();
    return this.#replies.length === 0;
  }

  /** The handshake: after a positive reply to STARTTLS, or before the greeting. */
  async startTls(options: ConnectionOptions, timeout: number): Promise<void> {
    if (this.#parser.pending || this.#replies.length > 0) {
      throw this.fail(status(451, "5.0", "clear text in the place of the TLS handshake"));
    }
    const clear = this.#socket;
    clear.off("data", this.#onBytes).off("drain", this.#onDrain);
    clear.off("end", this.#onEnd).off("close", this.#onEnd);
    const secured: TLSSocket = connectTls({ ...options, socket: clear });
    this.#stage = "the TLS handshake";
    this.#phase = "securing";
    this.#socket = secured;
    this.#listen();
    secured.once("secureConnect", () => {
      this.#phase = "open";
      this.#awake();
    });
    this.#deadline.set(timeout);
    while (this.#phase === "securing") await this.#change();
    this.#deadline.clear();
  }

  /** After a handshake: what the server showed, its own certificate first, and what OpenSSL has against it. */
  peerCertificates(): PeerCertificates {
    const socket = this.#socket;
    return socket instanceof TLSSocket ? peerCertificates(socket) : NO_CERTIFICATES;
  }

  /** The server's certificate is valid for the name that was asked for. */
  get isValid(): boolean {
    return this.#socket instanceof TLSSocket && this.#socket.authorized;
  }

  /** After a handshake: "TLSv1.3 TLS_AES_256_GCM_SHA384", as long as there is a connection. */
  tlsText(): string {
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket) || socket.destroyed) return "TLS";
    const { version, cipher } = describeTls(socket);
    return `${version} ${cipher}`;
  }

  /** Lies idle for at most `time` milliseconds. `ended` is called if the peer or the time ends that. */
  park(time: number, ended: () => void): void {
    this.#stage = "being idle";
    this.#idleEnd = ended;
    this.#deadline.set(time);
  }

  unpark(): void {
    this.#idleEnd = undefined;
    this.#deadline.clear();
  }

  /** Ends the connection at once. The first reason stands. */
  fail(why: Status, cause?: unknown, error?: RetryError): ConnectionFailure {
    if (this.#failure !== undefined) return this.#failure;
    this.#failure = new ConnectionFailure(why, cause, error);
    this.#deadline.cancel();
    this.#lastWords?.cancel();
    this.#socket.destroy();
    this.#idleEnd?.();
    this.#idleEnd = undefined;
    this.#awake();
    return this.#failure;
  }

  /** QUIT, and waits for the peer to close, but not for long. Never rejects. */
  async quit(timeout: number): Promise<void> {
    if (!this.alive) return;
    this.unpark();
    this.#quitting = true;
    this.#outstanding++;
    this.#socket.end("QUIT\r\n");
    this.#deadline.set(timeout);
    while (this.#failure === undefined && this.#replies.length === 0) await this.#turn();
    this.fail(status(421, "3.2", "closed"));
  }

  #listen(): void {
    const socket = this.#socket;
    readToTheEnd(socket, (error) => this.#writeFailed(error));
    socket.on("data", this.#onBytes).on("drain", this.#onDrain);
    socket.on("end", this.#onEnd).on("close", this.#onEnd);
    socket.on("error", (error) => this.#broken(error));
  }

  #take(chunk: Buffer): void {
    if (this.#failure !== undefined) return;
    const before = this.#replies.length;
    try {
      this.#parser.push(chunk, this.#replies);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(status(451, "5.0", `protocol error in reply to ${this.#stage}: ${error.message}`));
      return;
    }
    this.#outstanding -= this.#replies.length - before;
    if (this.#outstanding < 0) this.#unasked();
    else this.#awake();
  }

  /** Servers say 421 of their own accord before they close; anything else is out of step. */
  #unasked(): void {
    const last = this.#replies.at(-1);
    // What was asked for stands: a server may take a message and close in one breath.
    this.#replies.length += this.#outstanding;
    if (last?.code === 421) this.fail(replyStatus(last));
    else this.fail(status(451, "5.0", "protocol error: a reply to no command"));
  }

  /** A host that refuses a message in its middle and closes: the refusal may not have been read yet. */
  #writeFailed(error: Error): void {
    if (this.#failure !== undefined || this.#writeError !== undefined) return;
    this.#writeError = error;
    this.#lastWords = this.#clock.after(LAST_WORDS, () => this.#broken());
    this.#awake();
  }

  #broken(error = this.#writeError): void {
    if (this.#failure !== undefined) return;
    const because =
      error === undefined ? "" : `: ${CAUSES[errorCode(error) ?? ""] ?? error.message}`;
    if (this.#phase === "securing") {
      this.fail(status(451, "7.5", `TLS handshake failed${because}`), error);
    } else if (this.#phase === "connecting") {
      const known = ERRORS[errorCode(error) ?? ""];
      this.fail(status(451, "4.1", `cannot connect${because}`), error, known);
    } else {
      const why = status(451, "4.2", `lost connection in ${this.#stage}${because}`);
      this.fail(why, error, "lost_connection");
    }
  }

  #timedOut(): void {
    if (this.#idleEnd !== undefined) {
      const ended = this.#idleEnd;
      this.unpark();
      ended();
      return;
    }
    const detail = this.#phase === "connecting" ? "4.1" : "4.2";
    this.fail(status(451, detail, `timed out in ${this.#stage}`), undefined, "timeout");
  }

  /** Resolves when anything has happened, failure included. */
  #turn(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  async #change(): Promise<void> {
    if (this.#failure === undefined) await this.#turn();
    // A failure after a last reply is for the next one who waits.
    if (this.#failure !== undefined && this.#replies.length === 0) throw this.#failure;
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

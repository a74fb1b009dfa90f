// One socket to a server, in the clear or under TLS: writes commands and content, and hands out the replies in order.
//
// Invariants:
// - A reply without a command ends the connection, so at most one reply waits for each command sent.
// - Bytes that came in the clear are never read as if they had come under TLS (RFC 3207 5).
// - A 421 ends the connection in any state.
// - Replies that the peer sent before it closed are read, even if the relay's own writes fail meanwhile.
// - Every wait has a deadline.
// - A connection that has failed stays failed, and keeps its first reason.

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

/** The connection cannot be used any more. Its status is about the connection, and says nothing about a message. */
export class ConnectionFailure extends Error {
  override readonly name = "ConnectionFailure";
  readonly status: Status;
  /** This machine has no route to such an address, so the failure says nothing about the host. */
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
  /** The relay's own address. Absent: the system chooses. */
  readonly localAddress?: string;
  /** Path of a Unix socket, used instead of address and port. */
  readonly socket?: string;
}

/** The 3xx code that is allowed in each stage. */
const GO_ON: Readonly<Record<string, number>> = { DATA: 354, AUTH: 334 };

/** Milliseconds to read the last replies of a peer that has closed. As a rule they have arrived already. */
const LAST_WORDS = 5000;

type Phase = "connecting" | "securing" | "open";

function socketOptions({ address: host, port, localAddress, socket }: Endpoint): NetConnectOpts {
  if (socket !== undefined) return { path: socket };
  return { host, port, noDelay: true, ...given({ localAddress }) };
}

export class ClientConnection {
  /** The relay's own address. Undefined until the connection is made. */
  localAddress: string | undefined;
  #socket: Socket;
  #parser = new ReplyParser();
  readonly #replies: Reply[] = [];
  /** Replies that are still to come: the greeting, and one for each command sent. */
  #outstanding = 1;
  #failure: ConnectionFailure | undefined;
  #phase: Phase = "connecting";
  /** The step that the connection waits for, for the text of a failure. */
  #stage = "connecting";
  #wake: (() => void) | undefined;
  #idleEnd: (() => void) | undefined;
  #quitting = false;
  /** A write has failed because the peer has closed. Nothing more is written, but replies are still read. */
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

  /** Writes command lines that are answered by `replies` replies. `text` holds whole lines with their CRLF. */
  send(text: string, replies: number): void {
    this.#outstanding += replies;
    this.#socket.write(text, "utf8");
  }

  /** From here on up to `count` replies to the message may come, even before its end. */
  expectAnswers(count: number): void {
    this.#outstanding += count;
  }

  /** Writes message bytes, joined into one write where possible. */
  sendBody(...pieces: readonly Buffer[]): void {
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
  }

  /**
   * Returns the next reply, which answers `stage`. `timeout` is in milliseconds. A 421 is a failure. So is 3xx, except
   * for 354 to DATA and 334 to AUTH.
   */
  async reply(stage: string, timeout: number): Promise<Reply> {
    const reply = await this.answer(stage, timeout);
    // Also if the connection broke meanwhile: the peer's reply explains more than the break.
    if (isLastOne(reply)) throw new ConnectionFailure(replyStatus(reply));
    return reply;
  }

  /** The same, but returns a 421 as the answer to `stage`. No other answer comes, because the connection has ended. */
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

  /** Waits until the peer has taken everything written. Returns false if the peer answered before the end instead. */
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

  /** Does the TLS handshake, after a positive reply to STARTTLS or before the greeting. */
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

  /** After a handshake: the server's certificates, its own first, and the problem that OpenSSL found with them. */
  peerCertificates(): PeerCertificates {
    const socket = this.#socket;
    return socket instanceof TLSSocket ? peerCertificates(socket) : NO_CERTIFICATES;
  }

  /** The server's certificate is valid for the name that the relay connected to. */
  get isValid(): boolean {
    return this.#socket instanceof TLSSocket && this.#socket.authorized;
  }

  /** After a handshake: "TLSv1.3 TLS_AES_256_GCM_SHA384", or only "TLS" once the connection is gone. */
  tlsText(): string {
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket) || socket.destroyed) return "TLS";
    const { version, cipher } = describeTls(socket);
    return `${version} ${cipher}`;
  }

  /** Keeps the connection idle for at most `time` milliseconds. Calls `ended` if the peer or the time ends that. */
  park(time: number, ended: () => void): void {
    this.#stage = "being idle";
    this.#idleEnd = ended;
    this.#deadline.set(time);
  }

  unpark(): void {
    this.#idleEnd = undefined;
    this.#deadline.clear();
  }

  /** Ends the connection at once. If it has failed before, the first reason is kept and returned. */
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

  /** Sends QUIT and waits up to `timeout` milliseconds for the reply or the close. Never rejects. */
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

  /** Handles a reply without a command. Servers may send 421 before they close; any other reply is an error. */
  #unasked(): void {
    const last = this.#replies.at(-1);
    // Replies to commands stay valid: a server may take a message and close at the same moment.
    this.#replies.length += this.#outstanding;
    if (last?.code === 421) this.fail(replyStatus(last));
    else this.fail(status(451, "5.0", "protocol error: a reply to no command"));
  }

  /** A host may refuse a message in its middle and close. The refusal is read first, for at most LAST_WORDS. */
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

  /** Resolves at the next event of the connection, failure included. */
  #turn(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  async #change(): Promise<void> {
    if (this.#failure === undefined) await this.#turn();
    // Replies that came before the failure are handed out first. The next wait gets the failure.
    if (this.#failure !== undefined && this.#replies.length === 0) throw this.#failure;
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

// One session of a mail program: its socket, its deadlines, its message, and smtp-server for the order of commands.
//
// Invariants:
// - smtp-server gets one command at a time, whole and ended by CRLF, and the next one only after its reply. So nothing
//   that was sent ahead of a reply is read in another sense, and a command cut off by the end of the input never runs.
// - A message is read by the reader of port 25: only CRLF.CRLF ends it, and a bare CR or LF makes it unfit. Its octets
//   stream to the relay; while the relay has not taken them, the client waits.
// - What came before a TLS handshake is forgotten at it.
// - A transaction that is under way when the relay stops may end; everything else gets 421.
// - An error of the relay or of smtp-server ends this session, and no other.

import type { Socket } from "node:net";
import type { Accepted } from "../../base/net/listeners.ts";
import { readBuffers } from "../../base/net/read-buffers.ts";
import type { Client } from "../../mail/envelope.ts";
import { LOCAL_ERROR, type Status, statusLine } from "../../mail/status.ts";
import type { IncomingMessage } from "../../smtp/server/incoming-message.ts";
import { UNFIT } from "../../smtp/server/message-reader.ts";
import { safeCommand } from "./commands.ts";
import type { DialogueServer } from "./dialogue-server.ts";
import { Front } from "./front.ts";
import { secured } from "./handshake.ts";
import {
  AHEAD,
  CLOSING,
  LINE_TOO_LONG,
  NEEDS_TLS,
  NO_STARTTLS,
  TOO_MANY_COMMANDS,
  TOO_MANY_ERRORS,
  TOO_MANY_REFUSED,
  TOO_SLOW,
} from "./replies.ts";
import { SessionTimes } from "./session-times.ts";
import { UserDialogue, type UserDialogueMeans } from "./user-dialogue.ts";

interface SessionMeans extends UserDialogueMeans {
  readonly server: Pick<DialogueServer, "connect">;
  onTlsFailure(client: Client, error: Error): void;
  onDropped(client: Client, command: string, parameters: readonly string[]): void;
  onEnd(client: Client, why: string): void;
  onClose(session: Session): void;
}

/** Whose turn it is. "command" and "challenge" are the client's: a command, or a line of AUTH. */
type State = "handshake" | "greeting" | "command" | "challenge" | "busy" | "text" | "over";

/** Octets of a line of AUTH: an encoded name and password, both at their longest. */
const CREDENTIALS_MAX = 4096;
/** Octets of input that may wait. Beyond it the socket is paused. */
const INPUT_MAX = 128 * 1024;
/** Failed logins at which the session ends. */
const LOGINS_MAX = 10;
const EMPTY = Buffer.alloc(0);
const GONE = "the client has gone";

export class Session {
  #socket: Socket;
  #state: State = "handshake";
  #isDraining = false;
  #hasEnded = false;
  #input: Buffer = EMPTY;
  #front: Front | undefined;
  /** The greeting of smtp-server after STARTTLS is not for the client. */
  #isGreeted = false;
  #serial = 0;
  #errors = 0;
  #junk = 0;
  readonly #times: SessionTimes;
  readonly #accepted: Accepted;
  readonly #means: SessionMeans;
  /** What the client has asked for, as smtp-server lets it. */
  readonly #user: UserDialogue;

  constructor(accepted: Accepted, means: SessionMeans) {
    this.#accepted = accepted;
    this.#means = means;
    this.#socket = accepted.socket;
    this.#user = new UserDialogue({ address: accepted.address, helo: "" }, means);
    this.#times = new SessionTimes(means.limits, means.now());
    accepted.socket.setNoDelay(true);
    accepted.socket.once("close", () => this.#closed());
    accepted.socket.on("error", () => this.destroy());
  }

  get client(): Client {
    return this.#user.client;
  }

  start(): void {
    if (this.#accepted.implicitTls) this.#shake().catch(this.#fail);
    else this.#guard(() => this.#begin());
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
  }

  readonly #fail = (error: unknown): void => {
    this.#means.onError(this.client, "session", error);
    this.destroy();
  };

  async #shake(): Promise<void> {
    this.#become("handshake");
    const { tls: options } = this.#accepted;
    try {
      if (options === undefined) throw new Error("the listener has no certificate");
      const { socket, tls } = await secured(this.#socket, options);
      this.#socket = socket;
      this.#user.client = { address: this.client.address, helo: "", tls };
    } catch (error) {
      this.#means.onTlsFailure(this.client, asError(error));
      return this.destroy();
    }
    this.#begin();
  }

  /** Begins with smtp-server, for the first time or after STARTTLS. */
  #begin(): void {
    const socket = this.#socket;
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("end", this.#onEnd);
    socket.on("error", () => socket.destroy());
    this.#become("greeting");
    const { tls: offered } = this.#accepted;
    const { tls } = this.client;
    const safety = tls === undefined ? (offered === undefined ? "loopback" : "unsafe") : "tls";
    const front = new Front(
      (reply) => this.#guard(() => this.#reply(front, reply)),
      () => this.#guard(() => this.#frontEnded(front)),
    );
    front.on("error", this.#fail);
    this.#front = front;
    this.#means.server.connect(front, safety, this.client.address, this.#user);
    socket.resume();
  }

  readonly #onDrain = (): void => this.#guard(() => this.#advance());

  readonly #onData = (chunk: Buffer): void => {
    readBuffers.count(chunk.length);
    if (this.#state === "over") return;
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    this.#guard(() => this.#advance());
    if (this.#input.length > INPUT_MAX) this.#socket.pause();
  };

  #advance(): void {
    while (this.#isClientsTurn) {
      if (this.#state === "text") {
        if (this.#user.incoming === undefined || this.#input.length === 0) break;
        this.#readText(this.#user.incoming);
      } else {
        const end = this.#input.indexOf("\n");
        const { commandLineMax } = this.#means.limits;
        const most = Math.max(commandLineMax, CREDENTIALS_MAX);
        if (end === -1 ? this.#input.length > most : end > most) return this.#end(LINE_TOO_LONG);
        if (end === -1) break;
        const line = this.#input.subarray(0, end + 1);
        this.#input = this.#input.subarray(end + 1);
        this.#line(line);
      }
    }
    if (this.#input.length <= INPUT_MAX && !this.#isHeld) this.#socket.resume();
    if (this.#hasEnded && this.#isClientsTurn) {
      this.#means.onEnd(this.client, GONE);
      this.#end(undefined);
    }
  }

  get #isClientsTurn(): boolean {
    const isTurn =
      this.#state === "command" || this.#state === "challenge" || this.#state === "text";
    return isTurn && !this.#isHeld && !this.#socket.writableNeedDrain;
  }

  /** The relay has not taken the last piece of the message yet. */
  get #isHeld(): boolean {
    return this.#user.incoming?.ready instanceof Promise;
  }

  #line(line: Buffer): void {
    if (this.#state === "challenge") {
      this.#become("busy");
      // Base64, or "*" to give up.
      this.#front?.give(line.toString("latin1").replaceAll(/[^A-Za-z0-9+/=*]/g, ""));
      return;
    }
    const { limits } = this.#means;
    const command = safeCommand(line, {
      smtputf8: this.#user.request?.smtputf8 === true,
      postmasterDomain: limits.postmasterDomain,
      serial: ++this.#serial,
    });
    if ("code" in command) return this.#error(command);
    const { verb } = command;
    if (command.dropped !== undefined && command.dropped.length > 0) {
      this.#means.onDropped(this.client, verb, command.dropped);
    }
    if (++this.#junk > limits.junkCommandsMax + limits.recipientsMax) {
      return this.#end(TOO_MANY_COMMANDS);
    }
    if (verb === "STARTTLS") return this.#startTls();
    if (verb === "MAIL" && this.#isDraining) return this.#end(CLOSING);
    if (verb === "MAIL" && this.#times.isOver(this.#means.now())) return this.#end(TOO_SLOW);
    const isUnsafe = this.client.tls === undefined && this.#accepted.tls !== undefined;
    if (isUnsafe && (verb === "MAIL" || verb === "AUTH")) return this.#error(NEEDS_TLS);
    if (verb === "DATA" && this.#input.length > 0) return this.#end(AHEAD);
    if (command.helo !== undefined) this.#hello(verb, command.helo);
    if (verb === "RSET") this.#user.reset();
    if (command.mail !== undefined && !this.#user.inTransaction) this.#user.request = command.mail;
    if (command.recipient !== undefined) this.#user.recipientRequest = command.recipient;
    this.#become("busy");
    this.#front?.give(command.line);
  }

  #hello(verb: string, helo: string): void {
    this.#user.reset();
    const { basic: _, ...client } = this.client;
    this.#user.client = { ...client, helo, ...(verb === "HELO" ? { basic: true } : {}) };
  }

  #startTls(): void {
    if (this.client.tls !== undefined || this.#accepted.tls === undefined) {
      return this.#error(NO_STARTTLS);
    }
    if (this.#input.length > 0) return this.#end(AHEAD);
    this.#user.reset();
    const socket = this.#socket;
    this.#front?.destroy();
    this.#front = undefined;
    socket.off("data", this.#onData);
    socket.off("drain", this.#onDrain);
    socket.off("end", this.#onEnd);
    this.#isGreeted = true;
    socket.write("220 2.0.0 Ready to start TLS\r\n");
    this.#shake().catch(this.#fail);
  }

  #readText(incoming: IncomingMessage): void {
    this.#times.restart(this.#means.now());
    const end = incoming.read(this.#input);
    this.#input = end < 0 ? EMPTY : this.#input.subarray(end);
    if (end >= 0) {
      this.#endOfMessage(incoming).catch(this.#fail);
    } else if (incoming.size > 2 * this.#means.limits.sizeMax) {
      this.#end(UNFIT["too-big"]);
    } else if (incoming.ready instanceof Promise) {
      this.#socket.pause();
      this.#hold(incoming, incoming.ready).catch(this.#fail);
    }
  }

  /** Lets the client wait until the relay has taken what came of the message. */
  async #hold(incoming: IncomingMessage, ready: Promise<void>): Promise<void> {
    await ready;
    if (incoming.ready === ready) incoming.ready = undefined;
    incoming.resumeAt(this.#means.now());
    this.#advance();
  }

  async #endOfMessage(incoming: IncomingMessage): Promise<void> {
    this.#become("busy");
    const conclude = this.#user.takeMessage();
    let reply = incoming.unfit();
    try {
      reply ??= await incoming.finish();
    } catch (error) {
      this.#means.onError(this.client, "end of DATA", error);
      reply = LOCAL_ERROR;
    }
    if (reply.code < 300) this.#junk = 0;
    // smtp-server has announced the message, and sees an empty one.
    this.#front?.give(".");
    conclude(reply);
    this.#user.reset();
  }

  /** A reply of smtp-server. */
  #reply(front: Front, reply: string): void {
    if (front !== this.#front || this.#state === "over") return;
    const code = Number(reply.slice(0, 3));
    if (this.#state === "greeting" && this.#isGreeted && code === 220) {
      return this.#soon("command");
    }
    this.#socket.write(reply);
    // Refusals of senders, recipients and messages are no errors of the program.
    if (code >= 500 && code !== 550 && code !== 552) this.#errors++;
    // smtp-server closes after these.
    if (code === 421 || code === 221) return;
    this.#soon(code === 334 ? "challenge" : code === 354 ? "text" : "command");
  }

  #soon(state: State): void {
    setImmediate(() => this.#guard(() => this.#turn(state)));
  }

  /** It is the client's turn again, unless the session has to end. */
  #turn(state: State): void {
    if (this.#state === "over") return;
    const { errorsMax, refusedRecipientsMax } = this.#means.limits;
    if (this.#errors >= errorsMax || this.#user.failedLogins >= LOGINS_MAX) {
      return this.#end(TOO_MANY_ERRORS);
    }
    if (this.#user.refusedRecipients >= refusedRecipientsMax) return this.#end(TOO_MANY_REFUSED);
    this.#become(state);
    if (this.#isDraining && !this.#user.inTransaction && state !== "text") {
      return this.#end(CLOSING);
    }
    this.#advance();
  }

  #frontEnded(front: Front): void {
    if (front === this.#front) this.#end(undefined);
  }

  #error(reply: Status): void {
    this.#errors++;
    this.#socket.write(`${statusLine(reply)}\r\n`);
    if (this.#errors >= this.#means.limits.errorsMax) this.#end(TOO_MANY_ERRORS);
  }

  /** Says the last word, if there is one, and closes. */
  #end(reply: Status | undefined): void {
    if (this.#state === "over") return;
    if (reply !== undefined) {
      this.#socket.write(`${statusLine(reply)}\r\n`);
      this.#means.onEnd(this.client, reply.text);
    }
    this.#become("over");
    this.#user.reset();
    this.#input = EMPTY;
    this.#front?.destroy();
    this.#socket.resume();
    this.#socket.end();
  }

  #become(state: State): void {
    this.#state = state;
    this.#times.restart(this.#means.now());
  }

  /** The client has closed its side. What is being carried out may end. */
  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (this.#state === "over") this.#socket.destroy();
    else this.#guard(() => this.#advance());
  };

  #closed(): void {
    if (this.#state !== "over") this.#means.onEnd(this.client, GONE);
    this.#state = "over";
    this.#user.reset();
    this.#front?.destroy();
    this.#accepted.release();
    this.#means.onClose(this);
  }

  /** Called once a second. */
  watch(now: number): void {
    const times = this.#times;
    if (this.#state === "over") {
      if (times.hasLingered(now)) this.destroy();
    } else if (this.#state === "handshake") {
      if (times.hasShakenTooLong(now)) this.destroy();
    } else if (this.#state !== "busy" && !this.#isHeld && times.isTooSlow(this.#user, now)) {
      this.#end(TOO_SLOW);
    }
  }

  /** Takes no new transaction, and ends when none is under way. */
  drain(): void {
    this.#isDraining = true;
    const isIdle = this.#state === "command" || this.#state === "challenge";
    if (isIdle && !this.#user.inTransaction) this.#end(CLOSING);
    if (this.#state === "handshake" || this.#state === "greeting") this.destroy();
  }

  destroy(): void {
    this.#accepted.socket.destroy();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

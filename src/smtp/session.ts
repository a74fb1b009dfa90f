// One SMTP session with a client (RFC 5321 3, 4): bytes in, replies out, one transaction at a time.
// Knows the protocol and nothing of mail: what to accept is asked of a Reception.
//
// Invariants: commands are answered in order, one at a time, however they are segmented. Nothing that came
// before a TLS handshake is read after it (RFC 3207 4.2), and text that runs ahead of 354 ends the session.
// Replies of one burst leave in one write. Every wait has a deadline; the errors of a session have a budget.

import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import type { Client } from "../envelope.ts";
import { LOCAL_ERROR, status, type Status } from "../status.ts";
import { decodeLine, isHeloName, type MailRequest, parseMail, parseRcpt } from "./command.ts";
import type { SessionLimits } from "./limits.ts";
import { MessageReader, UNFIT } from "./message-reader.ts";
import type { MailTransaction, MessageSink, Reception } from "./reception.ts";
import { describeTls } from "./tls.ts";

export interface SessionServices {
  readonly reception: Reception;
  /** Undefined where TLS is not offered. */
  readonly secureContext: (() => SecureContext) | undefined;
  now(): number;
  onError(client: Client, where: string, error: unknown): void;
  onTlsFailure(client: Client, error: Error): void;
  /** Called once. */
  onEnd(session: Session, why: string): void;
}

const OK = status(250, "0.0", "Ok");
const CLOSING = status(421, "3.2", "Service is shutting down, closing connection");
const NO_SENDER = status(503, "5.1", "MAIL first");

const EMPTY = Buffer.alloc(0);
/** Input that waits while a command is carried out; beyond it the client is made to wait. */
const INPUT_MAX = 128 * 1024;

export class Session {
  client: Client;
  /** When the session is cut, in ms since the epoch; watched by the server's one timer. */
  deadline: number;
  #socket: Socket;
  #input: Buffer = EMPTY;
  #output = "";
  #busy = false;
  #ended = false;
  #draining = false;
  #extended = false;
  #errors = 0;
  #refusedRecipients = 0;
  #mail: MailRequest | undefined;
  #transaction: MailTransaction | undefined;
  #accepted = 0;
  #reader: MessageReader | undefined;
  #sink: MessageSink | undefined;
  readonly #endAt: number;
  readonly #limits: SessionLimits;
  readonly #services: SessionServices;

  constructor(socket: Socket, address: string, limits: SessionLimits, services: SessionServices) {
    this.client = { address, helo: "" };
    this.#socket = socket;
    this.#limits = limits;
    this.#services = services;
    this.#endAt = services.now() + limits.sessionTimeout;
    this.deadline = services.now() + limits.commandTimeout;
  }

  /** Greets at once, or first shakes hands on a port with implicit TLS. */
  start(implicitTls: boolean): void {
    this.#listen();
    if (implicitTls) this.#startTls(() => this.#greet());
    else this.#greet();
  }

  #greet(): void {
    const refusal = this.#services.reception.connect(this.client);
    if (refusal !== undefined) return this.#end(refusal, "refused");
    this.#output += `220 ${this.#limits.hostname} ESMTP unseen\r\n`;
    this.#flush();
  }

  #listen(): void {
    this.#socket.setNoDelay(true);
    this.#socket.on("data", this.#onData);
    this.#socket.on("error", this.#onGone);
    this.#socket.on("close", this.#onGone);
    this.#socket.on("end", this.#onGone);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    if (!this.#busy) this.#run();
    else if (this.#input.length > INPUT_MAX) this.#socket.pause();
  };

  readonly #onGone = (): void => this.#finish("connection lost");

  /** Works off the input until something has to be waited for. */
  #run(): void {
    while (!this.#ended && !this.#busy && this.#input.length > 0) {
      if (this.#reader !== undefined) this.#readMessage(this.#reader);
      else if (!this.#readCommand()) break;
    }
    if (this.#draining && !this.inTransaction && !this.#ended) this.#end(CLOSING, "shutting down");
    if (this.#socket.isPaused() && !this.#busy) this.#socket.resume();
    this.#flush();
  }

  /** Nothing else happens in the session until `answer` is there. */
  #wait<T>(where: string, answer: Promise<T>, then: (value: T) => void): void {
    this.#busy = true;
    this.#flush();
    answer
      .then(then, (error: unknown) => {
        this.#services.onError(this.client, where, error);
        this.#reset();
        this.#reply(LOCAL_ERROR);
      })
      .finally(() => {
        this.#busy = false;
        this.#run();
      });
  }

  #readCommand(): boolean {
    const lf = this.#input.indexOf(10);
    const length = lf < 0 ? this.#input.length : lf + 1;
    if (length > this.#limits.commandLineMax) {
      this.#end(
        status(421, "5.2", "Command line is too long, closing connection"),
        "line too long",
      );
      return false;
    }
    if (lf < 0) return false;
    const line = this.#input.subarray(0, lf + 1);
    this.#input = this.#input.subarray(lf + 1);
    this.deadline = Math.min(this.#services.now() + this.#limits.commandTimeout, this.#endAt);
    const command = decodeLine(line);
    if (command === undefined) this.#error(status(500, "5.2", "Bad command line"));
    else this.#command(command);
    return true;
  }

  #command(line: string): void {
    const space = line.indexOf(" ");
    const verb = (space < 0 ? line : line.slice(0, space)).toUpperCase();
    const argument = space < 0 ? "" : line.slice(space + 1);
    switch (verb) {
      case "EHLO":
      case "HELO":
        return this.#hello(verb === "EHLO", argument.trim());
      case "MAIL":
        return this.#mailFrom(argument);
      case "RCPT":
        return this.#rcptTo(argument);
      case "DATA":
        return argument === "" ? this.#data() : this.#error(status(501, "5.4", "Syntax: DATA"));
      case "RSET":
        if (argument !== "") return this.#error(status(501, "5.4", "Syntax: RSET"));
        this.#reset();
        return this.#reply(OK);
      case "NOOP":
        return this.#reply(OK);
      case "QUIT":
        return this.#end(status(221, "0.0", "Bye"), "quit");
      case "STARTTLS":
        return this.#starttls(argument);
      case "VRFY":
        return this.#reply(status(252, "0.0", "Send some mail and see"));
      default:
        return this.#error(status(500, "5.1", "Unknown command"));
    }
  }

  #hello(extended: boolean, name: string): void {
    if (!isHeloName(name)) return this.#error(status(501, "5.4", "Say who you are: a host name"));
    this.#reset();
    this.#extended = extended;
    this.client = { ...this.client, helo: name };
    if (!extended) {
      this.#output += `250 ${this.#limits.hostname}\r\n`;
      return;
    }
    const lines = [this.#limits.hostname, "PIPELINING", `SIZE ${this.#limits.sizeMax}`, "8BITMIME"];
    if (this.#services.secureContext !== undefined && this.client.tls === undefined) {
      lines.push("STARTTLS");
    }
    lines.push("ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8");
    this.#output += lines
      .map((line, index) => `250${index === lines.length - 1 ? " " : "-"}${line}\r\n`)
      .join("");
  }

  #starttls(argument: string): void {
    if (argument !== "") return this.#error(status(501, "5.4", "Syntax: STARTTLS"));
    if (this.client.tls !== undefined)
      return this.#error(status(503, "5.1", "TLS is active already"));
    if (this.#services.secureContext === undefined || !this.#extended) {
      return this.#error(status(503, "5.1", "STARTTLS is not available"));
    }
    if (this.#input.length > 0) return this.#outOfStep();
    this.#output += "220 2.0.0 Ready to start TLS\r\n";
    this.#flush();
    this.#startTls(() => undefined);
  }

  #startTls(then: () => void): void {
    const context = this.#services.secureContext;
    if (context === undefined) throw new Error("TLS was started without a certificate");
    const clear = this.#socket;
    clear.off("data", this.#onData);
    clear.off("end", this.#onGone);
    this.#reset();
    this.#extended = false;
    this.#busy = true;
    const secure = new TLSSocket(clear, { isServer: true, secureContext: context() });
    const failed = (error: Error) => {
      this.#services.onTlsFailure(this.client, error);
      this.#finish("TLS handshake failed");
    };
    secure.once("_tlsError", failed);
    secure.once("secure", () => {
      secure.off("_tlsError", failed);
      this.#busy = false;
      this.client = { ...this.client, helo: "", tls: describeTls(secure) };
      then();
      this.#run();
    });
    this.#socket = secure;
    this.#listen();
  }

  #mailFrom(argument: string): void {
    if (this.client.helo === "") return this.#error(status(503, "5.1", "HELO or EHLO first"));
    if (this.#mail !== undefined) return this.#error(status(503, "5.1", "MAIL was given already"));
    if (this.#draining) return this.#end(CLOSING, "shutting down");
    const parsed = parseMail(argument);
    if ("refused" in parsed) return this.#error(parsed.refused);
    if ((parsed.ok.declaredSize ?? 0) > this.#limits.sizeMax) return this.#reply(UNFIT["too-big"]);
    const begin = (answer: Status | MailTransaction) => {
      if ("code" in answer) return this.#reply(answer);
      this.#mail = parsed.ok;
      this.#transaction = answer;
      this.#reply(status(250, "1.0", "Sender ok"));
    };
    const answer = this.#asked("MAIL", () => this.#services.reception.mail(this.client, parsed.ok));
    if (answer instanceof Promise) this.#wait("MAIL", answer, begin);
    else if (answer !== undefined) begin(answer);
  }

  #rcptTo(argument: string): void {
    const transaction = this.#transaction;
    if (this.#mail === undefined || transaction === undefined) return this.#error(NO_SENDER);
    const { recipientsMax, postmasterDomain } = this.#limits;
    const parsed = parseRcpt(argument, this.#mail.smtputf8, postmasterDomain);
    if ("refused" in parsed) return this.#error(parsed.refused);
    if (this.#accepted >= recipientsMax) {
      return this.#reply(
        status(452, "5.3", "Too many recipients, send the rest in another message"),
      );
    }
    const settle = (answer: Status) => {
      if (answer.code < 300) this.#accepted++;
      else if (answer.code >= 500) this.#refusedRecipients++;
      if (this.#refusedRecipients < this.#limits.refusedRecipientsMax) return this.#reply(answer);
      return this.#end(
        status(421, "7.0", "Too many refused recipients, closing connection"),
        "too many refused recipients",
      );
    };
    const answer = this.#asked("RCPT", () => transaction.recipient(parsed.ok));
    if (answer instanceof Promise) this.#wait("RCPT", answer, settle);
    else if (answer !== undefined) settle(answer);
  }

  /** A throw of the relay is answered here; undefined then. */
  #asked<T>(where: string, ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.#services.onError(this.client, where, error);
      this.#reply(LOCAL_ERROR);
      return undefined;
    }
  }

  #data(): void {
    if (this.#mail === undefined || this.#transaction === undefined) return this.#error(NO_SENDER);
    if (this.#accepted === 0) return this.#error(status(503, "5.1", "No recipient was accepted"));
    if (this.#input.length > 0) return this.#outOfStep();
    this.#sink = this.#asked("DATA", () => this.#transaction?.message());
    if (this.#sink === undefined) return this.#reset();
    this.#reader = new MessageReader(this.#limits.sizeMax, this.#limits.textLineMax);
    this.deadline = Math.min(this.#services.now() + this.#limits.messageTimeout, this.#endAt);
    this.#output += "354 Go on, end with <CRLF>.<CRLF>\r\n";
  }

  /** RFC 2920 3.1: DATA and STARTTLS are the last of their burst. Text ahead of the reply is an attack or a bug. */
  #outOfStep(): void {
    this.#end(status(554, "5.0", "SMTP synchronization error"), "text ahead of the reply");
  }

  #readMessage(reader: MessageReader): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    const chunk = this.#input;
    let ready: Promise<void> | undefined;
    const end = reader.read(chunk, (piece) => {
      const written = sink.write(piece);
      if (written instanceof Promise)
        ready = ready === undefined ? written : ready.then(() => written);
    });
    this.#input = end < 0 ? EMPTY : chunk.subarray(end);
    if (end >= 0) return this.#endOfMessage(reader, sink, ready);
    if (ready !== undefined) this.#wait("DATA", ready, () => undefined);
    // A client that goes on for as long again behind the limit has lost its right to a polite reply.
    if (reader.size > 2 * this.#limits.sizeMax) this.#end(UNFIT["too-big"], "message too big");
  }

  #endOfMessage(reader: MessageReader, sink: MessageSink, ready: Promise<void> | undefined): void {
    this.#sink = undefined;
    if (reader.unfit !== undefined) {
      sink.abort(UNFIT[reader.unfit]);
      this.#reset();
      return this.#error(UNFIT[reader.unfit]);
    }
    const finished = ready === undefined ? sink.finish() : ready.then(() => sink.finish());
    this.#wait("end of DATA", finished, (answer) => {
      this.#reset();
      this.#reply(answer);
    });
  }

  #reset(): void {
    this.#sink?.abort();
    this.#sink = undefined;
    this.#reader = undefined;
    this.#mail = undefined;
    this.#transaction = undefined;
    this.#accepted = 0;
  }

  #reply(answer: Status): void {
    this.#output += `${answer.code} ${answer.enhanced} ${answer.text}\r\n`;
  }

  #error(answer: Status): void {
    if (++this.#errors < this.#limits.errorsMax) return this.#reply(answer);
    this.#end(status(421, "7.0", "Too many errors, closing connection"), "too many errors");
  }

  #flush(): void {
    if (this.#output === "" || this.#ended) return;
    this.#socket.write(this.#output);
    this.#output = "";
  }

  /** Last words. The transaction under way, if any, is void. */
  #end(answer: Status, why: string): void {
    this.#reply(answer);
    this.#flush();
    this.#socket.end();
    this.#finish(why);
  }

  #finish(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#input = EMPTY;
    this.#socket.off("data", this.#onData);
    this.#socket.resume();
    this.#reset();
    this.#services.onEnd(this, why);
  }

  get inTransaction(): boolean {
    return this.#mail !== undefined || this.#busy;
  }

  /** The relay stops: a transaction under way may end, then the session is over. */
  drain(): void {
    this.#draining = true;
    if (!this.inTransaction && !this.#ended) this.#end(CLOSING, "shutting down");
  }

  /** The deadline has passed. */
  expire(): void {
    if (!this.#ended) this.#end(status(421, "4.2", "Timeout, closing connection"), "timeout");
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

// The commands of a session after the greeting (RFC 5321 3, 4.1), and the one transaction that may be under way. Their
// order is in states.ts. Bytes, deadlines and the socket belong to the session.
//
// Invariants:
// - MAIL begins a transaction. Its end, RSET, HELO, EHLO or STARTTLS removes it completely.
// - The errors of a client have a budget. A client that exceeds it is disconnected.
// - An exception of the relay becomes the reply 451 and has no other effect on the client.

import type { Client } from "../../mail/envelope.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { LOCAL_ERROR, status, type Status } from "../../mail/status.ts";
import { heloName, parseMail, parseRcpt } from "./command.ts";
import type { SessionLimits } from "./limits.ts";
import { MessageReader, UNFIT } from "./message-reader.ts";
import type { MailTransaction, MessageSink, Reception } from "./reception.ts";
import { COMMANDS, type DialogueState } from "./states.ts";
import { IncomingMessage } from "./incoming-message.ts";

/** The services of the session for its dialogue. */
export interface SessionPort {
  client: Client;
  /** The relay stops: no new transaction. */
  readonly draining: boolean;
  readonly offersTls: boolean;
  /** The client is a host of a relay rule. */
  readonly isRelayHost: boolean;
  /** The client has sent more than the command that is being carried out. */
  readonly hasInput: boolean;
  now(): number;
  /** Lines with their ends. */
  write(text: string): void;
  reply(answer: Status): void;
  /** Replies with last words and ends the session. */
  end(answer: Status, why: string): void;
  /** The client has sent input where the protocol allows none: ends the session. */
  outOfStep(why: string): void;
  startTls(): void;
  /** A message was accepted. */
  onAccepted(): void;
  /** These parameters of a command cannot be decoded and were left out of the request. */
  onDropped(command: "MAIL" | "RCPT", parameters: readonly string[]): void;
  /** Asks the relay. The session does nothing else until the answer, which may come at once or later. */
  ask<T>(
    where: string,
    ask: () => MaybePromise<T>,
    then: (answer: T) => void,
    otherwise?: () => void,
  ): void;
}

const OK = status(250, "0.0", "Ok");
const UNKNOWN = status(500, "5.1", "Unknown command");
const NO_REQUIRETLS = status(555, "5.4", "REQUIRETLS is not offered");
const NEEDS_TLS = status(530, "7.0", "REQUIRETLS needs TLS: issue a STARTTLS command first");
const TOO_MUCH_JUNK = status(421, "7.0", "Too many commands without mail, closing connection");
export const CLOSING = status(421, "3.2", "Service is shutting down, closing connection");

const EMPTY = Buffer.alloc(0);

export class Dialogue {
  /** The message that is coming in. While it is set, the client's input is text. */
  incoming: IncomingMessage | undefined;
  /** Deadline of the transaction, by the monotonic clock. Infinite without a transaction. */
  transactionEndAt = Number.POSITIVE_INFINITY;
  #state: DialogueState = "connected";
  /** The last greeting was EHLO. */
  #extended = false;
  #errors = 0;
  #refusedRecipients = 0;
  /** Since the last message. */
  #junkCommands = 0;
  #transaction: MailTransaction | undefined;
  /** MAIL asked for SMTPUTF8. */
  #smtputf8 = false;
  #accepted = 0;
  readonly #session: SessionPort;
  readonly #limits: SessionLimits;
  readonly #reception: Reception;

  constructor(session: SessionPort, limits: SessionLimits, reception: Reception) {
    this.#session = session;
    this.#limits = limits;
    this.#reception = reception;
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  command(line: string): void {
    const blank = line.search(/[ \t]/);
    const verb = (blank < 0 ? line : line.slice(0, blank)).toUpperCase();
    const rest = blank < 0 ? "" : line.slice(blank + 1);
    // RFC 5321 4.1.1: blanks at the end of a command are to be tolerated.
    const argument = /^[ \t]+$/.test(rest) ? "" : rest;
    const command = COMMANDS.get(verb);
    if (command === undefined) return this.error(UNKNOWN);
    if (command.isJunk && ++this.#junkCommands > this.#limits.junkCommandsMax) {
      return this.#session.end(TOO_MUCH_JUNK, "too many commands without a message");
    }
    if (command.isBare && argument !== "") {
      return this.error(status(501, "5.4", `Syntax: ${command.verb}`));
    }
    if (this.#state === "text") throw new Error("a command was read within a message");
    const next = command.from[this.#state];
    if (typeof next !== "string") return this.error(next);
    switch (command.verb) {
      case "EHLO":
      case "HELO":
        return this.#hello(next, command.verb === "EHLO", argument.trim());
      case "MAIL":
        return this.#mailFrom(next, argument);
      case "RCPT":
        return this.#rcptTo(next, argument);
      case "DATA":
        return this.#data(next);
      case "RSET":
        this.#enter(next);
        return this.#session.reply(OK);
      case "NOOP":
        return this.#session.reply(OK);
      case "VRFY":
        return this.#session.reply(status(252, "0.0", "Send some mail and see"));
      case "STARTTLS":
        return this.#startTls(next);
      case "QUIT":
        return this.#session.end(status(221, "0.0", "Bye"), "quit");
    }
  }

  #hello(next: DialogueState, extended: boolean, argument: string): void {
    const name = heloName(argument);
    if (name === undefined) return this.error(status(501, "5.4", "Say who you are: a host name"));
    this.#enter(next);
    this.#extended = extended;
    const { basic: _, ...client } = this.#session.client;
    this.#session.client = { ...client, helo: name, ...(extended ? {} : { basic: true }) };
    if (!extended) {
      this.#session.write(`250 ${this.#limits.hostname}\r\n`);
      return;
    }
    const lines = [this.#limits.hostname, "PIPELINING", `SIZE ${this.#limits.sizeMax}`, "8BITMIME"];
    if (this.#session.offersTls && this.#session.client.tls === undefined) {
      lines.push("STARTTLS");
    }
    lines.push("ENHANCEDSTATUSCODES", ...(this.#offersDsn ? ["DSN"] : []), "SMTPUTF8");
    if (this.#mayRequireTls && this.#session.client.tls !== undefined) lines.push("REQUIRETLS");
    const last = lines.length - 1;
    const reply = lines.map((line, index) => `250${index === last ? " " : "-"}${line}\r\n`);
    this.#session.write(reply.join(""));
  }

  #startTls(next: DialogueState): void {
    if (this.#session.client.tls !== undefined)
      return this.error(status(503, "5.1", "TLS is active already"));
    if (!this.#session.offersTls || !this.#extended) {
      return this.error(status(503, "5.1", "STARTTLS is not available"));
    }
    if (this.#session.hasInput) return this.#session.outOfStep("text ahead of the handshake");
    this.#enter(next);
    this.#extended = false;
    this.#session.write("220 2.0.0 Ready to start TLS\r\n");
    this.#session.startTls();
  }

  get #mayRequireTls(): boolean {
    const { requireTls } = this.#limits;
    const { offersTls, isRelayHost } = this.#session;
    return offersTls && (requireTls === "all" || (requireTls === "relay" && isRelayHost));
  }

  /** RFC 3461. Other clients' DSN parameters are parsed and then ignored: the relay writes no reports for strangers. */
  get #offersDsn(): boolean {
    const { dsn } = this.#limits;
    return dsn === "all" || (dsn === "relay" && this.#session.isRelayHost);
  }

  #mailFrom(next: DialogueState, argument: string): void {
    if (this.#session.draining) return this.#session.end(CLOSING, "shutting down");
    const parsed = parseMail(argument);
    if ("refused" in parsed) return this.error(parsed.refused);
    const { ret: _ret, envid: _envid, ...plain } = parsed.ok;
    const request = this.#offersDsn ? parsed.ok : plain;
    if (parsed.dropped !== undefined) this.#session.onDropped("MAIL", parsed.dropped);
    if (request.requireTls === true) {
      if (!this.#mayRequireTls) return this.error(NO_REQUIRETLS);
      // RFC 8689 4: a message that came in the clear may have been read on the way already.
      if (this.#session.client.tls === undefined) return this.error(NEEDS_TLS);
    }
    if ((request.declaredSize ?? 0) > this.#limits.sizeMax)
      return this.#session.reply(UNFIT["too-big"]);
    const begin = (answer: Status | MailTransaction) => {
      if ("code" in answer) return this.#session.reply(answer);
      this.#state = next;
      this.#smtputf8 = request.smtputf8;
      this.#transaction = answer;
      this.transactionEndAt = this.#session.now() + this.#limits.messageTimeout;
      this.#session.reply(status(250, "1.0", "Sender ok"));
    };
    this.#session.ask("MAIL", () => this.#reception.mail(this.#session.client, request), begin);
  }

  #rcptTo(next: DialogueState, argument: string): void {
    const { recipientsMax, postmasterDomain } = this.#limits;
    const parsed = parseRcpt(argument, this.#smtputf8, postmasterDomain);
    if ("refused" in parsed) return this.error(parsed.refused);
    if (parsed.dropped !== undefined) this.#session.onDropped("RCPT", parsed.dropped);
    if (this.#accepted >= recipientsMax) {
      return this.#session.reply(
        status(452, "5.3", "Too many recipients, send the rest in another message"),
      );
    }
    const conclude = (answer: Status) => {
      if (answer.code < 300) {
        this.#state = next;
        this.#accepted++;
      } else if (answer.code >= 500) this.#refusedRecipients++;
      if (this.#refusedRecipients < this.#limits.refusedRecipientsMax)
        return this.#session.reply(answer);
      return this.#session.end(
        status(421, "7.0", "Too many refused recipients, closing connection"),
        "too many refused recipients",
      );
    };
    const request = this.#offersDsn ? parsed.ok : { mailbox: parsed.ok.mailbox };
    this.#session.ask("RCPT", () => this.#underWay.recipient(request), conclude);
  }

  #data(next: DialogueState): void {
    // RFC 2920 3.1: DATA is the last of its burst. Text ahead of the reply is an attack or a bug.
    if (this.#session.hasInput) return this.#session.outOfStep("text ahead of the reply");
    const begin = (sink: MessageSink) => {
      const { sizeMax, textLineMax, bareNewlines, messageTimeout } = this.#limits;
      const reader = new MessageReader(sizeMax, textLineMax, bareNewlines);
      const now = this.#session.now();
      this.#state = next;
      this.incoming = new IncomingMessage(reader, sink, now);
      this.transactionEndAt = now + messageTimeout;
      this.#session.write("354 Go on, end with <CRLF>.<CRLF>\r\n");
    };
    const otherwise = () => {
      this.reset();
      this.#session.reply(LOCAL_ERROR);
    };
    this.#session.ask("DATA", () => this.#underWay.message(), begin, otherwise);
  }

  /** Returns the rest of `chunk` after the end of the message. */
  readMessage(incoming: IncomingMessage, chunk: Buffer): Buffer {
    const end = incoming.read(chunk);
    if (end >= 0) this.#endOfMessage(incoming);
    else this.#pause(incoming);
    return end < 0 ? EMPTY : chunk.subarray(end);
  }

  #pause(incoming: IncomingMessage): void {
    // A client that sends twice the limit is disconnected without waiting for the end of its message.
    if (incoming.size > 2 * this.#limits.sizeMax) {
      return this.#session.end(UNFIT["too-big"], "message too big");
    }
    const { ready } = incoming;
    if (ready === undefined) return;
    this.#session.ask(
      "DATA",
      () => ready,
      () => {
        if (incoming.ready === ready) incoming.ready = undefined;
        incoming.resumeAt(this.#session.now());
      },
    );
  }

  #endOfMessage(incoming: IncomingMessage): void {
    this.incoming = undefined;
    const unfit = incoming.unfit();
    const conclude = (answer: Status) => {
      this.reset();
      if (answer.code < 300) {
        this.#junkCommands = 0;
        this.#session.onAccepted();
      }
      this.#session.reply(answer);
    };
    if (unfit !== undefined) {
      this.reset();
      return this.error(unfit);
    }
    this.#session.ask(
      "end of DATA",
      () => incoming.finish(),
      conclude,
      () => conclude(LOCAL_ERROR),
    );
  }

  /** The transaction, in the states that have one. Throws in the others. */
  get #underWay(): MailTransaction {
    if (this.#transaction === undefined) throw new Error("no transaction is under way");
    return this.#transaction;
  }

  /** Ends the transaction that is under way, if any. */
  reset(): void {
    this.#enter(this.#state === "connected" ? "connected" : "ready");
  }

  #enter(state: DialogueState): void {
    this.#state = state;
    this.incoming?.abort();
    this.incoming = undefined;
    this.#transaction?.end?.();
    this.#transaction = undefined;
    this.#accepted = 0;
    this.transactionEndAt = Number.POSITIVE_INFINITY;
  }

  /** Replies to a mistake of the client. The last mistake of its budget ends the session. */
  error(answer: Status): void {
    if (++this.#errors < this.#limits.errorsMax) return this.#session.reply(answer);
    this.#session.end(status(421, "7.0", "Too many errors, closing connection"), "too many errors");
  }
}

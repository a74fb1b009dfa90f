// One mail transaction: MAIL, RCPT for each recipient, DATA, the message (RFC 5321 3.3). With PIPELINING all
// commands go out in one write (RFC 2920). Replies are read as they come, so no number of recipients can deadlock on a
// full window.
//
// Invariants:
// - The answer to a recipient is kept, whatever happens afterwards.
// - A 421 is an answer like others: after RCPT it is the recipient's; after MAIL, DATA or the dot it is the message's.
// - Once the final dot may have left, a lost connection is about the message and not about the host, because the peer
//   may have taken the message (RFC 1047).
// - A message that cannot be read to its end is never ended with a dot.

import { given } from "../../base/given.ts";
import type { RetryError } from "../../mail/host.ts";
import { LOCAL_ERROR, saidLine, status, type Status } from "../../mail/status.ts";
import type { Capabilities } from "./capabilities.ts";
import { ConnectionFailure, type ClientConnection } from "./connection.ts";
import {
  mailCommand,
  mustBeWhole,
  rcptCommand,
  recipientRefusal,
  messageRefusal,
  STILL_COMING,
} from "./message.ts";
import type { Transaction } from "./message.ts";
import { DotStuffer } from "../wire/dot-stuffing.ts";
import { isLastOne, isPositive, replyStatus, type Reply } from "./reply.ts";

const RSET = "RSET\r\n";

/** Milliseconds. `data` is for each block of the message, `final` for the reply to its end. */
export interface Timeouts {
  readonly connect: number;
  readonly command: number;
  readonly data: number;
  readonly final: number;
}

export interface TransactionResult {
  /** For each recipient, in order, the answer to its RCPT; undefined without an answer. */
  readonly recipients: readonly (Status | undefined)[];
  /** One answer for every recipient that was not refused by itself: at MAIL, at DATA or after the dot. */
  readonly message: Status | undefined;
  /** LMTP: for each recipient, the answer to its delivery; undefined without an answer. */
  readonly deliveries: readonly (Status | undefined)[];
  /** The reason why the connection broke. Undefined if it did not, or if the peer's last answer ended it. */
  readonly failure: TransactionFailure | undefined;
  /**
   * The peer's last answer ended the connection: a 421, a reply that contradicts itself or is too long, or a refusal of
   * a recipient after which the peer hung up.
   */
  readonly closed: boolean;
  /** The peer gave an answer other than 421. If false, a connection that was used before had died of age. */
  readonly answered: boolean;
  /** The peer offers DSN, so NOTIFY and its other parameters went to it (RFC 3461). */
  readonly dsn: boolean;
  /**
   * Cut-through only: the host has certainly not taken the message while it was coming in, because its end was not
   * sent or was answered with 421. This result says nothing about the complete message.
   */
  readonly notPassed: boolean;
}

interface TransactionFailure {
  readonly status: Status;
  /** "message": the peer may have taken it, or the relay's copy is damaged, so no other host may be tried. */
  readonly scope: "host" | "message";
  /** Index of the recipient whose RCPT had no answer. */
  readonly recipient?: number;
  readonly error?: RetryError;
  /** The error on the relay's side. */
  readonly cause?: unknown;
}

/** An open connection, on which one transaction after the other runs. */
export interface OpenConnection {
  readonly connection: ClientConnection;
  readonly offered: Capabilities;
  readonly timeouts: Timeouts;
  /** LMTP: after the dot, each accepted recipient has an answer of its own (RFC 2033 4.2). */
  readonly lmtp: boolean;
  /** A transaction may still be open at the server, so the next one begins with RSET. */
  dirty: boolean;
}

/** Runs one transaction. Never rejects. */
export async function transact(
  open: OpenConnection,
  transaction: Transaction,
): Promise<TransactionResult> {
  const { offered } = open;
  const recipients = transaction.recipients.map((one) => recipientRefusal(one.mailbox, offered));
  const exchange = new Exchange(open, transaction, recipients);
  try {
    exchange.notPassed = mustBeWhole(transaction, offered);
    exchange.message = exchange.notPassed
      ? STILL_COMING
      : await messageRefusal(transaction, offered);
    if (exchange.message === undefined && recipients.includes(undefined)) await exchange.run();
  } catch (error) {
    if (exchange.endedWithRefusal(error)) return exchange;
    const failure = exchange.failureFrom(error);
    exchange.failure = failure;
    exchange.notPassed = failure.scope === "host" && transaction.body.unread === false;
  }
  return exchange;
}

/** Octets of a body in memory that is written at once with its dot. A larger body is written as the server takes it. */
const AT_ONCE = 64 * 1024;

class Exchange implements TransactionResult {
  readonly recipients: (Status | undefined)[];
  message: Status | undefined;
  readonly deliveries: (Status | undefined)[] = [];
  failure: TransactionFailure | undefined;
  closed = false;
  answered = false;
  readonly dsn: boolean;
  notPassed = false;
  readonly #open: OpenConnection;
  readonly #transaction: Transaction;
  /** The final dot may have left. */
  #dotSent = false;
  /** Index of the recipient whose RCPT is waiting for its answer. */
  #asking: number | undefined;
  /** The last answer that was read refused a recipient. */
  #hasJustRefused = false;

  constructor(open: OpenConnection, transaction: Transaction, recipients: (Status | undefined)[]) {
    this.#open = open;
    this.dsn = open.offered.dsn;
    this.#transaction = transaction;
    this.recipients = recipients;
  }

  async run(): Promise<void> {
    const { connection, offered } = this.#open;
    const mail = mailCommand(this.#transaction, offered);
    const rcpts = this.#transaction.recipients.map((recipient, index) =>
      this.recipients[index] === undefined ? rcptCommand(recipient, offered) : "",
    );
    if (offered.pipelining) this.#sendEnvelope(mail, rcpts);
    if (this.#open.dirty) await this.#reset();
    this.#open.dirty = true;
    const hasSender = await this.#askSender(mail);
    const accepted = await this.#askRecipients(rcpts, hasSender);
    if (this.closed || (accepted === 0 && !offered.pipelining)) return;
    const data = await this.#ask("DATA", "DATA\r\n");
    if (isPositive(data)) throw connection.outOfStep("DATA");
    if (data.code !== 354) {
      if (accepted > 0) this.message = replyStatus(data);
    } else if (accepted > 0) {
      await this.#sendMessage(accepted);
      this.#open.dirty = false;
    } else if (this.#open.lmtp) {
      // RFC 2033 4.2: without recipients DATA must fail, because no answer could follow the message.
      throw connection.outOfStep("DATA");
    } else {
      // DATA went out before the answers came. The peer now waits for a message without recipients (RFC 2920 3.1).
      await this.#ask("the end of an empty message", ".\r\n", true);
    }
  }

  /** Whether the peer hung up right after it refused a recipient: that refusal is its last answer. */
  endedWithRefusal(error: unknown): boolean {
    const isLost = error instanceof ConnectionFailure && error.error === "lost_connection";
    if (!isLost || !this.#hasJustRefused) return false;
    this.closed = true;
    return true;
  }

  failureFrom(error: unknown): TransactionFailure {
    if (!(error instanceof ConnectionFailure)) {
      const { connection } = this.#open;
      const wasAlive = connection.alive;
      // The error is on the relay's side. The connection is cut within the message, so that no dot can follow.
      const { status: first } = connection.fail(LOCAL_ERROR, error);
      // The connection had failed before: the attempt was given up, which also ended the reading of the body.
      if (!wasAlive) return { status: first, scope: "message" };
      return { status: LOCAL_ERROR, scope: "message", cause: error };
    }
    const { status: why, error: kind } = error;
    // A 421 here came unasked and is about the host. A 421 to RCPT is an answer and does not get here.
    const recipient = why.code === 421 ? undefined : this.#asking;
    return {
      status: why,
      scope: this.#dotSent ? "message" : "host",
      ...given({ recipient, error: kind }),
    };
  }

  // ---- the envelope ----

  #sendEnvelope(mail: string, rcpts: readonly string[]): void {
    const { connection, dirty } = this.#open;
    const asked = this.recipients.reduce(
      (sum, answer) => (answer === undefined ? sum + 1 : sum),
      0,
    );
    const text = `${dirty ? RSET : ""}${mail}${rcpts.join("")}DATA\r\n`;
    connection.send(text, asked + (dirty ? 3 : 2));
  }

  /** Returns the reply to a command. With PIPELINING the command was sent already, unless it is `unforeseen`. */
  async #ask(stage: string, line: string, unforeseen = false): Promise<Reply> {
    const { connection, offered, timeouts } = this.#open;
    if (unforeseen || !offered.pipelining) connection.send(line, 1);
    return this.#answer(stage, timeouts.command);
  }

  async #answer(stage: string, timeout: number): Promise<Reply> {
    const reply = await this.#open.connection.answer(stage, timeout);
    this.#hasJustRefused = false;
    this.closed = isLastOne(reply);
    if (!this.closed) this.answered = true;
    return reply;
  }

  async #reset(): Promise<void> {
    const reply = await this.#ask("RSET", RSET);
    if (isPositive(reply)) return;
    this.closed = false;
    throw this.#open.connection.fail(asTemporary(replyStatus(reply)));
  }

  async #askSender(mail: string): Promise<boolean> {
    const reply = await this.#ask("MAIL FROM", mail);
    if (!isPositive(reply)) this.message = replyStatus(reply);
    return isPositive(reply);
  }

  /** Returns the number of accepted recipients. If MAIL was refused it is 0, whatever the peer says. */
  async #askRecipients(rcpts: readonly string[], hasSender: boolean): Promise<number> {
    let accepted = 0;
    if (!hasSender && !this.#open.offered.pipelining) return 0;
    for (const [index, rcpt] of rcpts.entries()) {
      if (this.closed) break;
      if (rcpt === "") continue;
      this.#asking = hasSender ? index : undefined;
      const reply = await this.#ask("RCPT TO", rcpt);
      if (!hasSender) continue;
      this.recipients[index] = replyStatus(reply);
      if (isPositive(reply)) accepted++;
      else this.#hasJustRefused = true;
    }
    this.#asking = undefined;
    return accepted;
  }

  // ---- the message ----

  async #sendMessage(accepted: number): Promise<void> {
    const { connection, lmtp } = this.#open;
    const { inline } = this.#transaction.body;
    const stuffer = new DotStuffer();
    connection.expectAnswers(lmtp ? accepted : 1);
    if (inline === undefined || inline.length > AT_ONCE) {
      await this.#stream(stuffer);
    } else {
      this.#dotSent = true;
      connection.sendBody(stuffer.stuff(inline), stuffer.end());
    }
    if (!this.#dotSent) await this.#readEarlyAnswer();
    else if (lmtp) await this.#readDeliveries();
    else {
      this.message = replyStatus(await this.#finalReply());
      this.notPassed = this.message.code === 421 && this.#transaction.body.unread === false;
    }
  }

  /** RFC 2033 4.2: one answer for each recipient that was accepted, in the order of the RCPTs. */
  async #readDeliveries(): Promise<void> {
    for (const [index, answer] of this.recipients.entries()) {
      if (answer === undefined || answer.code >= 300) continue;
      this.deliveries[index] = replyStatus(await this.#finalReply());
    }
  }

  #finalReply(): Promise<Reply> {
    return this.#answer("the end of the message", this.#open.timeouts.final);
  }

  async #stream(stuffer: DotStuffer): Promise<void> {
    const { connection, timeouts } = this.#open;
    for await (const chunk of this.#transaction.body.chunks()) {
      connection.sendBody(stuffer.stuff(chunk));
      if (!(await connection.drained(timeouts.data))) return;
    }
    // The last chunk may have been slow to come. A reply that arrived meanwhile does not answer the final dot.
    if (!(await connection.drained(timeouts.data))) return;
    this.#dotSent = true;
    connection.sendBody(stuffer.end());
  }

  /** A refusal in the middle of the message counts. The message cannot be ended cleanly, so the connection ends. */
  async #readEarlyAnswer(): Promise<void> {
    const { connection } = this.#open;
    const reply = await this.#finalReply();
    if (isPositive(reply)) throw connection.outOfStep("the message");
    this.message = replyStatus(reply);
    this.notPassed = this.#transaction.body.unread === false;
    connection.fail(asTemporary(this.message));
  }
}

/** Returns `answer` as a temporary error: an answer that a host gives before it sees a message is never final. */
export function asTemporary(answer: Status): Status {
  if (answer.code < 500) return answer;
  return status(451, answer.enhanced.slice(2), saidLine(answer));
}

// The SMTP client: opens a conversation with one server at one address, and holds it over many transactions.
// Greeting, EHLO with the way back to HELO (RFC 5321 3.2), STARTTLS (RFC 3207). What a peer does is an answer,
// never an exception. It knows nothing of hosts lists, retries or pools; those are the transport's.

import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import type { RetryError } from "../contract.ts";
import { status, type Status } from "../status.ts";
import { NO_CAPABILITIES, parseCapabilities, type Capabilities } from "./client-capabilities.ts";
import { ClientConnection, ConnectionFailure, type Endpoint } from "./client-connection.ts";
import type { Transaction } from "./client-message.ts";
import { temporary, transact } from "./client-transaction.ts";
import type { Session, Timeouts, TransactionResult } from "./client-transaction.ts";
import { isPositive, replyStatus } from "./reply.ts";

/**
 * - `none`: never. `opportunistic`: if offered, with any certificate; in the clear otherwise.
 * - `required`: with any certificate, or not at all. `verify`: with a valid certificate in the host's name.
 */
export type TlsMode = "none" | "opportunistic" | "required" | "verify";

export interface ConnectOptions extends Endpoint {
  /** The host's name: for SNI and for the check of the certificate. May be an address. */
  readonly name: string;
  readonly helo: string;
  readonly tls: TlsMode;
  /** Opportunistic only: go on in the clear when the server refuses STARTTLS for the moment. */
  readonly tryClear: boolean;
  /** Certificates that `verify` trusts, PEM; absent: the system's. */
  readonly trusted?: string;
  readonly timeouts: Timeouts;
  readonly clock: Clock;
}

export type Connected =
  | { readonly kind: "connected"; readonly conversation: Conversation }
  | {
      readonly kind: "failed";
      /** Always 4xx: no host says anything final about a message before it has seen one. */
      readonly status: Status;
      /** It failed for TLS; another attempt in the clear may do better. */
      readonly tlsFailed: boolean;
      /** This machine has no way to such addresses. */
      readonly noRoute: boolean;
      readonly error: RetryError | undefined;
    };

/** Time that QUIT may take. */
const QUIT_TIMEOUT = 2000;

const GAVE_UP = status(451, "4.7", "The attempt took too long and was given up");

export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<Connected> {
  const opening = new Opening(options);
  const giveUp = () => opening.connection.fail(GAVE_UP);
  signal.addEventListener("abort", giveUp);
  try {
    if (signal.aborted) giveUp();
    return { kind: "connected", conversation: await opening.run() };
  } catch (error) {
    if (!(error instanceof ConnectionFailure)) {
      opening.connection.fail(GAVE_UP, error);
      throw error;
    }
    const { tlsFailed } = opening;
    const { status: why, noRoute } = error;
    return { kind: "failed", status: why, tlsFailed, noRoute, error: error.error };
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** From the connection to the EHLO after which mail may flow. */
class Opening {
  readonly connection: ClientConnection;
  tlsFailed = false;
  readonly #options: ConnectOptions;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.connection = new ClientConnection(options, options.clock);
  }

  async run(): Promise<Conversation> {
    const { timeouts, tls } = this.#options;
    await this.connection.connected(timeouts.connect);
    const greeting = await this.connection.reply("the greeting", timeouts.command);
    if (!isPositive(greeting)) throw this.#refused(replyStatus(greeting));
    const inClear = await this.#hello();
    if (tls === "none") return this.#conversation(inClear, false);
    if (!inClear.startTls) {
      if (tls !== "opportunistic") throw this.#noTls("The host does not offer TLS");
      return this.#conversation(inClear, false);
    }
    if (!(await this.#startTls())) return this.#conversation(inClear, false);
    const capabilities = await this.#hello();
    this.tlsFailed = false;
    return this.#conversation(capabilities, true);
  }

  #conversation(offered: Capabilities, secured: boolean): Conversation {
    const { timeouts } = this.#options;
    return new Conversation(
      { connection: this.connection, offered, timeouts, dirty: false },
      secured,
    );
  }

  async #hello(): Promise<Capabilities> {
    const { helo, timeouts } = this.#options;
    this.connection.send(`EHLO ${helo}\r\n`, 1);
    const ehlo = await this.connection.reply("EHLO", timeouts.command);
    if (isPositive(ehlo)) return parseCapabilities(ehlo);
    if (ehlo.code < 500) throw this.#refused(replyStatus(ehlo));
    this.connection.send(`HELO ${helo}\r\n`, 1);
    const hello = await this.connection.reply("HELO", timeouts.command);
    if (!isPositive(hello)) throw this.#refused(replyStatus(hello));
    return NO_CAPABILITIES;
  }

  /** False: the server would not, and that is tolerable. */
  async #startTls(): Promise<boolean> {
    const { name, tls, trusted, tryClear, timeouts } = this.#options;
    this.connection.send("STARTTLS\r\n", 1);
    const reply = await this.connection.reply("STARTTLS", timeouts.command);
    if (!isPositive(reply)) {
      if (tls === "opportunistic" && (reply.code >= 500 || tryClear)) return false;
      throw this.#noTls(`The host refused STARTTLS: ${replyStatus(reply).text}`);
    }
    this.tlsFailed = true;
    const identity = isIP(name) === 0 ? { servername: name } : {};
    await this.connection.startTls(
      {
        host: name,
        ...identity,
        rejectUnauthorized: tls === "verify",
        ...(trusted === undefined ? {} : { ca: trusted }),
      },
      timeouts.command,
    );
    return true;
  }

  #refused(answer: Status): ConnectionFailure {
    return this.connection.fail(temporary(answer));
  }

  #noTls(why: string): ConnectionFailure {
    return this.connection.fail(status(451, "7.4", why), undefined, "tls_required");
  }
}

/** An open connection to a server that is ready for mail. One transaction at a time. */
export class Conversation {
  /** Transactions so far. */
  transactions = 0;
  readonly secured: boolean;
  readonly #session: Session;

  constructor(session: Session, secured: boolean) {
    this.#session = session;
    this.secured = secured;
  }

  get alive(): boolean {
    return this.#session.connection.alive;
  }

  /** Never rejects. */
  async transact(transaction: Transaction, signal: AbortSignal): Promise<TransactionResult> {
    this.transactions++;
    const giveUp = () => this.#session.connection.fail(GAVE_UP);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    const result = await transact(this.#session, transaction);
    signal.removeEventListener("abort", giveUp);
    return result;
  }

  /** Lies idle for at most `time` milliseconds; `ended` is called if the peer or the time ends that. */
  park(time: number, ended: () => void): void {
    this.#session.connection.park(time, ended);
  }

  unpark(): void {
    this.#session.connection.unpark();
  }

  /** QUIT, and a short wait for the answer. Never rejects. */
  close(): Promise<void> {
    return this.#session.connection.quit(QUIT_TIMEOUT);
  }
}

export type { TransactionResult };

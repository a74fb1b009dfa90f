// The SMTP client: opens a conversation with one server at one address, and keeps it open for many transactions.
// It speaks EHLO with the way back to HELO (RFC 5321 3.2), TLS by STARTTLS (RFC 3207) or from the first byte
// (RFC 8314 3.3), and AUTH. A fault of the peer becomes a result, never an exception. Lists of hosts, retries and
// pools belong to the transport.
//
// Doors: auth.ts, message.ts, transaction.ts.

import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { given } from "../../base/given.ts";
import type { Clock } from "../../base/clock.ts";
import type { RetryError } from "../../mail/host.ts";
import { status, type Status } from "../../mail/status.ts";
import { logIn, unsafeForPassword, type Credentials } from "./auth.ts";
import { NO_CAPABILITIES, parseCapabilities, type Capabilities } from "./capabilities.ts";
import { ClientConnection, ConnectionFailure, type Endpoint } from "./connection.ts";
import type { Transaction } from "./message.ts";
import { type Anchors, type DaneIdentity, daneHandshake, judgeDane } from "../../tls/dane.ts";
import { asTemporary, transact } from "./transaction.ts";
import type { OpenConnection, Timeouts, TransactionResult } from "./transaction.ts";
import { isPositive, replyStatus } from "./reply.ts";

/**
 * - `none`: without TLS. `opportunistic`: TLS if offered, with any certificate; otherwise in the clear.
 * - `required`: only with TLS, with any certificate. `verify`: with a valid certificate in the host's name.
 * - `dane`: with a certificate that its TLSA records vouch for.
 */
export type TlsMode = "none" | "opportunistic" | "required" | "verify" | "dane";

/** `smtps` is SMTP under TLS from the first byte; `lmtp` is RFC 2033. */
export type Protocol = "smtp" | "smtps" | "lmtp";

export interface ConnectOptions extends Endpoint {
  readonly protocol: Protocol;
  /** The host's name, for SNI and for the check of the certificate. May be an address. */
  readonly name: string;
  readonly helo: string;
  readonly tls: TlsMode;
  /** Opportunistic only: go on in the clear if the server refuses STARTTLS temporarily. */
  readonly tryClear: boolean;
  /** Certificates that `verify` trusts, PEM. Absent: the system's. */
  readonly trusted?: string;
  /** The names and TLSA records that `dane` checks the certificate against. */
  readonly dane?: DaneIdentity;
  /** Authorities that an earlier connection found for `dane`. */
  readonly anchors?: Anchors;
  /** The user and password to log in with. A server that refuses them is not used. */
  readonly credentials?: Credentials;
  readonly timeouts: Timeouts;
  readonly clock: Clock;
}

export type Connected =
  | { readonly kind: "connected"; readonly conversation: Conversation }
  | {
      readonly kind: "failed";
      /** Always 4xx: a host's answer before it has seen a message is never final. */
      readonly status: Status;
      /** TLS was the cause, so another attempt in the clear may succeed. */
      readonly tlsFailed: boolean;
      /** This machine has no route to such addresses. */
      readonly noRoute: boolean;
      readonly error: RetryError | undefined;
      /** The error of the system or of the relay, if one was the cause. */
      readonly cause: unknown;
      /** The relay's own address. Undefined if no connection was made. */
      readonly from: string | undefined;
      /** With these for `anchors`, another attempt may find that the certificate matches. */
      readonly anchors?: Anchors;
    };

/** Milliseconds that QUIT may take. */
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
    const { tlsFailed, anchors } = opening;
    const { status: why, noRoute, error: kind, cause } = error;
    const known = given({ anchors });
    const { localAddress: from } = opening.connection;
    return { kind: "failed", status: why, tlsFailed, noRoute, error: kind, cause, from, ...known };
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** The opening of a conversation: all steps from the connection to the point where mail may be sent. */
class Opening {
  readonly connection: ClientConnection;
  tlsFailed = false;
  anchors: Anchors | undefined;
  readonly #options: ConnectOptions;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.connection = new ClientConnection(options, options.clock);
  }

  async run(): Promise<Conversation> {
    const { timeouts, protocol } = this.#options;
    await this.connection.connected(timeouts.connect);
    if (protocol === "smtps") await this.#handshake();
    const greeting = await this.connection.reply("the greeting", timeouts.command);
    if (!isPositive(greeting)) throw this.#refused(replyStatus(greeting));
    let secured = protocol === "smtps";
    let offered = await this.#hello(secured);
    if (!secured && (await this.#startTls(offered))) {
      secured = true;
      offered = await this.#hello(secured);
    }
    this.tlsFailed = false;
    await this.#logIn(offered, secured);
    const lmtp = protocol === "lmtp";
    const open = { connection: this.connection, offered, timeouts, lmtp, dirty: false };
    return new Conversation(open, secured ? this.#tlsText() : undefined);
  }

  async #logIn({ auth }: Capabilities, secured: boolean): Promise<void> {
    const { credentials, tls, timeouts } = this.#options;
    if (credentials === undefined) return;
    const { tls: least } = credentials;
    const isSafe = least === "none" || (secured && (least === "required" || tls === "verify"));
    if (!isSafe) throw unsafeForPassword(this.connection);
    await logIn(this.connection, auth, credentials, timeouts.command);
  }

  async #hello(secured: boolean): Promise<Capabilities> {
    const { helo, timeouts, protocol } = this.#options;
    const word = protocol === "lmtp" ? "LHLO" : "EHLO";
    this.connection.send(`${word} ${helo}\r\n`, 1);
    const ehlo = await this.connection.reply(word, timeouts.command);
    if (isPositive(ehlo)) return parseCapabilities(ehlo, secured);
    if (ehlo.code < 500 || word === "LHLO") throw this.#refused(replyStatus(ehlo));
    this.connection.send(`HELO ${helo}\r\n`, 1);
    const hello = await this.connection.reply("HELO", timeouts.command);
    if (!isPositive(hello)) throw this.#refused(replyStatus(hello));
    return NO_CAPABILITIES;
  }

  /** Returns whether TLS is in use. False if it is not wanted, or if it is optional and the server has refused it. */
  async #startTls({ startTls: isOffered }: Capabilities): Promise<boolean> {
    const { tls, tryClear, timeouts } = this.#options;
    if (tls === "none" || (!isOffered && tls === "opportunistic")) return false;
    if (!isOffered) throw this.#noTls("The host does not offer TLS");
    this.connection.send("STARTTLS\r\n", 1);
    const reply = await this.connection.reply("STARTTLS", timeouts.command);
    if (!isPositive(reply)) {
      if (tls === "opportunistic" && (reply.code >= 500 || tryClear)) return false;
      throw this.#noTls(`The host refused STARTTLS: ${replyStatus(reply).text}`);
    }
    await this.#handshake();
    return true;
  }

  async #handshake(): Promise<void> {
    const { tls, timeouts } = this.#options;
    this.tlsFailed = true;
    await this.connection.startTls(this.#tlsOptions(), timeouts.command);
    if (tls === "dane") this.#judgeDane();
  }

  #tlsOptions(): ConnectionOptions {
    const { name, tls, trusted, dane, anchors = [] } = this.#options;
    if (dane !== undefined) return daneHandshake(dane, anchors);
    return {
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      rejectUnauthorized: tls === "verify",
      ...given({ ca: trusted }),
    };
  }

  #tlsText(): string {
    const { tls } = this.#options;
    const { isValid } = this.connection;
    const certificate = isValid ? "valid certificate" : "certificate not verified";
    return `${this.connection.tlsText()}, ${tls === "dane" ? "DANE" : certificate}`;
  }

  #judgeDane(): void {
    const { dane } = this.#options;
    const { chain, problem } = this.connection.peerCertificates();
    const judged = dane && judgeDane(dane, chain, problem === undefined);
    if (judged?.kind === "match") return;
    if (judged?.kind === "anchors") this.anchors = judged.anchors;
    const why =
      judged?.kind === "anchors" && problem !== undefined
        ? `The certificate's authority matches a TLSA record, but it does not verify: ${problem}`
        : "The certificate matches no TLSA record";
    throw this.connection.fail(status(451, "7.5", why), undefined, "tls_required");
  }

  #refused(answer: Status): ConnectionFailure {
    return this.connection.fail(asTemporary(answer));
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
  /** "TLSv1.3 TLS_AES_256_GCM_SHA384, DANE": last comes how the certificate was verified. Undefined without TLS. */
  readonly tls: string | undefined;
  readonly #open: OpenConnection;

  constructor(open: OpenConnection, tls: string | undefined) {
    this.#open = open;
    this.secured = tls !== undefined;
    this.tls = tls;
  }

  get alive(): boolean {
    return this.#open.connection.alive;
  }

  /** The reason why the server's certificate is not valid for its name. Undefined if it is valid. */
  get certificateProblem(): string | undefined {
    return this.#open.connection.peerCertificates().problem;
  }

  /** The relay's own address. */
  get from(): string | undefined {
    return this.#open.connection.localAddress;
  }

  /** The server promises to keep the TLS protection that a message requires on its further way (RFC 8689). */
  get takesRequireTls(): boolean {
    return this.#open.offered.requireTls;
  }

  /** Runs one transaction. If `signal` aborts, the connection is cut. Never rejects. */
  async transact(transaction: Transaction, signal: AbortSignal): Promise<TransactionResult> {
    this.transactions++;
    const giveUp = () => this.#open.connection.fail(GAVE_UP);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    const result = await transact(this.#open, transaction);
    signal.removeEventListener("abort", giveUp);
    return result;
  }

  /** Keeps the connection idle for at most `time` milliseconds. Calls `ended` if the peer or the time ends that. */
  park(time: number, ended: () => void): void {
    this.#open.connection.park(time, ended);
  }

  unpark(): void {
    this.#open.connection.unpark();
  }

  /** Sends QUIT and waits up to two seconds for the answer. Never rejects. */
  close(): Promise<void> {
    return this.#open.connection.quit(QUIT_TIMEOUT);
  }
}

export type { TransactionResult };

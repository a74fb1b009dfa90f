// One SMTP session with a client: the greeting, the cutting of input into commands, and the deadlines. The Dialogue
// carries out the commands, the Connection owns the socket, and states.ts lists the phases of a session.
//
// Invariants:
// - Commands are answered in order, one at a time, however they are segmented.
// - A client that sends before the greeting is cut off.
// - Every wait for the client has a deadline, which only a whole command moves on. The time that the client waits for
//   the relay does not count.
// - A session does no more in one turn than its share of the event loop.
// - A session that is over is watched until its socket is gone.

import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import type { Client } from "../../mail/envelope.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { LOCAL_ERROR, status, type Status, statusLine } from "../../mail/status.ts";
import { decodeLine } from "./command.ts";
import { Connection, type TlsOptions } from "../../base/net/connection.ts";
import { CLOSING, Dialogue, type SessionPort } from "./dialogue.ts";
import type { SessionLimits } from "./limits.ts";
import type { SessionParty } from "../../base/loop-account.ts";
import { COMMAND_COST, HANDSHAKE_COST, type LoopShare } from "../../base/loop-share.ts";
import type { Reception } from "./reception.ts";
import { type Phase, PHASES, phaseAfter } from "./states.ts";
import type { TlsDescription } from "../../base/net/tls.ts";

export interface SessionServices {
  readonly reception: Reception;
  readonly clock: Clock;
  /** The server's share of the event loop, for all sessions. */
  readonly share: LoopShare;
  /** This session's part in it. */
  readonly party: SessionParty;
  /** The client is a host of a relay rule. */
  readonly isRelayHost: boolean;
  /** Called for every handshake. Undefined if TLS is not offered. */
  readonly tls: (() => MaybePromise<TlsOptions>) | undefined;
  onError(client: Client, where: string, error: unknown): void;
  onTlsFailure(client: Client, error: Error): void;
  /** Parameters of a command cannot be decoded and were left out of the request. */
  onDropped(client: Client, command: string, parameters: readonly string[]): void;
  /** The conversation is over. Called once. */
  onEnd(client: Client, why: string): void;
  /** The socket is gone too. Called once. */
  onClose(session: Session): void;
}

/** Milliseconds for the client to close its side after the relay's last words. */
const LINGER = 5000;
const CR = 13;
/**
 * Estimated costs of a session outside its own turns, in milliseconds of the event loop: the rest of a handshake, an
 * answer that comes later, a read, and an octet read.
 */
const HANDSHAKE_TIME = 6;
const ANSWER_TIME = 0.1;
const READ_TIME = 0.03;
const OCTET_TIME = 2e-6;

const OUT_OF_STEP = status(554, "5.0", "SMTP synchronization error");
const BAD_LINE = status(500, "5.2", "Bad command line");
const LINE_TOO_LONG = status(421, "5.2", "Command line is too long, closing connection");
const TIMEOUT = status(421, "4.2", "Timeout, closing connection");
const TOO_SLOW = status(421, "4.2", "Too slow, closing connection");

export class Session implements SessionPort {
  client: Client;
  readonly #connection: Connection;
  readonly #dialogue: Dialogue;
  #phase: Phase = "waiting";
  // Each of these may be true in any phase.
  /** A bare LF has ended the last piece of input, so the next piece belongs to the same refused line. */
  #inBadLine = false;
  /** Work waits for its turn in the event loop. */
  #queued = false;
  /** The client has closed its side. */
  #parted = false;
  /** The relay stops. */
  #draining = false;
  /** When the current wait began (for the client, a handshake or the close), by the monotonic clock. */
  #since: number;
  readonly #endAt: number;
  readonly #limits: SessionLimits;
  readonly #services: SessionServices;

  constructor(socket: Socket, address: string, limits: SessionLimits, services: SessionServices) {
    this.client = { address, helo: "" };
    this.#limits = limits;
    this.#services = services;
    this.#since = services.clock.monotonic();
    this.#endAt = this.#since + limits.sessionTimeout;
    this.#dialogue = new Dialogue(this, limits, services.reception);
    const { share, party } = services;
    this.#connection = new Connection(socket, {
      onRead: (octets) => party.charge(READ_TIME + octets * OCTET_TIME, performance.now()),
      onInput: () => this.#run(),
      onEnd: () => this.#onParted(),
      onWaste: () => share.do(() => this.#connection.drain(), party),
      onClose: () => {
        this.#finish("connection lost");
        services.onClose(this);
      },
    });
  }

  /** Begins the session: with the TLS handshake if TLS is implicit, then the greeting. */
  start(implicitTls: boolean): void {
    this.#connection.listen();
    if (implicitTls) this.#shakeHands(() => this.#welcome());
    else this.#welcome();
  }

  #welcome(): void {
    const ask = () => {
      if (this.#phase === "ended") return;
      this.ask(
        "connect",
        () => this.#services.reception.connect(this.client),
        (refusal) => this.#greet(refusal),
        () => this.end(LOCAL_ERROR, "refused"),
      );
      this.#connection.flush();
    };
    const { greetingDelay } = this.#limits;
    if (greetingDelay > 0) this.#services.clock.after(greetingDelay, ask);
    // Waits one turn of the event loop, in which everything that was sent ahead of the greeting is read.
    else setImmediate(() => setImmediate(ask));
  }

  #greet(refusal: Status | undefined): void {
    if (refusal !== undefined) return this.end(refusal, "refused");
    this.#phase = phaseAfter(this.#phase, "greet");
    this.#since = this.now();
    this.write(`220 ${this.#limits.hostname} ESMTP unseen\r\n`);
  }

  #run(): void {
    if (this.#queued || this.#phase === "ended") return;
    this.#queued = true;
    const { share, party } = this.#services;
    share.do(this.#onTurn, party);
    if (this.#queued) this.#connection.hold();
  }

  /** A bug in here ends this client's session only. */
  readonly #onTurn = (): void => {
    this.#queued = false;
    try {
      this.#workOff();
    } catch (error) {
      this.#services.onError(this.client, "session", error);
      this.#connection.destroy();
    }
  };

  /** Puts the rest off to a later turn. Until then the client is not read from. */
  #waitForTurn(): void {
    this.#queued = true;
    this.#connection.hold();
    const { share, party } = this.#services;
    share.later(this.#onTurn, party);
  }

  /** Works off the input until the session has to wait. */
  #workOff(): void {
    if (PHASES[this.#phase].isEarly && this.hasInput) {
      return this.outOfStep("text ahead of the greeting");
    }
    if (!this.#readInput()) return this.#waitForTurn();
    if (PHASES[this.#phase].awaits !== "client") return;
    if (this.#draining && !this.#dialogue.inTransaction) return this.end(CLOSING, "shutting down");
    const connection = this.#connection;
    connection.flush();
    if (this.#parted && !connection.blocked) {
      if (!this.#services.share.take(COMMAND_COST)) return this.#waitForTurn();
      return this.#leave("connection lost");
    }
    connection.settled();
  }

  /** Reads commands and text while it is the client's turn. Returns false if the session has used up its share. */
  #readInput(): boolean {
    const connection = this.#connection;
    while (this.#phase === "talking" && this.hasInput && !connection.blocked) {
      const { incoming } = this.#dialogue;
      const cost = incoming === undefined ? COMMAND_COST : connection.input.length;
      if (!this.#services.share.take(cost)) return false;
      if (incoming !== undefined) {
        connection.input = this.#dialogue.readMessage(incoming, connection.input);
      } else if (!this.#readCommand()) return true;
    }
    return true;
  }

  /** Carries out one command. Returns false if the input holds no whole command, or one that is too long. */
  #readCommand(): boolean {
    const { input } = this.#connection;
    const lf = input.indexOf(10);
    const length = lf < 0 ? input.length : lf + 1;
    if (length > this.#limits.commandLineMax) {
      this.end(LINE_TOO_LONG, "line too long");
      return false;
    }
    if (lf < 0) return false;
    this.#connection.input = input.subarray(length);
    this.#since = this.now();
    this.#carryOut(input.subarray(0, length));
    return true;
  }

  /** Takes `line` up to an LF. Only CRLF ends a line: input after a bare LF belongs to the line refused for it. */
  #carryOut(line: Buffer): void {
    const isRest = this.#inBadLine;
    this.#inBadLine = line.at(-2) !== CR;
    const command = isRest ? undefined : decodeLine(line);
    if (command !== undefined) this.#dialogue.command(command);
    else if (!isRest || this.#inBadLine) this.#dialogue.error(BAD_LINE);
  }

  ask<T>(
    where: string,
    ask: () => MaybePromise<T>,
    then: (answer: T) => void,
    otherwise = () => this.reply(LOCAL_ERROR),
  ): void {
    const failed = (error: unknown) => {
      this.#services.onError(this.client, where, error);
      otherwise();
    };
    let answer: MaybePromise<T>;
    try {
      answer = ask();
    } catch (error) {
      return failed(error);
    }
    if (!(answer instanceof Promise)) return then(answer);
    this.#services.party.charge(ANSWER_TIME, performance.now());
    this.#phase = phaseAfter(this.#phase, "ask");
    this.#connection.flush();
    const goOn = (act: () => void) => {
      if (this.#phase === "ended") return;
      this.#phase = phaseAfter(this.#phase, "answer");
      this.#since = this.now();
      act();
      this.#run();
    };
    answer.then(
      (value) => goOn(() => then(value)),
      (error: unknown) => goOn(() => failed(error)),
    );
  }

  startTls(): void {
    this.#connection.flush();
    this.#shakeHands(() => this.#run());
  }

  #shakeHands(then: () => void): void {
    const { tls } = this.#services;
    if (tls === undefined) throw new Error("TLS was started without a certificate");
    this.#phase = phaseAfter(this.#phase, "shake");
    this.#since = this.now();
    const { share, party } = this.#services;
    this.#connection.awaitTls((shake) => {
      const begin = (options: TlsOptions) => {
        share.take(HANDSHAKE_COST);
        party.charge(HANDSHAKE_TIME, performance.now());
        shake(options, (result) => this.#onTls(result, then));
      };
      const inTurn = (act: () => void) => share.do(() => this.#phase !== "ended" && act(), party);
      inTurn(() => {
        const options = tls();
        if (options instanceof Promise) void options.then((found) => inTurn(() => begin(found)));
        else begin(options);
      });
    });
  }

  #onTls(result: Error | TlsDescription, then: () => void): void {
    if (this.#phase === "ended") return;
    this.#phase = phaseAfter(this.#phase, "shaken");
    if (result instanceof Error) {
      this.#services.onTlsFailure(this.client, result);
      return this.#finish("TLS handshake failed");
    }
    this.client = { ...this.client, helo: "", tls: result };
    this.#since = this.now();
    then();
  }

  onAccepted(): void {
    this.#services.party.forgive(performance.now());
  }

  onDropped(command: string, parameters: readonly string[]): void {
    this.#services.onDropped(this.client, command, parameters);
  }

  get draining(): boolean {
    return this.#draining;
  }

  get offersTls(): boolean {
    return this.#services.tls !== undefined;
  }

  get isRelayHost(): boolean {
    return this.#services.isRelayHost;
  }

  get hasInput(): boolean {
    return this.#connection.input.length > 0;
  }

  now(): number {
    return this.#services.clock.monotonic();
  }

  write(text: string): void {
    this.#connection.write(text);
  }

  reply(answer: Status): void {
    this.#connection.write(`${statusLine(answer)}\r\n`);
  }

  outOfStep(why: string): void {
    this.end(OUT_OF_STEP, why);
  }

  /** Replies and ends the session. A transaction under way is void. */
  end(answer: Status, why: string): void {
    if (this.#phase === "ended") return;
    this.reply(answer);
    this.#leave(why);
  }

  #leave(why: string): void {
    this.#connection.end();
    this.#finish(why);
  }

  #finish(why: string): void {
    if (this.#phase === "ended") return;
    this.#phase = phaseAfter(this.#phase, "end");
    this.#since = this.now();
    this.#dialogue.reset();
    this.#services.onEnd(this.client, why);
  }

  /** A client may close its side after its last command and still wait for the reply. */
  #onParted(): void {
    this.#parted = true;
    const { awaits } = PHASES[this.#phase];
    if (awaits === "handshake" || this.#connection.blocked) this.#leave("connection lost");
    else if (awaits === "client") this.#run();
  }

  /** The relay stops: the session ends now, or after the transaction that is under way. */
  drain(): void {
    this.#draining = true;
    const isTheirTurn = PHASES[this.#phase].awaits === "client";
    if (isTheirTurn && !this.#dialogue.inTransaction) this.end(CLOSING, "shutting down");
  }

  /** Cuts off a client that takes too long. The server calls it about every second. */
  watch(now: number): void {
    const waited = now - this.#since;
    switch (PHASES[this.#phase].awaits) {
      case "client":
        return this.#watchClient(waited, now);
      case "handshake":
        return this.#watchHandshake(waited, now);
      case "close":
        return waited >= LINGER ? this.#connection.destroy() : undefined;
      case "relay":
        return undefined;
    }
  }

  #watchHandshake(waited: number, now: number): void {
    if (waited < this.#limits.tlsTimeout && now < this.#endAt) return;
    this.#services.onTlsFailure(this.client, new Error("the handshake took too long"));
    this.#connection.destroy();
  }

  #watchClient(waited: number, now: number): void {
    const { incoming, transactionEndAt } = this.#dialogue;
    const { commandTimeout, dataRateMin } = this.#limits;
    const tooLong = incoming === undefined && waited >= commandTimeout;
    if (tooLong || now >= transactionEndAt || now >= this.#endAt) this.end(TIMEOUT, "timeout");
    else if (incoming?.isSlowerThan(dataRateMin, now) === true) this.end(TOO_SLOW, "too slow");
  }

  destroy(): void {
    this.#connection.destroy();
  }
}

// The SMTP server: a session for each connection that the listeners give it, and the one timer that watches them all.
// Promise: `stop` lets each transaction under way end within its grace time.
//
// Doors: command.ts, events.ts, incoming-message.ts, limits.ts, listener-options.ts, message-reader.ts, reception.ts.

import type { Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { LoopShare } from "../../base/loop-share.ts";
import { type Accepted, type Door, Listeners } from "../../base/net/listeners.ts";
import type { SlotOptions } from "../../base/net/slots.ts";
import { status, statusLine } from "../../mail/status.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { SessionLimits } from "./limits.ts";
import type { Reception } from "./reception.ts";
import { Session } from "./session.ts";

export interface ServerOptions extends SlotOptions {
  readonly limits: SessionLimits;
}

/** Milliseconds between two checks of all deadlines. */
const WATCH_INTERVAL = 1000;
/** Most characters of a dropped parameter in the log. */
const DROPPED_SHOWN = 200;
const TOO_MANY = statusLine(status(421, "7.0", "Too many connections, try again later"));

export class SmtpServer {
  #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #share = new LoopShare();
  readonly #listeners: Listeners;
  readonly #sessions = new Set<Session>();
  #watch: Timer | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: ServerOptions, clock: Clock, log: Log) {
    this.#limits = options.limits;
    this.#clock = clock;
    this.#log = log;
    this.#listeners = new Listeners(options, {
      clock,
      log,
      share: this.#share,
      refusal: `${TOO_MANY}\r\n`,
      onRefused: (client, why, told) =>
        log.event("session.refused", { client, reply: told ? TOO_MANY : "", why }),
    });
  }

  /** Serves clients from now on, beginning with those that wait already. */
  open(reception: Reception): void {
    this.#watch ??= this.#clock.after(WATCH_INTERVAL, this.#onWatch);
    this.#listeners.open((connection) => this.#serve(connection, reception));
  }

  /** Applies `options` to new connections. Sessions that have begun keep their limits. */
  follow(options: ServerOptions): void {
    this.#limits = options.limits;
    this.#listeners.follow(options);
  }

  /** As {@link Listeners.listen}. Clients wait until `open`. */
  listen(door: Door): Promise<number> {
    return this.#listeners.listen(door);
  }

  /** As {@link Listeners.listenOnly}. */
  listenOnly(doors: readonly Door[]): Promise<readonly number[]> {
    return this.#listeners.listenOnly(doors);
  }

  /**
   * Serves a connection that has come through no listener, as a session of the client `address`. It is not logged,
   * except for errors of the relay.
   */
  play(socket: Socket, address: string, reception: Reception): void {
    const limits = { ...this.#limits, greetingDelay: 0 };
    this.#serve(this.#listeners.enter(socket, address), reception, limits, errorsOnly(this.#log));
  }

  #serve(connection: Accepted, reception: Reception, limits = this.#limits, log = this.#log): void {
    const { socket, address, party, isReserved, tls } = connection;
    const session = new Session(socket, address, limits, {
      reception,
      clock: this.#clock,
      share: this.#share,
      party,
      isRelayHost: isReserved,
      tls,
      onError: (client, where, error) =>
        log.event("relay.error", {
          where: `${where} of ${client.address}`,
          error: describeError(error),
        }),
      onTlsFailure: (client, error) =>
        log.event("session.tls_failed", { client: client.address, error: error.message }),
      onDropped: (client, command, parameters) =>
        log.event("session.parameter_dropped", {
          client: client.address,
          command,
          parameters: parameters.map((parameter) => parameter.slice(0, DROPPED_SHOWN)),
        }),
      onEnd: (client, why) => {
        if (why !== "quit") log.event("session.ended", { client: client.address, why });
      },
      onClose: (closed) => {
        connection.release();
        this.#sessions.delete(closed);
        if (this.#sessions.size === 0) this.#whenEmpty?.();
      },
    });
    this.#sessions.add(session);
    session.start(connection.implicitTls);
  }

  readonly #onWatch = (): void => {
    const now = this.#clock.monotonic();
    for (const session of this.#sessions) session.watch(now);
    this.#watch = this.#clock.after(WATCH_INTERVAL, this.#onWatch);
  };

  /** Takes no new connections. Sessions end after their transaction, and are cut off after `grace` ms. */
  async stop(grace: number): Promise<void> {
    const stopped = this.#listeners.stop();
    for (const session of this.#sessions) session.drain();
    if (this.#sessions.size > 0) {
      const empty = new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      const cut = this.#clock.after(grace, () => {
        for (const session of this.#sessions) session.destroy();
      });
      await empty;
      cut.cancel();
    }
    this.#watch?.cancel();
    await stopped;
  }
}

function errorsOnly(log: Log): Log {
  return {
    event(name, fields) {
      if (name === "relay.error") log.event(name, fields);
    },
  };
}

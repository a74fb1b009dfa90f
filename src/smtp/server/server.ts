// The SMTP server: a session for each connection that the listeners give it.
// Promise: `stop` lets each transaction under way end within its grace time.
//
// Doors: command.ts, events.ts, incoming-message.ts, limits.ts, listener-options.ts, message-reader.ts, reception.ts,
// session-log.ts.

import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { LoopShare } from "../../base/loop-share.ts";
import { type Accepted, type Door, Listeners } from "../../base/net/listeners.ts";
import { Sessions } from "../../base/net/sessions.ts";
import type { SlotOptions } from "../../base/net/slots.ts";
import type { Log } from "../../observe/log.ts";
import type { SessionLimits } from "./limits.ts";
import type { Reception } from "./reception.ts";
import { Session } from "./session.ts";
import { sessionLog, TOO_MANY } from "./session-log.ts";

export interface ServerOptions extends SlotOptions {
  readonly limits: SessionLimits;
}

export class SmtpServer {
  #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #share = new LoopShare();
  readonly #listeners: Listeners;
  readonly #sessions: Sessions<Session>;

  constructor(options: ServerOptions, clock: Clock, log: Log) {
    this.#limits = options.limits;
    this.#clock = clock;
    this.#log = log;
    const { onRefused, onError } = sessionLog(log);
    this.#sessions = new Sessions(clock, ({ client }, error) => onError(client, "session", error));
    const refusal = `${TOO_MANY}\r\n`;
    this.#listeners = new Listeners(options, {
      clock,
      log,
      share: this.#share,
      refusal,
      onRefused,
    });
  }

  /** Serves clients from now on, beginning with those that wait already. */
  open(reception: Reception): void {
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
      ...sessionLog(log),
      onClose: (closed) => {
        connection.release();
        this.#sessions.delete(closed);
      },
    });
    this.#sessions.add(session);
    session.start(connection.implicitTls);
  }

  /** Takes no new connections. Sessions end after their transaction, and are cut off after `grace` ms. */
  async stop(grace: number): Promise<void> {
    const stopped = this.#listeners.stop();
    await this.#sessions.stop(grace);
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

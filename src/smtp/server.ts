// The listening side: sockets, connection slots, TLS certificates and the one timer that watches every session.
// Promises: a client over its share is told so and gone; stopping lets each transaction under way end.

import { createServer, type Server, type Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { Clock, Timer } from "../clock.ts";
import { describeError, type Log } from "../log.ts";
import { status, statusLine } from "../status.ts";
import type { SessionLimits } from "./limits.ts";
import type { Reception } from "./reception.ts";
import { Session } from "./session.ts";
import { type SlotOptions, Slots } from "./slots.ts";
import { type Listener, secureContextOf } from "./tls.ts";

export interface ServerOptions extends SlotOptions {
  readonly limits: SessionLimits;
}

/** How often deadlines are looked at, in ms. */
const WATCH_INTERVAL = 1000;
const TOO_MANY = statusLine(status(421, "7.0", "Too many connections, try again later"));

export class SmtpServer {
  readonly #limits: SessionLimits;
  readonly #slots: Slots;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #servers: Server[] = [];
  readonly #sessions = new Set<Session>();
  #watch: Timer | undefined;
  #whenEmpty: (() => void) | undefined;
  #reception: Reception | undefined;
  /** Clients that came between binding and opening. */
  #early: (() => void)[] = [];

  constructor(options: ServerOptions, clock: Clock, log: Log) {
    this.#limits = options.limits;
    this.#slots = new Slots(options);
    this.#clock = clock;
    this.#log = log;
  }

  /** Answers clients from now on, those that wait already first. */
  open(reception: Reception): void {
    this.#reception = reception;
    for (const accept of this.#early.splice(0)) accept();
  }

  /** Binds one listener and returns the port it got; clients wait until `open`. Throws when it cannot be bound. */
  async listen(listener: Listener): Promise<number> {
    const context = secureContextOf(listener);
    const server = createServer({ allowHalfOpen: true }, (socket) =>
      this.#accept(socket, listener, context),
    );
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: listener.host, port: listener.port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) =>
      this.#log.event("relay.error", { where: "listener", error: describeError(error) }),
    );
    this.#servers.push(server);
    this.#watch ??= this.#clock.after(WATCH_INTERVAL, this.#onWatch);
    const bound = server.address();
    return typeof bound === "object" && bound !== null ? bound.port : listener.port;
  }

  #accept(socket: Socket, listener: Listener, context: SecureContext | undefined): void {
    const reception = this.#reception;
    if (reception === undefined) {
      this.#early.push(() => this.#accept(socket, listener, context));
      return;
    }
    const address = unmapped(socket.remoteAddress);
    if (address === undefined) {
      socket.destroy();
      return;
    }
    const slot = this.#slots.take(address);
    if (slot.kind === "refused") {
      socket.on("error", () => socket.destroy());
      socket.write(`${TOO_MANY}\r\n`);
      socket.destroySoon();
      this.#log.event("session.refused", { client: address, reply: TOO_MANY, why: slot.why });
      return;
    }
    const session = new Session(socket, address, this.#limits, {
      reception,
      clock: this.#clock,
      tls: context === undefined ? undefined : () => ({ secureContext: context }),
      onError: (client, where, error) =>
        this.#log.event("relay.error", {
          where: `${where} of ${client.address}`,
          error: describeError(error),
        }),
      onTlsFailure: (client, error) =>
        this.#log.event("session.tls_failed", { client: client.address, error: error.message }),
      onEnd: (client, why) => {
        if (why !== "quit") this.#log.event("session.ended", { client: client.address, why });
      },
      onClose: (closed) => {
        slot.release();
        this.#sessions.delete(closed);
        if (this.#sessions.size === 0) this.#whenEmpty?.();
      },
    });
    this.#sessions.add(session);
    session.start(listener.tls === "implicit");
  }

  readonly #onWatch = (): void => {
    const now = this.#clock.now();
    for (const session of this.#sessions) session.watch(now);
    this.#watch = this.#clock.after(WATCH_INTERVAL, this.#onWatch);
  };

  /** No new connections; sessions end after their transaction, or are cut after `grace` ms. */
  async stop(grace: number): Promise<void> {
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
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
    await Promise.all(closed);
  }
}

/** IPv4 that came in over an IPv6 socket is IPv4 to everybody (::ffff:192.0.2.1). */
function unmapped(address: string | undefined): string | undefined {
  return address?.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

// The listening side: sockets, connection slots, TLS certificates and the one timer that watches every session.
// Promises: at most `clientMax` connections from one address; hosts of a relay rule have slots of their own, so
// that a flood from the world cannot shut Google out; stopping lets each transaction under way end.

import { createServer, type Server, type Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { Clock, Timer } from "../clock.ts";
import { describeError, type Log } from "../log.ts";
import { status, statusLine } from "../status.ts";
import type { SessionLimits } from "./limits.ts";
import type { Reception } from "./reception.ts";
import { Session } from "./session.ts";
import { type Listener, secureContextOf } from "./tls.ts";

export interface ServerOptions {
  readonly limits: SessionLimits;
  readonly connectionsMax: number;
  readonly connectionsPerClientMax: number;
  /** Hosts of a relay rule do not compete with the world for a connection. */
  isReserved(address: string): boolean;
}

/** How often deadlines are looked at, in ms. */
const WATCH_INTERVAL = 1000;
const TOO_MANY = status(421, "7.0", "Too many connections, try again later");

export class SmtpServer {
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #servers: Server[] = [];
  readonly #sessions = new Set<Session>();
  readonly #perClient = new Map<string, number>();
  #open = { world: 0, reserved: 0 };
  #watch: Timer | undefined;
  #whenEmpty: (() => void) | undefined;
  #reception: Reception | undefined;
  /** Clients that came between binding and opening. */
  #early: (() => void)[] = [];

  constructor(options: ServerOptions, clock: Clock, log: Log) {
    this.#options = options;
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
    const server = createServer((socket) => this.#accept(socket, listener, context));
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
    const slots = this.#options.isReserved(address) ? "reserved" : "world";
    const mine = this.#perClient.get(address) ?? 0;
    if (
      this.#open[slots] >= this.#options.connectionsMax ||
      mine >= this.#options.connectionsPerClientMax
    ) {
      socket.on("error", () => socket.destroy());
      socket.end(`${statusLine(TOO_MANY)}\r\n`);
      this.#log.event("session.refused", {
        client: address,
        reply: statusLine(TOO_MANY),
        why: mine >= this.#options.connectionsPerClientMax ? "limit per client" : "limit in all",
      });
      return;
    }
    this.#perClient.set(address, mine + 1);
    this.#open[slots]++;
    const session = new Session(socket, address, this.#options.limits, {
      reception,
      secureContext: context === undefined ? undefined : () => context,
      now: () => this.#clock.now(),
      onError: (client, where, error) =>
        this.#log.event("relay.error", {
          where: `${where} of ${client.address}`,
          error: describeError(error),
        }),
      onTlsFailure: (client, error) =>
        this.#log.event("session.tls_failed", { client: client.address, error: error.message }),
      onEnd: (ended, why) => this.#onEnd(ended, slots, why),
    });
    this.#sessions.add(session);
    session.start(listener.tls === "implicit");
  }

  #onEnd(session: Session, slots: "world" | "reserved", why: string): void {
    if (!this.#sessions.delete(session)) return;
    const { address } = session.client;
    this.#open[slots]--;
    const left = (this.#perClient.get(address) ?? 1) - 1;
    if (left > 0) this.#perClient.set(address, left);
    else this.#perClient.delete(address);
    if (why !== "quit") this.#log.event("session.ended", { client: address, why });
    if (this.#sessions.size === 0) this.#whenEmpty?.();
  }

  readonly #onWatch = (): void => {
    const now = this.#clock.now();
    for (const session of this.#sessions) if (session.deadline <= now) session.expire();
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

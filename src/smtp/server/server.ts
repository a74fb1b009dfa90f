// The listening side: sockets, connection slots, TLS certificates and the one timer that watches every session.
// Promises: a client over its share is told so and gone; stopping lets each transaction under way end.
//
// Doors: command.ts, events.ts, limits.ts, listener-options.ts, message-reader.ts, reception.ts.

import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { FileTurns } from "../../base/file-turns.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { status, statusLine } from "../../mail/status.ts";
import { type CertificateFiles, Certificates } from "../../base/net/certificates.ts";
import type { SessionLimits } from "./limits.ts";
import { LoopAccounts, SessionParty } from "../../base/loop-account.ts";
import { COMMAND_COST, LoopShare } from "../../base/loop-share.ts";
import { readProxyHeader } from "../../base/net/proxy-protocol.ts";
import type { Reception } from "./reception.ts";
import { Session } from "./session.ts";
import { type SlotOptions, Slots } from "../../base/net/slots.ts";

export interface Listener {
  /** Host and port to bind; "::" takes both families. */
  readonly host: string;
  readonly port: number;
  readonly tls: "none" | "starttls" | "implicit";
  /** At least one unless tls is "none"; the first is for clients that ask for no name. */
  readonly certificates: readonly CertificateFiles[];
  /** Ask clients for a certificate of theirs. */
  readonly requestCert?: boolean;
  /** Hosts that speak the PROXY protocol, and must. */
  isProxy?(address: string): boolean;
}

/** A socket that listens, and what it says at present to those who come. */
interface Bound {
  readonly server: Server;
  readonly place: string;
  door: Door;
}

interface Door extends Omit<Listener, "certificates"> {
  readonly certificates: Certificates | undefined;
}

export interface ServerOptions extends SlotOptions {
  readonly limits: SessionLimits;
}

/** How often deadlines are looked at, in ms. */
const WATCH_INTERVAL = 1000;
/** How long a load balancer may take to say whom it speaks for, in ms. */
const PROXY_TIMEOUT = 10_000;
/** Connections and sessions of one client that wait for their turn; further ones are cut off. */
const WAITING_MAX = 200;
/** What Node spends on a connection, in ms. */
const CONNECTION_TIME = 0.8;
/** Characters of a parameter that are logged. */
const DROPPED_SHOWN = 200;
const TOO_MANY = statusLine(status(421, "7.0", "Too many connections, try again later"));

export class SmtpServer {
  #limits: SessionLimits;
  readonly #slots: Slots;
  readonly #clock: Clock;
  readonly #log: Log;
  #bound: readonly Bound[] = [];
  /** No longer listened on; each ends with its last session. */
  readonly #closing = new Set<Promise<void>>();
  readonly #share = new LoopShare();
  readonly #certificateTurns = new FileTurns(1);
  readonly #accounts = new LoopAccounts();
  readonly #sessions = new Set<Session>();
  /** Connections of load balancers whose client is not known yet, each with its deadline. */
  readonly #proxied = new Map<Socket, number>();
  /** Who still waits for a turn is not let in any more. */
  #isStopping = false;
  #watch: Timer | undefined;
  #whenEmpty: (() => void) | undefined;
  #reception: Reception | undefined;
  /** Clients that came between binding and opening. */
  readonly #early: { readonly socket: Socket; readonly door: Door }[] = [];

  constructor(options: ServerOptions, clock: Clock, log: Log) {
    this.#limits = options.limits;
    this.#slots = new Slots(options);
    this.#clock = clock;
    this.#log = log;
  }

  /** Answers clients from now on, those that wait already first. */
  open(reception: Reception): void {
    this.#reception = reception;
    for (const { socket, door } of this.#early.splice(0)) this.#accept(socket, door);
  }

  /** For those who come from now on; sessions go on as they have begun. */
  follow(options: ServerOptions): void {
    this.#limits = options.limits;
    this.#slots.follow(options);
  }

  /** Binds one listener and returns the port it got; clients wait until `open`. Throws when it cannot be bound. */
  async listen(listener: Listener): Promise<number> {
    const bound = await this.#bind(listener, this.#doorOf(listener));
    this.#bound = [...this.#bound, bound];
    this.#watch ??= this.#clock.after(WATCH_INTERVAL, this.#onWatch);
    return portOf(bound, listener);
  }

  /**
   * Listens in these places and in no others: what is bound already stays so. The ports, in order. Throws when one
   * cannot be bound or a certificate not be used, and then everything is as it was.
   */
  async listenOnly(listeners: readonly Listener[]): Promise<readonly number[]> {
    const left = [...this.#bound];
    const wanted = listeners.map((listener) => {
      const at = left.findIndex(({ place }) => place === placeOf(listener));
      const [known] = at === -1 ? [] : left.splice(at, 1);
      return { listener, door: this.#doorOf(listener), known };
    });
    const made: Bound[] = [];
    const next: Bound[] = [];
    try {
      for (const { listener, door, known } of wanted) {
        const bound = known ?? (await this.#bind(listener, door));
        if (known === undefined) made.push(bound);
        next.push(bound);
      }
    } catch (error) {
      for (const { server } of made) this.#close(server);
      throw error;
    }
    for (const { door, known } of wanted) if (known !== undefined) known.door = door;
    for (const { server } of left) this.#close(server);
    this.#bound = next;
    this.#watch ??= this.#clock.after(WATCH_INTERVAL, this.#onWatch);
    return wanted.map(({ listener }, index) => portOf(next[index], listener));
  }

  /** Throws when a certificate cannot be used. */
  #doorOf(listener: Listener): Door {
    const { tls, certificates: files, requestCert = false } = listener;
    if (tls === "none") return { ...listener, certificates: undefined };
    const certificates = new Certificates(files, requestCert, {
      clock: this.#clock,
      log: this.#log,
      turns: this.#certificateTurns,
    });
    return { ...listener, certificates };
  }

  async #bind(listener: Listener, door: Door): Promise<Bound> {
    const server = createServer({ allowHalfOpen: true }, (socket) =>
      this.#accept(socket, bound.door),
    );
    const bound: Bound = { server, place: placeOf(listener), door };
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
    return bound;
  }

  #close(server: Server): void {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  #accept(socket: Socket, door: Door): void {
    socket.on("error", () => socket.destroy());
    const reception = this.#reception;
    if (reception === undefined) {
      this.#early.push({ socket, door });
      return;
    }
    const address = unmapped(socket.remoteAddress);
    if (address === undefined) {
      socket.destroy();
    } else if (door.isProxy?.(address) === true) {
      this.#share.do(() => this.#awaitClient(socket, address, door, reception));
    } else {
      this.#receive(socket, address, door, reception);
    }
  }

  #receive(socket: Socket, address: string, door: Door, reception: Reception): void {
    const account = this.#accounts.of(address, this.#slots.isReserved(address));
    if (this.#share.waitingOf(account) >= WAITING_MAX) {
      socket.destroy();
      return;
    }
    const party = new SessionParty(account);
    party.charge(CONNECTION_TIME, performance.now());
    this.#share.do(() => {
      this.#share.take(COMMAND_COST);
      this.#admit(socket, address, door, reception, party);
    }, party);
  }

  /** A load balancer says first whom it speaks for. */
  #awaitClient(socket: Socket, proxy: string, door: Door, reception: Reception): void {
    this.#share.take(COMMAND_COST);
    this.#proxied.set(socket, this.#clock.monotonic() + PROXY_TIMEOUT);
    socket.once("close", () => this.#proxied.delete(socket));
    readProxyHeader(socket, (header) => {
      this.#proxied.delete(socket);
      if (header.kind === "whole") {
        return this.#receive(socket, header.client ?? proxy, door, reception);
      }
      const why = `PROXY: ${header.why}`;
      this.#log.event("session.refused", { client: proxy, reply: "", why });
      socket.destroy();
    });
  }

  #admit(
    socket: Socket,
    address: string,
    door: Door,
    reception: Reception,
    party: SessionParty,
  ): void {
    if (socket.destroyed || this.#isStopping) {
      socket.destroy();
      return party.end();
    }
    const slot = this.#slots.take(address);
    if (slot.kind === "refused") {
      party.end();
      socket.write(`${TOO_MANY}\r\n`);
      socket.destroySoon();
      this.#log.event("session.refused", { client: address, reply: TOO_MANY, why: slot.why });
      return;
    }
    const { certificates } = door;
    const session = new Session(socket, address, this.#limits, {
      reception,
      clock: this.#clock,
      share: this.#share,
      party,
      isRelayHost: slot.isReserved,
      tls: certificates === undefined ? undefined : () => certificates.current(),
      onError: (client, where, error) =>
        this.#log.event("relay.error", {
          where: `${where} of ${client.address}`,
          error: describeError(error),
        }),
      onTlsFailure: (client, error) =>
        this.#log.event("session.tls_failed", { client: client.address, error: error.message }),
      onDropped: (client, command, parameters) =>
        this.#log.event("session.parameter_dropped", {
          client: client.address,
          command,
          parameters: parameters.map((parameter) => parameter.slice(0, DROPPED_SHOWN)),
        }),
      onEnd: (client, why) => {
        if (why !== "quit") this.#log.event("session.ended", { client: client.address, why });
      },
      onClose: (closed) => {
        party.end();
        slot.release();
        this.#sessions.delete(closed);
        if (this.#sessions.size === 0) this.#whenEmpty?.();
      },
    });
    this.#sessions.add(session);
    session.start(door.tls === "implicit");
  }

  readonly #onWatch = (): void => {
    const now = this.#clock.monotonic();
    for (const session of this.#sessions) session.watch(now);
    this.#accounts.forgetUnused(performance.now());
    for (const [socket, deadline] of this.#proxied) if (now >= deadline) socket.destroy();
    this.#watch = this.#clock.after(WATCH_INTERVAL, this.#onWatch);
  };

  /** No new connections; sessions end after their transaction, or are cut after `grace` ms. */
  async stop(grace: number): Promise<void> {
    this.#isStopping = true;
    for (const { server } of this.#bound) this.#close(server);
    this.#bound = [];
    for (const { socket } of this.#early.splice(0)) socket.destroy();
    for (const socket of this.#proxied.keys()) socket.destroy();
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
    await Promise.all(this.#closing);
  }
}

function placeOf({ host, port }: Listener): string {
  return `${host} ${port}`;
}

function portOf(bound: Bound | undefined, { port }: Listener): number {
  const address = bound?.server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

/** IPv4 that came in over an IPv6 socket is IPv4 to everybody (::ffff:192.0.2.1). */
function unmapped(address: string | undefined): string | undefined {
  return address?.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

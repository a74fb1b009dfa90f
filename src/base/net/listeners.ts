// Listens for any server: sockets, PROXY headers, certificates, slots, and the turn of each new connection. The server
// gets only connections whose client is known and has a slot.
//
// Invariants:
// - A client without a slot gets the refusal, and is disconnected.
// - All doors change together, or none does. A port that is listened on before and after is never closed in between.
// - Clients that come before the server is open wait for it.

import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Timer } from "../clock.ts";
import { FileTurns } from "../file-turns.ts";
import { LoopAccounts, SessionParty } from "../loop-account.ts";
import { COMMAND_COST, type LoopShare } from "../loop-share.ts";
import type { MaybePromise } from "../maybe-promise.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { type CertificateFiles, Certificates } from "./certificates.ts";
import type { TlsOptions } from "./connection.ts";
import { readProxyHeader } from "./proxy-protocol.ts";
import { type SlotOptions, Slots } from "./slots.ts";

/** An address to listen on, and the TLS that its clients get. */
export interface Door {
  /** Host and port to bind; "::" takes both families. */
  readonly host: string;
  readonly port: number;
  readonly tls: "none" | "starttls" | "implicit";
  /** At least one unless `tls` is "none". The first is for clients that name no host. */
  readonly certificates: readonly CertificateFiles[];
  /** Whether clients are asked for a certificate. */
  readonly requestCert?: boolean;
  /** Whether a host must begin with a PROXY header. Absent: none does. */
  isProxy?(address: string): boolean;
}

/** A connection that has a slot. */
export interface Accepted {
  /** None of the client's input has been read. The socket may be paused, so the server must resume it. */
  readonly socket: Socket;
  /** The address of the client. A mapped IPv4 address is unmapped. */
  readonly address: string;
  /** Whether the slot is one of those that are reserved for known hosts. */
  readonly isReserved: boolean;
  /** Is charged for the time of the event loop that the connection takes. */
  readonly party: SessionParty;
  /** The client begins with a TLS handshake. */
  readonly implicitTls: boolean;
  /** Called for each handshake. Undefined if TLS is not offered. */
  readonly tls: (() => MaybePromise<TlsOptions>) | undefined;
  /** Gives the slot back. Must be called once, when the connection is over. */
  release(): void;
}

export interface ListenerMeans {
  readonly clock: Clock;
  readonly log: Log;
  readonly share: LoopShare;
  /** The reply to a client without a slot. */
  readonly refusal: string;
  /** `told`: the client has been sent the refusal. */
  onRefused(address: string, why: string, told: boolean): void;
}

/** A socket that listens, and the door at present. */
interface Bound {
  readonly server: Server;
  readonly place: string;
  door: OpenDoor;
}

interface OpenDoor extends Omit<Door, "certificates"> {
  readonly certificates: Certificates | undefined;
}

type Accept = (connection: Accepted) => void;

/** Milliseconds between two sweeps of unused accounts. */
const WATCH_INTERVAL = 1000;
/** Milliseconds that a load balancer has for its PROXY header. */
const PROXY_TIMEOUT = 10_000;
/** Most connections and sessions of one client that wait for their turn. Further connections are closed. */
const WAITING_MAX = 200;
/** Milliseconds of the event loop that Node spends on a connection. */
const CONNECTION_TIME = 0.8;

export class Listeners {
  readonly #slots: Slots;
  readonly #means: ListenerMeans;
  #bound: readonly Bound[] = [];
  /** Sockets that no longer listen. Each promise resolves when the last connection of its socket ends. */
  readonly #closing = new Set<Promise<void>>();
  readonly #certificateTurns = new FileTurns(1);
  readonly #accounts = new LoopAccounts();
  /** Connections of load balancers without their PROXY header yet, each with its deadline. */
  readonly #proxied = new Map<Socket, Timer>();
  /** Clients that still wait for their turn are not let in. */
  #isStopping = false;
  #watch: Timer | undefined;
  #accept: Accept | undefined;
  /** Clients that came before `open`. */
  readonly #early: { readonly socket: Socket; readonly door: OpenDoor }[] = [];

  constructor(options: SlotOptions, means: ListenerMeans) {
    this.#slots = new Slots(options);
    this.#means = means;
  }

  /** Passes each connection to `accept` from now on, beginning with clients that wait already. */
  open(accept: Accept): void {
    this.#accept = accept;
    for (const { socket, door } of this.#early.splice(0)) this.#connected(socket, door);
  }

  /** Applies `options` to new connections. */
  follow(options: SlotOptions): void {
    this.#slots.follow(options);
  }

  /** Binds one door and returns its port. Rejects if it cannot be bound. */
  async listen(door: Door): Promise<number> {
    const bound = await this.#bind(this.#opened(door));
    this.#bound = [...this.#bound, bound];
    this.#keepWatch();
    return portOf(bound);
  }

  /**
   * Listens at these doors and at no others. Addresses that are bound already stay bound. Returns the ports, in order.
   * Rejects if a door cannot be bound or a certificate cannot be used, and then nothing has changed.
   */
  async listenOnly(doors: readonly Door[]): Promise<readonly number[]> {
    const left = [...this.#bound];
    const wanted = doors.map((one) => {
      const at = left.findIndex(({ place }) => place === placeOf(one));
      const [known] = at === -1 ? [] : left.splice(at, 1);
      return { door: this.#opened(one), known };
    });
    const made: Bound[] = [];
    const next: Bound[] = [];
    try {
      for (const { door, known } of wanted) {
        const bound = known ?? (await this.#bind(door));
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
    this.#keepWatch();
    return next.map(portOf);
  }

  /** Throws if a certificate cannot be used. */
  #opened(door: Door): OpenDoor {
    const { tls, certificates: files, requestCert = false } = door;
    if (tls === "none") return { ...door, certificates: undefined };
    const { clock, log } = this.#means;
    const parts = { clock, log, turns: this.#certificateTurns };
    return { ...door, certificates: new Certificates(files, requestCert, parts) };
  }

  async #bind(door: OpenDoor): Promise<Bound> {
    const server = createServer({ allowHalfOpen: true }, (socket) =>
      this.#connected(socket, bound.door),
    );
    const bound: Bound = { server, place: placeOf(door), door };
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: door.host, port: door.port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) =>
      this.#means.log.event("relay.error", { where: "listener", error: describeError(error) }),
    );
    return bound;
  }

  #close(server: Server): void {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  #connected(socket: Socket, door: OpenDoor): void {
    socket.on("error", () => socket.destroy());
    const accept = this.#accept;
    if (accept === undefined) {
      this.#early.push({ socket, door });
      return;
    }
    const address = unmapped(socket.remoteAddress);
    if (address === undefined) {
      socket.destroy();
    } else if (door.isProxy?.(address) === true) {
      this.#means.share.do(() => this.#awaitClient(socket, address, door, accept));
    } else {
      this.#queue(socket, address, door, accept);
    }
  }

  /** Admits the client when it is its turn. */
  #queue(socket: Socket, address: string, door: OpenDoor, accept: Accept): void {
    const { share } = this.#means;
    const account = this.#accounts.of(address, this.#slots.isReserved(address));
    if (share.waitingOf(account) >= WAITING_MAX) {
      socket.destroy();
      return;
    }
    const party = new SessionParty(account);
    party.charge(CONNECTION_TIME, performance.now());
    share.do(() => {
      share.take(COMMAND_COST);
      const admitted = this.#admit(socket, address, door, party);
      if (admitted === undefined) party.end();
      else accept(admitted);
    }, party);
  }

  /** Reads the PROXY header of a load balancer, which names the client. */
  #awaitClient(socket: Socket, proxy: string, door: OpenDoor, accept: Accept): void {
    const { share, clock } = this.#means;
    share.take(COMMAND_COST);
    const deadline = clock.after(PROXY_TIMEOUT, () => socket.destroy());
    this.#proxied.set(socket, deadline);
    const known = () => {
      deadline.cancel();
      this.#proxied.delete(socket);
    };
    socket.once("close", known);
    readProxyHeader(socket, (header) => {
      known();
      if (header.kind === "whole") {
        return this.#queue(socket, header.client ?? proxy, door, accept);
      }
      this.#means.onRefused(proxy, `PROXY: ${header.why}`, false);
      socket.destroy();
    });
  }

  /** The connection with its slot; undefined if the client is not let in. */
  #admit(
    socket: Socket,
    address: string,
    { tls, certificates }: OpenDoor,
    party: SessionParty,
  ): Accepted | undefined {
    if (socket.destroyed || this.#isStopping) {
      socket.destroy();
      return undefined;
    }
    const slot = this.#slots.take(address);
    if (slot.kind === "refused") {
      socket.write(this.#means.refusal);
      socket.destroySoon();
      this.#means.onRefused(address, slot.why, true);
      return undefined;
    }
    return {
      socket,
      address,
      isReserved: slot.isReserved,
      party,
      implicitTls: tls === "implicit",
      tls: certificates === undefined ? undefined : () => certificates.current(),
      release() {
        party.end();
        slot.release();
      },
    };
  }

  #keepWatch(): void {
    this.#watch ??= this.#means.clock.after(WATCH_INTERVAL, () => {
      this.#accounts.forgetUnused(performance.now());
      this.#watch = undefined;
      this.#keepWatch();
    });
  }

  /**
   * A connection that has come through no door, as a client of `address`. It takes no slot, and has the certificates of
   * the first door with STARTTLS.
   */
  enter(socket: Socket, address: string): Accepted {
    const party = new SessionParty(this.#accounts.of("entered", true));
    const bound = this.#bound.find(({ door }) => door.tls === "starttls");
    const certificates = bound?.door.certificates;
    return {
      socket,
      address,
      isReserved: false,
      party,
      implicitTls: false,
      tls: certificates === undefined ? undefined : () => certificates.current(),
      release: () => party.end(),
    };
  }

  /** Takes no new connections. Resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { server } of this.#bound) this.#close(server);
    this.#bound = [];
    for (const { socket } of this.#early.splice(0)) socket.destroy();
    for (const socket of this.#proxied.keys()) socket.destroy();
    await Promise.all(this.#closing);
    this.#watch?.cancel();
  }
}

function placeOf({ host, port }: Pick<Door, "host" | "port">): string {
  return `${host} ${port}`;
}

function portOf({ server, door }: Bound): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : door.port;
}

/** An IPv4 client of an IPv6 socket has a mapped address (::ffff:192.0.2.1). Everywhere else it is the IPv4 address. */
function unmapped(address: string | undefined): string | undefined {
  return address?.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

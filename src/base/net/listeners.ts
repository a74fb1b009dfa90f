// Listening for any server: sockets, PROXY headers, certificates, slots, and the turn of each new connection. What a
// server is given is a connection of which is known whom it comes from, and that has a slot.
//
// Promises: a client over its share is told so and gone. Doors change all together or not at all; a port that is
// listened on before and after is never shut in between. Clients that come before the server is open wait for it.

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

/** A place to listen at, and what is offered to those who come there. */
export interface Door {
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

/** A connection that has a slot. */
export interface Accepted {
  /** Nothing of what the client says has been read. It may stand still: to be resumed. */
  readonly socket: Socket;
  /** Of the client, IPv4 unmapped. */
  readonly address: string;
  /** The slot is one of those that are kept for known hosts. */
  readonly isReserved: boolean;
  /** Bears what the connection costs the event loop. */
  readonly party: SessionParty;
  /** The client begins with a handshake. */
  readonly implicitTls: boolean;
  /** For its handshake; undefined where there is none to be had. */
  readonly tls: (() => MaybePromise<TlsOptions>) | undefined;
  /** Gives the slot back. To be called once, when the connection is over. */
  release(): void;
}

export interface ListenerMeans {
  readonly clock: Clock;
  readonly log: Log;
  readonly share: LoopShare;
  /** All that a client hears for which there is no slot. */
  readonly refusal: string;
  /** `told`: it has heard the refusal. */
  onRefused(address: string, why: string, told: boolean): void;
}

/** A socket that listens, and what it offers at present. */
interface Bound {
  readonly server: Server;
  readonly place: string;
  door: OpenDoor;
}

interface OpenDoor extends Omit<Door, "certificates"> {
  readonly certificates: Certificates | undefined;
}

type Accept = (connection: Accepted) => void;

/** How often accounts are looked through, in ms. */
const WATCH_INTERVAL = 1000;
/** How long a load balancer may take to say whom it speaks for, in ms. */
const PROXY_TIMEOUT = 10_000;
/** Connections and sessions of one client that wait for their turn; further ones are cut off. */
const WAITING_MAX = 200;
/** What Node spends on a connection, in ms. */
const CONNECTION_TIME = 0.8;

export class Listeners {
  readonly #slots: Slots;
  readonly #means: ListenerMeans;
  #bound: readonly Bound[] = [];
  /** No longer listened on; each ends with its last connection. */
  readonly #closing = new Set<Promise<void>>();
  readonly #certificateTurns = new FileTurns(1);
  readonly #accounts = new LoopAccounts();
  /** Connections of load balancers whose client is not known yet, each with its deadline. */
  readonly #proxied = new Map<Socket, Timer>();
  /** Who still waits for a turn is not let in any more. */
  #isStopping = false;
  #watch: Timer | undefined;
  #accept: Accept | undefined;
  /** Clients that came between binding and opening. */
  readonly #early: { readonly socket: Socket; readonly door: OpenDoor }[] = [];

  constructor(options: SlotOptions, means: ListenerMeans) {
    this.#slots = new Slots(options);
    this.#means = means;
  }

  /** Gives out connections from now on, those that wait already first. */
  open(accept: Accept): void {
    this.#accept = accept;
    for (const { socket, door } of this.#early.splice(0)) this.#connected(socket, door);
  }

  /** For those who come from now on; who is there stays. */
  follow(options: SlotOptions): void {
    this.#slots.follow(options);
  }

  /** Binds one door and returns the port it got. Throws when it cannot be bound. */
  async listen(door: Door): Promise<number> {
    const bound = await this.#bind(this.#opened(door));
    this.#bound = [...this.#bound, bound];
    this.#keepWatch();
    return portOf(bound);
  }

  /**
   * Listens at these doors and at no others: what is bound already stays so. The ports, in order. Throws when one
   * cannot be bound or a certificate not be used, and then everything is as it was.
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

  /** Throws when a certificate cannot be used. */
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

  /** Until it is the client's turn. */
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

  /** A load balancer says first whom it speaks for. */
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

  /** Undefined when it is not let in. */
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

  /** No new connections. Resolves when the last one is over. */
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

/** IPv4 that came in over an IPv6 socket is IPv4 to everybody (::ffff:192.0.2.1). */
function unmapped(address: string | undefined): string | undefined {
  return address?.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

// An address that a part's process serves, bound by the relay and kept: who connects is handed to the process that
// serves at the time, and waits for it a while when it has just died.
//
// Invariant: what waits is bounded in number and in time.

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import type { ListenAddress } from "../../base/net/listen-address.ts";

/** Clients that wait for a process. */
const WAITING_MAX = 100;
/** Milliseconds that each of them waits. */
const PATIENCE = 10_000;

/** Takes a client over. False: it does not, now. */
export type Usher = (socket: Socket) => boolean;

export class FrontDoor {
  readonly address: ListenAddress;
  /** The port that is really bound. */
  readonly port: number;
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #waiting = new Map<Socket, Timer>();
  #usher: Usher = () => false;

  private constructor(address: ListenAddress, server: Server, clock: Clock) {
    const bound = server.address();
    this.address = address;
    this.port = bound !== null && typeof bound === "object" ? bound.port : address.port;
    this.#server = server;
    this.#clock = clock;
    server.on("connection", (socket) => this.#came(socket));
  }

  /** Rejects when the address cannot be bound. */
  static async open(address: ListenAddress, clock: Clock): Promise<FrontDoor> {
    const server = createServer({ pauseOnConnect: true });
    const { host, port } = address;
    server.listen({ host, port });
    await once(server, "listening");
    return new FrontDoor(address, server, clock);
  }

  /** From now on `usher` is asked to take clients, and those who wait first. */
  follow(usher: Usher): void {
    this.#usher = usher;
    for (const [socket, timer] of this.#waiting) {
      if (!usher(socket)) return;
      timer.cancel();
      this.#waiting.delete(socket);
    }
  }

  /** The address is free at once. */
  close(): void {
    for (const socket of this.#waiting.keys()) this.#sendAway(socket);
    // Node says "close" never when a process that was handed a socket has ended: nobody waits for it.
    this.#server.close();
  }

  #came(socket: Socket): void {
    if (this.#usher(socket)) return;
    if (this.#waiting.size >= WAITING_MAX) return void socket.destroy();
    socket.on("error", () => this.#sendAway(socket));
    this.#waiting.set(
      socket,
      this.#clock.after(PATIENCE, () => this.#sendAway(socket)),
    );
  }

  #sendAway(socket: Socket): void {
    this.#waiting.get(socket)?.cancel();
    this.#waiting.delete(socket);
    socket.destroy();
  }
}

// An address that a part's process serves. The relay binds it and keeps it. A client that connects is handed to the
// process that serves at that time. If the process has just died, the client waits for the next one for a limited time.
//
// Invariant: waiting clients are bounded in number and in time.

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import type { ListenAddress } from "../../base/net/listen-address.ts";

/** Number of clients that may wait for a process. */
const WAITING_MAX = 100;
/** Milliseconds that each of them waits. On a busy machine a process takes some 15 s to serve. */
const PATIENCE = 30_000;

/** Takes a client over. Returns false when it cannot take a client now. */
export type Usher = (socket: Socket) => boolean;

export class FrontDoor {
  readonly address: ListenAddress;
  /** The port that is actually bound. */
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

  /** From now on clients are offered to `usher`, waiting ones first. */
  follow(usher: Usher): void {
    this.#usher = usher;
    for (const [socket, timer] of this.#waiting) {
      if (!usher(socket)) return;
      timer.cancel();
      this.#waiting.delete(socket);
    }
  }

  /** The address is free as soon as this returns. */
  close(): void {
    for (const socket of this.#waiting.keys()) this.#sendAway(socket);
    // Node never emits "close" if a process that was given a socket has ended, so the relay does not wait for the
    // event.
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

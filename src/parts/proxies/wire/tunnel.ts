// Joins two sockets: what one side sends, the other gets, byte for byte.
//
// Invariants:
// - Neither direction holds more than the buffers of its sockets: a side that does not read stops the other.
// - The end of one direction is passed on while the other goes on.
// - Both sockets are closed at the end, whatever happens.

import type { Socket } from "node:net";
import type { Clock } from "../../../base/clock.ts";
import { readBuffers } from "../../../base/net/read-buffers.ts";
import type { Released } from "./peer.ts";

/** Milliseconds without any traffic after which a session whose one side has ended is closed. */
const LINGER = 60_000;
/** Milliseconds without any traffic after which a session is closed: a day. */
const IDLE_MAX = 86_400_000;
/** Milliseconds without traffic that count as a quiet moment. */
const QUIET = 500;

export class Tunnel {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #done: () => void;
  #open = 2;
  /** Something has passed since the last look. */
  #isBusy = true;

  /** `done` is called once, when both sockets are closed. */
  constructor(client: Released, server: Released, done: () => void) {
    this.#client = client.socket;
    this.#server = server.socket;
    this.#done = done;
    this.#pour(client, server.socket);
    this.#pour(server, client.socket);
    if (!this.#client.readableEnded && !this.#server.readableEnded) {
      this.#client.setTimeout(IDLE_MAX, this.#cut);
    }
  }

  /** Closes both sides as soon as nothing passes. */
  endWhenQuiet(clock: Clock): void {
    if (this.#open === 0) return;
    if (!this.#isBusy) return this.#cut();
    this.#isBusy = false;
    clock.after(QUIET, () => this.endWhenQuiet(clock));
  }

  #pour({ socket: from, rest }: Released, to: Socket): void {
    if (rest.length > 0) to.write(rest);
    from.on("data", (chunk: Buffer) => {
      this.#isBusy = true;
      readBuffers.count(chunk.length);
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    const ended = () => {
      to.end();
      from.setTimeout(LINGER, this.#cut);
      to.setTimeout(LINGER, this.#cut);
    };
    if (from.readableEnded) ended();
    else from.once("end", ended);
    if (from.closed) {
      to.destroy();
      this.#closed();
      return;
    }
    from.once("close", () => {
      if (!from.readableEnded || !to.readableEnded) to.destroy();
      this.#closed();
    });
    from.resume();
  }

  readonly #cut = (): void => {
    this.#client.destroy();
    this.#server.destroy();
  };

  #closed(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#done();
  }
}

// Memory of what is read from sockets. Every read has a buffer of its own, up to 64 KiB, which nobody needs a moment
// later. V8 counts it neither among what is young nor among what is old until there are some 60 MB of them: one client
// that sends 120 MB would cost as much.
//
// Invariant: what was read and is not needed any more is given back after each 8 MiB, over all connections. What is in
// use stays: this changes when memory is given back, and nothing else.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const OCTETS = 8 * 1024 * 1024;

export class ReadBuffers {
  #octets = 0;
  #collect: (() => void) | undefined;

  /** To be called with the octets of each read. */
  count(octets: number): void {
    this.#octets += octets;
    if (this.#octets < OCTETS) return;
    this.#octets = 0;
    this.#collect ??= youngCollector();
    this.#collect();
  }
}

/** Of the process: all connections share its heap. */
export const readBuffers = new ReadBuffers();

/** Collects what is young, in less than a millisecond where little of it is alive. */
function youngCollector(): () => void {
  // A context that is made behind the flag has the function; nothing else gets to see it.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect !== "function") return () => undefined;
  return () => void Reflect.apply(collect, undefined, [{ type: "minor" }]);
}

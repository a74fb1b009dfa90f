// Memory of what is read from sockets, and from the files of bodies. Every read has its own buffer of up to 64 KiB, which
// is garbage a moment later. V8 counts it neither as young nor as old memory until there are about 60 MB of it. Without
// this file, a single message of 120 MB would cost that much when it comes in, and again when it is delivered.
//
// Invariant: after each 8 MiB read, over all connections and files, buffers without a user are given back. Buffers in use
// stay. This only changes the time at which memory is given back.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const OCTETS = 8 * 1024 * 1024;

export class ReadBuffers {
  #octets = 0;
  #collect: (() => void) | undefined;

  /** Must be called with the octets of each read. */
  count(octets: number): void {
    this.#octets += octets;
    if (this.#octets < OCTETS) return;
    this.#octets = 0;
    this.#collect ??= youngCollector();
    this.#collect();
  }
}

/** One for the process, because all readers share its heap. */
export const readBuffers = new ReadBuffers();

/** Returns a function that collects young objects. It takes less than a millisecond where few of them are alive. */
function youngCollector(): () => void {
  // A context created while the flag is set has the `gc` function. No other code gets it.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect !== "function") return () => undefined;
  return () => void Reflect.apply(collect, undefined, [{ type: "minor" }]);
}

// One query to one server, over UDP or TCP, under a deadline. The socket is connected, so the kernel accepts messages
// only from that server. Each query has a new source port (RFC 5452 9.2).
//
// Invariant: every exchange ends, either with what `read` made of a message or with an error.

import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { Clock } from "../base/clock.ts";

export interface Server {
  readonly address: string;
  readonly port: number;
}

/** Returns undefined when the message does not belong to the query, so that the exchange goes on waiting. */
export type Read<T> = (message: Buffer) => T | undefined;

export interface Patience {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly timeout: number;
  /** Aborting it ends the exchange with the signal's reason. */
  readonly signal: AbortSignal;
}

/** Number of messages for other queries after which the server counts as one that does not answer. */
const STRANGERS_MAX = 16;

export function askUdp<T>(
  server: Server,
  query: Buffer,
  read: Read<T>,
  patience: Patience,
): Promise<T> {
  const socket = createSocket(isIPv6(server.address) ? "udp6" : "udp4");
  return underDeadline(
    patience,
    () => socket.close(),
    (resolve, reject) => {
      let strangers = 0;
      socket.on("error", reject);
      socket.on("message", (message) => {
        const result = read(message);
        if (result !== undefined) resolve(result);
        else if (++strangers > STRANGERS_MAX) reject(new Error("answers other questions"));
      });
      // With a callback, an error of connect would go there instead of becoming an event.
      socket.once("connect", () => {
        socket.send(query, (error) => {
          if (error !== null) reject(error);
        });
      });
      socket.connect(server.port, server.address);
    },
  );
}

/** RFC 1035 4.2.2: two octets of length before each message. */
export function askTcp<T>(
  server: Server,
  query: Buffer,
  read: Read<T>,
  patience: Patience,
): Promise<T> {
  const socket = connect({ port: server.port, host: server.address, noDelay: true });
  return underDeadline(
    patience,
    () => socket.destroy(),
    (resolve, reject) => {
      let pending = Buffer.alloc(0);
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the server closed the connection")));
      socket.on("data", (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        if (pending.length < 2 || pending.length < 2 + pending.readUInt16BE()) return;
        const result = read(pending.subarray(2, 2 + pending.readUInt16BE()));
        if (result === undefined) reject(new Error("answers another question"));
        else resolve(result);
      });
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    },
  );
}

/** Calls `start` at once, and `close` after the first of result, error, deadline and abort. */
async function underDeadline<T>(
  { clock, timeout, signal }: Patience,
  close: () => void,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  const timer = clock.after(timeout, () => reject(new Error("timeout")));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    else start(resolve, reject);
    return await promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
    close();
  }
}

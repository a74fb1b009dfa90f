// One thing that the archive can be asked, over archive.sock or in relayctl's own process: a verb, an order, and an
// answer of JSON values, one after the other.

import type { Archive } from "./archive.ts";

interface Operation<Order> {
  readonly verb: string;
  /** "write" changes `state`, so only the process that holds the lock may carry it out. */
  readonly access: "read" | "write";
  /** Throws CommandError (64) if the order cannot be carried out as it is written. */
  read(order: unknown): Order;
  /** The answer ends early if `signal` is aborted, because its reader is gone. Throws CommandError with its exit code. */
  run(archive: Archive, order: Order, signal: AbortSignal): AsyncIterable<object>;
}

/** An operation whose order has not been read yet. */
export interface AnyOperation extends Pick<Operation<unknown>, "verb" | "access"> {
  answer(archive: Archive, order: unknown, signal: AbortSignal): AsyncIterable<object>;
}

export function operation<Order>(declared: Operation<Order>): AnyOperation {
  return {
    ...declared,
    answer: (archive, order, signal) => declared.run(archive, declared.read(order), signal),
  };
}

// Reaches the queue in either of two ways. A running relay is asked over its control socket. Without a running relay,
// relayctl opens the spool itself, under its lock, and does what the relay would have done.

import { askRelay, NoRelay } from "../../run/control/client.ts";
import { controlSocket } from "../../run/control/protocol.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { Carried, Order } from "../../queue/postmaster.ts";
import { jsonLine } from "../../base/printable.ts";
import { type OfflineQueue, openOfflineQueue } from "../../run/offline-queue.ts";
import { SpoolInUse } from "../../spool/spool.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import type { QueuePlace } from "./place.ts";
import { warn } from "../../base/terminal.ts";

export class ReachedQueue implements AsyncDisposable {
  readonly #place: QueuePlace;
  /** Opened when no relay has answered. */
  #own: OfflineQueue | undefined;

  constructor(place: QueuePlace) {
    this.#place = place;
  }

  /** Throws CommandError, for example when the relay that owns the queue does not answer. */
  async carryOut(order: Order): Promise<Carried> {
    if (this.#own !== undefined) return this.#own.carryOut(order);
    try {
      return await ask(controlSocket(this.#place.relay), order);
    } catch (error) {
      if (!(error instanceof NoRelay)) throw error;
      this.#own = await openOurselves(this.#place, error);
      return this.#own.carryOut(order);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#own?.close();
  }
}

async function ask(socket: string, order: Order): Promise<Carried> {
  try {
    const answer = await askRelay(socket, order);
    if ("error" in answer) throw new CommandError(answer.error, EXIT.unavailable);
    return answer;
  } catch (error) {
    if (error instanceof NoRelay || error instanceof CommandError) throw error;
    throw new CommandError(describeError(error), EXIT.unavailable);
  }
}

/** Prints only events that report an error. The relay's other events do not concern the user of relayctl. */
const ownLog: Log = {
  event(name, fields) {
    if (name === "relay.error" || name === "spool.failed" || name === "spool.corrupt") {
      warn(`relayctl: ${name}: ${jsonLine(fields)}`);
    }
  },
};

async function openOurselves(place: QueuePlace, why: NoRelay): Promise<OfflineQueue> {
  const { relay, file } = place;
  try {
    const means = { spoolDirectory: relay.spool_directory, file, log: ownLog };
    return (await openOfflineQueue(means)) ?? NO_QUEUE;
  } catch (error) {
    if (error instanceof SpoolInUse) {
      throw new CommandError(`a relay is running, but ${describeError(why)}`, EXIT.unavailable);
    }
    if (error instanceof CommandError) throw error;
    throw new CommandError(`cannot change the queue: ${describeError(error)}`, EXIT.unavailable);
  }
}

/** A spool that no relay has opened yet is an empty one, and is not created. */
const NO_QUEUE: OfflineQueue = {
  carryOut: (order) => {
    if (!("ids" in order)) throw new CommandError("there is no spool yet", EXIT.unavailable);
    const changes = order.ids.map((id) => ({ id, result: "unknown" }) as const);
    return Promise.resolve({ changes, released: 0 });
  },
  close: () => Promise.resolve(),
};

// Reaches the queue in either of two ways. A running relay is asked over its control socket. Without a running relay,
// relayctl opens the spool itself, under its lock, and does what the relay would have done.

import { systemClock } from "../../base/clock.ts";
import { ClockSteps } from "../../base/clock-steps.ts";
import { askRelay, NoRelay } from "../../run/control/client.ts";
import { controlSocket } from "../../run/control/protocol.ts";
import { becomeOwnerOf } from "../../run/drop-root.ts";
import { requireOwnSpool } from "../../run/foreign-files.ts";
import { createHistory, rememberingLog, startHistory } from "../../observe/history/history.ts";
import { Holds } from "../../queue/holds.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { Outbox } from "../../outbox/outbox.ts";
import { carryOut, type Carried, type Order } from "../../queue/postmaster.ts";
import { jsonLine } from "../../base/printable.ts";
import { assemble } from "../../run/assemble.ts";
import { settleServicesOf } from "../../run/settle-services.ts";
import { spoolEngine } from "../../run/spool-engine.ts";
import { SpoolInUse } from "../../spool/spool.ts";
import { CommandError, EXIT } from "../exit.ts";
import type { QueuePlace } from "./place.ts";
import { warn } from "../../base/terminal.ts";

export class ReachedQueue implements AsyncDisposable {
  readonly #place: QueuePlace;
  /** Opened when no relay has answered. */
  #own: OwnQueue | undefined;

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

interface OwnQueue {
  carryOut(order: Order): Promise<Carried>;
  close(): Promise<void>;
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

async function openOurselves(place: QueuePlace, why: NoRelay): Promise<OwnQueue> {
  const { spool_directory: directory } = place.relay;
  try {
    if (!(await spoolEngine.exists(directory))) return NO_QUEUE;
    becomeOwnerOf(directory, place.file.configuration?.relay.user);
    requireOwnSpool(directory);
    const spool = await spoolEngine.open(directory, { clock: systemClock, log: ownLog });
    const { configuration, wrong } = place.file;
    const history =
      configuration && createHistory(configuration, { clock: systemClock, log: ownLog });
    if (configuration !== undefined) startHistory(history, directory);
    const log = history === undefined ? ownLog : rememberingLog(ownLog, history);
    const holds = new Holds(await spool.holds(), spool);
    // Assembled as in a dry run. Only settling uses it.
    const chain = configuration && assemble(configuration, { clock: systemClock, log }, true);
    const services = {
      spool,
      holds,
      get settle() {
        if (configuration === undefined || chain === undefined) throw wrong;
        const outbox = new Outbox(configuration.relay, { spool, log, wake: nobody });
        const means = { outbox, log, elapsed: new ClockSteps(systemClock) };
        return settleServicesOf(configuration, means, { ...chain, clock: systemClock });
      },
      clock: systemClock,
      log,
      wake: nobody,
    };
    return {
      carryOut: (order) => carryOut(order, services),
      async close() {
        await chain?.close();
        await spool.close();
        await history?.close();
      },
    };
  } catch (error) {
    if (error instanceof SpoolInUse) {
      throw new CommandError(`a relay is running, but ${describeError(why)}`, EXIT.unavailable);
    }
    if (error instanceof CommandError) throw error;
    throw new CommandError(`cannot change the queue: ${describeError(error)}`, EXIT.unavailable);
  }
}

/** Called when mail is due. relayctl has no queue runner, so it does nothing. */
const nobody = () => undefined;

/** A spool that no relay has opened yet is empty, and is not created. */
const NO_QUEUE: OwnQueue = {
  carryOut: (order) => {
    if (!("ids" in order)) throw new CommandError("there is no spool yet", EXIT.unavailable);
    const changes = order.ids.map((id) => ({ id, result: "unknown" }) as const);
    return Promise.resolve({ changes, released: 0 });
  },
  close: () => Promise.resolve(),
};

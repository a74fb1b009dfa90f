// The queue while no relay runs: the spool is opened under its lock, and orders do what they would do in the relay.
//
// Invariant: as in a dry run, the relay sends no mail, and uses only what the chain knows already.

import { systemClock } from "../base/clock.ts";
import { ClockSteps } from "../base/clock-steps.ts";
import { becomeOwnerOf } from "../base/users.ts";
import type { Configuration } from "../config/configuration.ts";
import { createHistory, rememberingLog, startHistory } from "../observe/history/history.ts";
import type { Log } from "../observe/log.ts";
import { Outbox } from "../outbox/outbox.ts";
import { Holds } from "../queue/holds.ts";
import { carryOut, type Carried, type Order } from "../queue/postmaster.ts";
import type { QueueView } from "../spool/queue-view.ts";
import { assemble } from "./assemble.ts";
import { requireOwnSpool } from "./foreign-files.ts";
import { settleServicesOf } from "./settle-services.ts";
import { spoolEngine } from "./spool-engine.ts";

export interface OfflineQueue {
  carryOut(order: Order): Promise<Carried>;
  close(): Promise<void>;
}

export interface OfflineQueuePlace {
  readonly spoolDirectory: string;
  /** With mistakes in it, orders are carried out that need no more than the spool; the others throw `wrong`. */
  readonly file:
    | { readonly configuration: Configuration; readonly wrong?: never }
    | { readonly configuration?: never; readonly wrong: Error };
  readonly log: Log;
}

/** The queue for reading; undefined when no relay has opened the spool yet. */
export function viewQueue(spoolDirectory: string): Promise<QueueView | undefined> {
  return spoolEngine.view(spoolDirectory);
}

/**
 * Undefined when no relay has opened the spool yet; it is not created. Throws SpoolInUse when a relay has it, and what
 * else keeps it from being opened.
 */
export async function openOfflineQueue(
  place: OfflineQueuePlace,
): Promise<OfflineQueue | undefined> {
  const { spoolDirectory, log: ownLog } = place;
  const { configuration, wrong } = place.file;
  const clock = systemClock;
  if (!(await spoolEngine.exists(spoolDirectory))) return undefined;
  becomeOwnerOf(spoolDirectory, configuration?.relay.user);
  requireOwnSpool(spoolDirectory);
  // In reverse: what is in here is all that has been begun when something goes wrong.
  await using begun = new AsyncDisposableStack();
  const history = configuration && createHistory(configuration, { clock, log: ownLog });
  begun.defer(() => history?.close());
  const spool = await spoolEngine.open(spoolDirectory, { clock, log: ownLog });
  begun.defer(() => spool.close());
  if (configuration !== undefined) startHistory(history, spoolDirectory);
  const log = history === undefined ? ownLog : rememberingLog(ownLog, history);
  const holds = new Holds(await spool.holds(), spool);
  const chain = configuration && assemble(configuration, { clock, log }, true);
  begun.defer(() => chain?.close());
  const services = {
    spool,
    holds,
    get settle() {
      if (configuration === undefined || chain === undefined) throw wrong;
      const outbox = new Outbox(configuration.relay, { spool, log, wake: noRunner });
      const means = { outbox, log, elapsed: new ClockSteps(clock) };
      return settleServicesOf(configuration, means, { ...chain, clock });
    },
    clock,
    log,
    wake: noRunner,
  };
  const opened = begun.move();
  return {
    carryOut: (order) => carryOut(order, services),
    close: () => opened.disposeAsync(),
  };
}

/** Nothing is to be woken. */
function noRunner(): void {
  return undefined;
}

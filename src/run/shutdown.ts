// Stops a relay, or what has been started of one whose start fails. The order of the stops stands here alone.
//
// Invariants: stopping begins at the front door and ends at the spool, so no accepted message is still on its way when
// the spool closes, unless the stop of its session has failed. Sessions end before attempts, because the mail that they
// still bring in is attempted. Other messages in the spool are not. Sessions and attempts under way share one time limit,
// so the postmaster knows how long a stop takes at most.

import type { Clock } from "../base/clock.ts";
import { FirstError } from "../base/first-error.ts";
import type { Queue } from "../queue/queue.ts";
import type { SmtpServer } from "../smtp/server/server.ts";
import type { PartProcesses } from "./processes/processes.ts";

/** In the order in which they are stopped. "mail" is the sessions, the queue and the processes of parts. */
const ORDER = [
  "control",
  "reloading",
  "clock",
  "mail",
  "parts",
  "generations",
  "spool",
  "history",
] as const;

type Stop = (grace: number) => void | Promise<unknown>;

export class Started {
  readonly #stops = new Map<(typeof ORDER)[number], Stop>();

  /** `stop` replaces an earlier one of the same name. */
  set(name: (typeof ORDER)[number], stop: Stop): void {
    this.#stops.set(name, stop);
  }

  /**
   * Stops everything that was set, one after the other. Work that is unfinished after `grace` ms is cut. A stop that fails
   * keeps no later one from its turn: the process ends all the same, and what is closed in order has all its changes on
   * disk. Rejects with the first error, after the last stop.
   */
  async stop(grace: number): Promise<void> {
    const failure = new FirstError();
    for (const name of ORDER) {
      try {
        await this.#stops.get(name)?.(grace);
      } catch (error) {
        failure.set(error);
      }
    }
    if (failure.first !== undefined) throw failure.first.error;
  }
}

interface Working {
  readonly server: Pick<SmtpServer, "stop">;
  readonly queue: Pick<Queue, "takeNoMore" | "stop">;
  readonly processes: Pick<PartProcesses, "close">;
}

/** Resolves when nothing is under way any more. Work that is unfinished after `grace` ms is cut. */
export async function shutDown(
  { server, queue, processes }: Working,
  grace: number,
  clock: Clock,
): Promise<void> {
  const endMail = async () => {
    const until = clock.monotonic() + grace;
    queue.takeNoMore();
    await server.stop(grace);
    await queue.stop(Math.max(0, until - clock.monotonic()));
  };
  await Promise.all([endMail(), processes.close(grace)]);
}

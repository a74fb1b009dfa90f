// Stops a relay. Sessions and attempts under way share one time limit, so the postmaster knows how long a stop takes at
// most.
//
// Invariant: sessions end first, because the mail that they still bring in is attempted. Other messages in the spool
// are not.

import type { Clock } from "../base/clock.ts";
import type { Queue } from "../queue/queue.ts";
import type { SmtpServer } from "../smtp/server/server.ts";

interface Working {
  readonly server: Pick<SmtpServer, "stop">;
  readonly queue: Pick<Queue, "takeNoMore" | "stop">;
}

/** Resolves when nothing is under way any more. Work that is unfinished after `grace` ms is cut. */
export async function shutDown({ server, queue }: Working, grace: number, clock: Clock) {
  const until = clock.monotonic() + grace;
  queue.takeNoMore();
  await server.stop(grace);
  await queue.stop(Math.max(0, until - clock.monotonic()));
}

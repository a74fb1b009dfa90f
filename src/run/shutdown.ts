// How a relay comes to its end: sessions and attempts under way have one limit for all of them, so that whoever stops it
// knows how long that takes.
//
// Invariant: sessions end first, because what they bring in is still attempted; what waits in the spool is not.

import type { Clock } from "../base/clock.ts";
import type { Queue } from "../queue/queue.ts";
import type { SmtpServer } from "../smtp/server/server.ts";

interface Working {
  readonly server: Pick<SmtpServer, "stop">;
  readonly queue: Pick<Queue, "takeNoMore" | "stop">;
}

/** Resolves when nothing is under way any more; what still is after `grace` ms has been cut. */
export async function shutDown({ server, queue }: Working, grace: number, clock: Clock) {
  const until = clock.monotonic() + grace;
  queue.takeNoMore();
  await server.stop(grace);
  await queue.stop(Math.max(0, until - clock.monotonic()));
}

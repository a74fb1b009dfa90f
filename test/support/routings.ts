// Routings of recipients as RCPT hands them on to the queue.

import type { Clock } from "../../src/base/clock.ts";
import type { Route, Routing } from "../../src/route/route.ts";
import { Routings } from "../../src/route/routings.ts";

/** The results of `route` for the recipients from position 0 on, made just now. */
export function routingsOf(
  all: readonly Routing[],
  clock: Clock,
  route: Route = () => Promise.reject(new Error("no router is asked in this test")),
  relayed = false,
): Routings {
  const routings = new Routings(route, clock);
  for (const [position, routing] of all.entries())
    routings.keep(position, { routing, relayed }, () => true);
  return routings;
}

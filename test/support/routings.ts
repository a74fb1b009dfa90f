// What RCPT knows of recipients, as a reception hands it on.

import type { Clock } from "../../src/base/clock.ts";
import type { Route, Routing } from "../../src/route/route.ts";
import { Routings } from "../../src/route/routings.ts";

/** What `route` has said just now of the recipients from position 0 on. */
export function routingsOf(
  all: readonly Routing[],
  clock: Clock,
  route: Route = () => Promise.reject(new Error("nobody is to be asked")),
  relayed = false,
): Routings {
  const routings = new Routings(route, clock);
  for (const [position, routing] of all.entries())
    routings.keep(position, { routing, relayed }, () => true);
  return routings;
}

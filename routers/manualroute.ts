// manualroute: sends every address to hosts that the postmaster wrote down, a smarthost for example. They are
// taken at their word: no MX lookup, no ignore_target_hosts, no loop guard.

import { nextHops } from "../src/config/next-hops.ts";
import { flag, options, transportName, type Values, withDefault } from "../src/config/schema.ts";
import type { Decision, RouterDriver } from "../src/contract.ts";
import { shuffled } from "../src/shuffled.ts";

const manualrouteOptions = options({
  transport: transportName("Delivers to the hosts."),
  route: nextHops('The hosts, in the order to be tried: "host", "host:port" or "[v6]:port".'),
  hosts_randomize: withDefault(
    flag("Try the hosts in another order for each message, to spread the load over equals."),
    false,
  ),
});

/**
 * Decisions:
 * - accept: always, with the hosts of `route`.
 */
export const manualroute: RouterDriver<Values<typeof manualrouteOptions>> = {
  name: "manualroute",
  options: manualrouteOptions,
  create({ transport, route, hosts_randomize: randomize }) {
    const inOrder: Decision = { kind: "accept", transport, hosts: route };
    if (!randomize) return { route: () => inOrder };
    return { route: () => ({ kind: "accept", transport, hosts: shuffled(route) }) };
  },
};

// manualroute: sends addresses to hosts from routers.toml, a smarthost for example: all to the same hosts, or
// by domain. It uses the hosts as they are: no MX lookup, no ignore_target_hosts, no loop guard. Only "/MX"
// asks the DNS, for the mail exchangers of a host. It checks those answers as the dnslookup router does.
//
// Invariant: mail never bounces because of the postmaster's hosts. If a host cannot be found, the address is deferred.

import { given } from "../src/base/given.ts";
import { nextHops } from "../src/options/next-hops.ts";
import { routeRules, type RouteHost } from "./manualroute/route-rules.ts";
import {
  flag,
  optional,
  options,
  transportName,
  type Values,
  withCheck,
  withDefault,
} from "../src/options/options.ts";
import type {
  Decision,
  RouteContext,
  Router,
  RouterDriver,
  Services,
} from "../src/contract/contract.ts";
import { shuffled } from "../src/base/shuffled.ts";
import { LOCAL_ERROR, status } from "../src/mail/status.ts";
import { dnslookup, ignoreTargetHosts } from "./dnslookup.ts";
import type { Host } from "../src/mail/host.ts";

const declaredOptions = options({
  transport: transportName("The transport that delivers to these hosts."),
  route: optional(
    nextHops('The hosts, in the order of tries: "host", "host:port" or "[v6]:port".'),
    "by `route_list`",
  ),
  route_list: optional(
    routeRules(
      "Rules instead of `route`. Each is a domain (or any item of a list of domains), hosts with commas between them, " +
        "and optionally `randomize` or `no_randomize`: `*.example.com  mx1.example.com, mx2.example.com:587  randomize`. " +
        "The first rule that matches decides. `host/MX` means the mail exchangers of that host.",
    ),
  ),
  hosts_randomize: withDefault(
    flag("Try the hosts in a random order for each message, to spread the load over equal hosts."),
    false,
  ),
  ignore_target_hosts: ignoreTargetHosts,
});

type ManualrouteOptions = Values<typeof declaredOptions>;

const manualrouteOptions = withCheck(declaredOptions, ({ route, route_list: rules }, report) => {
  if (route === undefined && rules === undefined) report("route", "must be given, or a route_list");
  if (route !== undefined && rules !== undefined) {
    report("route_list", "cannot be given together with route");
  }
});

/**
 * Decisions:
 * - accept: with the hosts of `route`, or of the first rule of `route_list` that matches the domain.
 * - decline: no rule matches.
 * - defer 451 4.4.4: all hosts of the rule are `host/MX`, and no mail exchanger is found, for whatever reason.
 * - defer 451 4.3.0: the list of a rule cannot be read.
 */
export const manualroute: RouterDriver<ManualrouteOptions> = {
  name: "manualroute",
  options: manualrouteOptions,
  create(settings, services) {
    const { transport, route, hosts_randomize: randomize } = settings;
    if (route === undefined) return byDomain(settings, services);
    const inOrder: Decision = { kind: "accept", transport, hosts: route };
    if (!randomize) return { route: () => inOrder };
    return { route: () => ({ kind: "accept", transport, hosts: shuffled(route) }) };
  },
};

function byDomain(settings: ManualrouteOptions, services: Services): Router {
  const { transport, route_list: written = [], hosts_randomize: usually } = settings;
  const exchangers = dnslookup.create(settings, services);
  const rules = written.map(({ domains, hosts, randomize = usually }) => ({
    domains: services.lists.domains([domains]),
    inOrder: () => (randomize ? shuffled(hosts) : hosts),
  }));
  return {
    async route({ mailbox: { domain } }, context) {
      for (const { domains, inOrder } of rules) {
        const match = await domains.match(domain);
        if (match.kind === "out") continue;
        if (match.kind === "defer") return { kind: "defer", status: LOCAL_ERROR, why: match.why };
        const found = await withExchangers(inOrder(), exchangers, context);
        return "why" in found
          ? nowhere(domain, found.why)
          : { kind: "accept", transport, hosts: found };
      }
      return { kind: "decline", why: `no rule of route_list matches ${domain}` };
    },
  };
}

/** The hosts of the rule, with the mail exchangers instead of each `host/MX`. */
async function withExchangers(
  hosts: readonly RouteHost[],
  exchangers: Router,
  context: RouteContext,
): Promise<readonly Host[] | { readonly why: string }> {
  const found: Host[] = [];
  let trouble: string | undefined;
  for (const { mx, ...host } of hosts) {
    if (mx !== true) {
      found.push(host);
      continue;
    }
    const { name, port } = host;
    const mailbox = { address: `postmaster@${name}`, localPart: "postmaster", domain: name };
    const decision = await exchangers.route({ mailbox, original: mailbox }, context);
    if (decision.kind === "accept") {
      const at = given({ port });
      found.push(...(decision.hosts ?? []).map((one) => ({ ...one, ...at })));
    } else {
      trouble ??= `${name}/MX: ${"why" in decision ? decision.why : decision.kind}`;
    }
  }
  return found.length > 0 ? found : { why: trouble ?? "the rule has no hosts" };
}

function nowhere(domain: string, why: string): Decision {
  const text = `No host for ${domain} can be found at the moment`;
  return { kind: "defer", status: status(451, "4.4", text), why };
}

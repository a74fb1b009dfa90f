// The sections of the configuration file that belong to the relay itself. Routers and transports are declared
// by their drivers, and by route/chain-options.ts.

import { isIP, isIPv6 } from "node:net";
import { NEVER_A_TARGET } from "../dns/target-addresses.ts";
import { DEFAULT_RETRY } from "../retry/retry.ts";
import { gateOptions } from "../receive/gate/gate-options.ts";
import { listenerOptions } from "../smtp/server/listener-options.ts";
import { domainList, hostList } from "../options/list-types.ts";
import { duration, durations, flag, integer, list, named, nested } from "../options/options.ts";
import { oneOf, optional, options, size, tables, withDefault } from "../options/options.ts";
import type { Values } from "../options/options.ts";
import { relayOptions } from "./relay-options.ts";
import { replyOptions, retryOptions } from "../retry/retry-options.ts";

const dnsOptions = options({
  servers: optional(
    list("The DNS servers to ask, as `address` or `address:port`, in this order.", serverProblem),
    "those of /etc/resolv.conf",
  ),
  dnssec: withDefault(
    flag(
      "The servers validate DNSSEC, and the way to them is safe (this machine, or a network that is trusted): believe what they call authentic, which is what DANE needs. With false there is no DANE.",
    ),
    false,
  ),
});

function serverProblem(item: string): string | undefined {
  if (isIP(item) !== 0) return undefined;
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(item) ?? [];
  const isAddress = v6 === undefined ? isIP(v4 ?? "") === 4 : isIPv6(v6);
  if (isAddress && Number(port) > 0 && Number(port) < 65_536) return undefined;
  return 'is no server; write "192.0.2.53", "192.0.2.53:5353" or "[2001:db8::53]:5353"';
}

const httpsOptions = options({
  port: withDefault(
    integer(
      "The only port that is connected to; a destination of reports that names another is left out.",
      1,
      65_535,
    ),
    443,
  ),
  ignore_target_hosts: withDefault(
    hostList(
      "Addresses that are not connected to, whatever the DNS says. With [] every address is good.",
    ),
    NEVER_A_TARGET,
  ),
});

const bounceOptions = options({
  bounce_to: withDefault(
    oneOf(
      "Who is sent bounces, delay warnings and reports. `authenticated`: senders for whose address somebody vouches, by a relay rule, by an SPF pass of its domain, or by an aligned DKIM signature; mail of others is on the postmaster's daily list when it fails. `all`: every sender, forged ones included.",
      ["authenticated", "all"],
    ),
    "authenticated",
  ),
  frozen_after: withDefault(
    duration(
      "How long a message stays frozen that has failed and of which nobody may be told, because its sender is null, while the relay runs. Then it is removed, with an event and a line on the postmaster's list. A copy that is still due, and what the postmaster has frozen, is never removed.",
    ),
    "4d",
  ),
  warn_after: withDefault(
    durations("How old a message is when its sender is told that it is late, once at each time."),
    ["24h"],
  ),
  return_size_limit: withDefault(
    size("A bounce holds the whole message up to this size, and only its headers above."),
    "100K",
  ),
});

export const sections = {
  relay: nested("The relay itself.", relayOptions),
  listeners: tables("Where SMTP is spoken to clients.", listenerOptions),
  dns: withDefault(nested("How names are looked up.", dnsOptions), {}),
  domains: withDefault(
    named("Lists of domains, used elsewhere as `+name`.", domainList("A list of domains.")),
    {},
  ),
  hosts: withDefault(
    named("Lists of hosts, used elsewhere as `+name`.", hostList("A list of hosts.")),
    {},
  ),
  gate: nested("Who may do what. Everything else is refused.", gateOptions),
  retry: withDefault(
    tables("When a deferred delivery is tried again. The first match decides.", retryOptions),
    [{ match: "*", rules: DEFAULT_RETRY }],
  ),
  replies: withDefault(
    tables(
      "What particular replies of particular hosts mean. Rows for Google's hosts are built in, behind these.",
      replyOptions,
    ),
    [],
  ),
  bounce: withDefault(nested("Reports to senders.", bounceOptions), {}),
  https: withDefault(
    nested(
      "How hosts are reached that other domains name: for their MTA-STS policy, and for reports on TLS.",
      httpsOptions,
    ),
    {},
  ),
};

export type HttpsOptions = Values<typeof httpsOptions>;
export type DnsOptions = Values<typeof dnsOptions>;
export type BounceOptions = Values<typeof bounceOptions>;

// The sections of the configuration file that belong to the relay itself. The options of routers and transports are
// declared by their drivers and by route/chain-options.ts.

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
      "The servers validate DNSSEC, and the way to them is safe (this machine, or a trusted network). So the relay believes an answer that they call authentic, which DANE requires. With false, the relay does not use DANE.",
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
      "The only port that the relay connects to. A destination of reports that names another port gets no reports.",
      1,
      65_535,
    ),
    443,
  ),
  ignore_target_hosts: withDefault(
    hostList(
      "Addresses that the relay never connects to, whatever the DNS says. With [] it connects to every address.",
    ),
    NEVER_A_TARGET,
  ),
});

const bounceOptions = options({
  bounce_to: withDefault(
    oneOf(
      "The senders that are sent bounces, delay warnings and reports. `authenticated`: senders whose address is confirmed by a relay rule, by an SPF pass of its domain, or by an aligned DKIM signature. Failed mail of other senders is on the postmaster's daily list. `all`: every sender, forged ones included.",
      ["authenticated", "all"],
    ),
    "authenticated",
  ),
  frozen_after: withDefault(
    duration(
      "Time for which a failed message stays frozen if no bounce may be sent, because its sender is null. Only time in which the relay runs counts. Then the message is removed, with an event and a line on the postmaster's list. Copies that are still due, and messages that the postmaster has frozen, are never removed.",
    ),
    "4d",
  ),
  warn_after: withDefault(
    durations("Ages of a message at which its sender is told that it is late, once at each age."),
    ["24h"],
  ),
  return_size_limit: withDefault(
    size("A bounce contains the whole message up to this size. Above it, only the header section."),
    "100K",
  ),
});

export const sections = {
  relay: nested("The relay itself.", relayOptions),
  listeners: tables("The addresses at which clients can connect.", listenerOptions),
  dns: withDefault(nested("Look-ups in the DNS.", dnsOptions), {}),
  domains: withDefault(
    named("Lists of domains, used elsewhere as `+name`.", domainList("A list of domains.")),
    {},
  ),
  hosts: withDefault(
    named("Lists of hosts, used elsewhere as `+name`.", hostList("A list of hosts.")),
    {},
  ),
  gate: nested(
    "The mail that clients may send, and to which recipients. Everything else is refused.",
    gateOptions,
  ),
  retry: withDefault(
    tables(
      "The times at which a deferred delivery is tried again. The first match decides.",
      retryOptions,
    ),
    [{ match: "*", rules: DEFAULT_RETRY }],
  ),
  replies: withDefault(
    tables(
      "The meaning of particular replies of particular hosts. Rows for Google's hosts are built in and come after these.",
      replyOptions,
    ),
    [],
  ),
  bounce: withDefault(nested("Reports to senders.", bounceOptions), {}),
  https: withDefault(
    nested(
      "HTTPS to hosts that other domains name: for their MTA-STS policy, and for reports on TLS.",
      httpsOptions,
    ),
    {},
  ),
};

export type HttpsOptions = Values<typeof httpsOptions>;
export type DnsOptions = Values<typeof dnsOptions>;
export type BounceOptions = Values<typeof bounceOptions>;

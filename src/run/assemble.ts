// Assembles the deciding components from a configuration: gate, routers, transports, lists. No spool and no port is
// needed, so the dry run uses it too.

import type { ExaminationServices } from "../receive/authentication/authentication.ts";
import { Inbound } from "../receive/authentication/inbound.ts";
import { preload } from "../receive/authentication/mailauth.ts";
import { builtInScanners } from "../receive/content/built-in.ts";
import type { Inspected } from "../receive/content/inspected.ts";
import type { Clock } from "../base/clock.ts";
import { type Configuration, hasAddressValues } from "../config/configuration.ts";
import type { Services, Transport } from "../contract/contract.ts";
import type { Scanner } from "../contract/scanner.ts";
import type { Resolver } from "../dns/dns.ts";
import { Gate } from "../receive/gate/gate.ts";
import { BlockLists } from "../receive/gate/dnsbl.ts";
import { createLists, type ListsWithRefresh } from "../lists/create-lists.ts";
import { ownAddresses } from "./listening.ts";
import { HostHints } from "../retry/hosts/hosts.ts";
import type { Outside } from "../parts/part.ts";
import { NO_POLICIES } from "../tls/sts-policies.ts";
import type { Log } from "../observe/log.ts";
import type { MaildirDisks } from "../disks/maildir-disks.ts";
import type { Https } from "../base/net/https.ts";
import { Common } from "./common.ts";
import type { Program } from "./processes/processes.ts";
import { type Rehearsal, rehearsedAnswers } from "../route/rehearsal.ts";
import { type ChainRouter, createRoute, preconditionsOf, type Route } from "../route/route.ts";
import { ReplyAlarms } from "../settle/alarms.ts";
import { retryPolicyOf } from "./settle-services.ts";
import { RecipientBudget } from "../receive/expansion.ts";
import { type HeaderBudgets, headerBudgets } from "../receive/header/header-budget.ts";
import { LoopShare } from "../base/loop-share.ts";

/** Everything that decides about mail, without a spool or a port: all that a dry run needs. */
export interface Chain {
  readonly gate: Gate;
  readonly route: Route;
  readonly transports: ReadonlyMap<string, Transport>;
  readonly lists: ListsWithRefresh;
  readonly rehearsal: Rehearsal;
  readonly resolver: Resolver;
  readonly outside: Outside;
  /** The scanners of the content of messages, in their order. */
  readonly scanners: readonly Scanner<Inspected>[];
  readonly hints: HostHints;
  /** The share of the event loop for examining messages. */
  readonly share: LoopShare;
  readonly headerBudgets: HeaderBudgets;
  close(): Promise<void>;
}

export interface RelayMeans {
  readonly clock: Clock;
  readonly log: Log;
  /** The way to policy hosts, if not that of the public Internet. */
  readonly https?: Https;
  /** Replaces the servers of [dns]. */
  readonly resolver?: Resolver;
  readonly maildirDisks?: MaildirDisks;
  readonly alarms?: ReplyAlarms;
  readonly headerBudgets?: HeaderBudgets;
  /** The memory that RCPT may use, over all sessions. */
  readonly recipientBudget?: RecipientBudget;
  /** Answers and files that several generations share. */
  readonly common?: Common;
  /** The program to run for a part with a process of its own. Absent: such processes are not started. */
  readonly program?: (part: string) => Program;
}

/** `readOnly` means a dry run: nothing on disk is changed. `hints` are the present hints of hosts. */
export function assemble(
  configuration: Configuration,
  means: RelayMeans,
  readOnly: boolean,
  hints = new HostHints(retryPolicyOf(configuration), means.clock),
): Chain {
  const { clock, log, common = new Common(configuration, means, readOnly) } = means;
  const { relay, gate, directory } = configuration;
  const { outside, hostSources, services: offered, leave } = common.take(configuration);
  const { resolver } = outside;
  const lists = createLists({
    ...listPartsOf(configuration),
    log,
    resolver,
    clock,
    readOnly,
    nameSources: common.nameSources,
    hostSources,
  });
  const services: Services = {
    clock,
    log,
    resolver,
    lists,
    hints,
    mtaSts: NO_POLICIES,
    ...offered,
    room: common.room,
    ...(means.maildirDisks && { maildirDisks: means.maildirDisks }),
    hostname: relay.hostname,
    ownAddresses: ownAddresses(configuration),
    configDirectory: directory,
  };
  const transports = transportsOf(configuration, services);
  const share = new LoopShare();
  if (judgesSignatures(gate)) void preload();
  return {
    gate: new Gate(gate, lists, new BlockLists(gate.dnsbl, resolver, log)),
    route: routeOf(configuration, services, common.rehearsal),
    transports,
    lists,
    rehearsal: common.rehearsal,
    resolver,
    outside,
    scanners: scannersOf(configuration, { resolver, clock, share }),
    hints,
    share,
    headerBudgets: means.headerBudgets ?? headerBudgets(),
    async close() {
      await Promise.all(Array.from(transports.values(), async (one) => one.close?.()));
      await lists.close();
      await leave();
    },
  };
}

function listPartsOf(configuration: Configuration) {
  const { lookups, domains, hosts, directory, relay } = configuration;
  return {
    lookups,
    domains: Object.fromEntries(domains),
    hosts: Object.fromEntries(hosts),
    configDirectory: directory,
    hasAddressValues: hasAddressValues(configuration),
    stateDirectory: relay.spool_directory,
  };
}

function judgesSignatures({ authentication, relay }: Configuration["gate"]): boolean {
  return authentication.policy !== "off" || relay.some(({ proof }) => proof?.dkim !== undefined);
}

function transportsOf({ transports }: Configuration, services: Services): Map<string, Transport> {
  return new Map(
    Array.from(transports.values(), ({ name, driver, options }) => [
      name,
      driver.create(options, services),
    ]),
  );
}

function routeOf(configuration: Configuration, services: Services, rehearsal: Rehearsal): Route {
  const { relay, gate } = configuration;
  const { log, lists } = services;
  const chain = chainOf(configuration, services);
  const local = lists.domains(gate.local_domains);
  return createRoute(chain, log, relay.addresses_max, local, rehearsal);
}

function chainOf(configuration: Configuration, services: Services): ChainRouter[] {
  const { routers, lookups, directory } = configuration;
  const { lists } = services;
  const rehearsed = rehearsedAnswers(
    routers.map(({ chain }) => chain),
    (scheme, argument) => lookups.get(scheme)?.nameOf(argument, directory) ?? argument,
  );
  return routers.map(({ name, chain, driver, options }) => ({
    name,
    router: driver.create(options, services),
    unseen: chain.unseen,
    more: chain.more,
    relayed: chain.relayed,
    restored: chain.restored,
    preconditions: preconditionsOf({
      domains: chain.domains && lists.domains(chain.domains),
      localParts: chain.local_parts && lists.localParts(chain.local_parts, chain.domains),
      senderDomains: chain.sender_domains && lists.domains(chain.sender_domains),
      senderLocalParts:
        chain.sender_local_parts &&
        lists.localParts(chain.sender_local_parts, chain.sender_domains),
      rehearsed: {
        localParts: rehearsed(chain.local_parts ?? []),
        senderLocalParts: rehearsed(chain.sender_local_parts ?? []),
      },
    }),
  }));
}

function scannersOf(
  { relay, gate }: Configuration,
  services: ExaminationServices,
): readonly Scanner<Inspected>[] {
  const { hostname, received_headers_max: receivedHeadersMax } = relay;
  const { policy } = gate.authentication;
  const inbound = policy === "off" ? undefined : new Inbound({ hostname, policy }, services);
  return builtInScanners({ ...services, receivedHeadersMax, inbound });
}

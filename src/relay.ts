// The composition root: the only file that knows all parts. From a configuration to a running relay, and back.
//
// Invariants: ports are bound before root is dropped, and answered only when the spool is open. Stopping begins at
// the front door and ends at the spool, so nothing that was promised is on its way when the spool closes.

import { rmSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { ExaminationServices } from "./authentication/examination.ts";
import { Inbound } from "./authentication/inbound.ts";
import { preload } from "./authentication/mailauth.ts";
import type { Clock } from "./clock.ts";
import type { Configuration } from "./config/configuration.ts";
import type { Services, Transport } from "./contract.ts";
import { CutThrough } from "./cut-through.ts";
import { createResolver } from "./dns/create-resolver.ts";
import type { Resolver } from "./dns/resolver.ts";
import { dropRoot } from "./drop-root.ts";
import { openControl } from "./control.ts";
import { controlSocket } from "./control/protocol.ts";
import { Gate } from "./gate.ts";
import { BlockLists } from "./gate/dnsbl.ts";
import { createLists, type ListsWithRefresh } from "./lists/create-lists.ts";
import { History, remembered } from "./history.ts";
import { historyDirectory } from "./history/days.ts";
import { Holds } from "./holds.ts";
import { bindListeners, limitsOf } from "./listening.ts";
import { HostHints, type HintStore } from "./hints.ts";
import { describeError, type Log } from "./log.ts";
import { MtaSts } from "./mta-sts.ts";
import type { Https } from "./mta-sts/fetch.ts";
import { Queue } from "./queue.ts";
import { createReception } from "./receive.ts";
import { limitRates } from "./receive/client-rates.ts";
import { RelayRates } from "./receive/relay-rates.ts";
import { DiskReserve, freeSpace } from "./receive/disk-reserve.ts";
import { BUILT_IN_REPLY_RULES, type RetryPolicy } from "./reply-rules.ts";
import { type ChainRouter, createRoute, preconditionsOf, type Route } from "./route.ts";
import type { SettleServices } from "./settle.ts";
import type { Reception } from "./smtp/reception.ts";
import { SmtpServer } from "./smtp/server.ts";
import type { Spool } from "./spool.ts";
import { SqliteSpool } from "./spool/sqlite-spool.ts";

/** What decides about mail, without a spool or a port: all that a dry run needs. */
export interface Chain {
  readonly gate: Gate;
  readonly route: Route;
  readonly transports: ReadonlyMap<string, Transport>;
  readonly lists: ListsWithRefresh;
  readonly resolver: Resolver;
  /** Absent when strangers' mail is to be left as it is. */
  readonly inbound: Inbound | undefined;
  readonly hints: HostHints;
  close(): Promise<void>;
}

export interface RelayParts {
  readonly clock: Clock;
  readonly log: Log;
  /** How policy hosts are reached, if not as all the world does. */
  readonly https?: Https;
}

export interface Relay {
  /** "127.0.0.1:2525", with the port that was really bound. */
  readonly addresses: readonly string[];
  readonly spool: Spool;
  readonly queue: Queue;
  /** Ends sessions and attempts in good order, or cuts them after `grace` ms. */
  stop(grace: number): Promise<void>;
}

/** `readOnly` is a dry run: nothing on disk is touched. */
export function assemble(
  configuration: Configuration,
  { clock, log, https }: RelayParts,
  readOnly: boolean,
): Chain {
  const { relay, dns, gate, domains, hosts, directory } = configuration;
  const { servers, dnssec } = dns;
  const resolver = createResolver({ clock, dnssec, ...(servers === undefined ? {} : { servers }) });
  const lists = createLists({
    domains: Object.fromEntries(domains),
    hosts: Object.fromEntries(hosts),
    configDirectory: directory,
    stateDirectory: relay.spool_directory,
    log,
    resolver,
    clock,
    readOnly,
  });
  const mtaSts = new MtaSts({
    clock,
    log,
    resolver,
    spoolDirectory: relay.spool_directory,
    readOnly,
    ...(https === undefined ? {} : { https }),
  });
  const hints = new HostHints(retryPolicyOf(configuration), clock);
  const services: Services = {
    clock,
    log,
    resolver,
    lists,
    hints,
    mtaSts,
    hostname: relay.hostname,
    ownAddresses: ownAddresses(configuration),
    configDirectory: directory,
  };
  const transports = new Map<string, Transport>();
  for (const { name, driver, options } of configuration.transports.values()) {
    transports.set(name, driver.create(options, services));
  }
  const chain = chainOf(configuration, services);
  if (judgesSignatures(gate)) void preload();
  return {
    gate: new Gate(gate, lists, new BlockLists(gate.dnsbl, resolver, log)),
    route: createRoute(chain, log),
    transports,
    lists,
    resolver,
    inbound: inboundOf(configuration, { resolver, clock }),
    hints,
    async close() {
      await Promise.all(Array.from(transports.values(), async (one) => one.close?.()));
      await mtaSts.close();
      await lists.close();
      await resolver.close();
    },
  };
}

function judgesSignatures({ authentication, relay }: Configuration["gate"]): boolean {
  return authentication.policy !== "off" || relay.some(({ proof }) => proof?.dkim !== undefined);
}

function chainOf({ routers }: Configuration, services: Services): ChainRouter[] {
  const { lists } = services;
  return routers.map(({ name, chain, driver, options }) => ({
    name,
    router: driver.create(options, services),
    unseen: chain.unseen,
    more: chain.more,
    cutthrough: chain.cutthrough,
    preconditions: preconditionsOf({
      domains: chain.domains && lists.domains(chain.domains),
      localParts: chain.local_parts && lists.localParts(chain.local_parts),
      senderDomains: chain.sender_domains && lists.domains(chain.sender_domains),
      senderLocalParts: chain.sender_local_parts && lists.localParts(chain.sender_local_parts),
    }),
  }));
}

/** Every address of this machine: mail for one of them is mail for us. */
function ownAddresses({ listeners }: Configuration): ReadonlySet<string> {
  const own = new Set(listeners.map(({ address }) => address.host));
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) own.add(address);
  }
  return own;
}

/** Throws when a port cannot be bound or the spool cannot be opened. */
export async function startRelay(configuration: Configuration, given: RelayParts): Promise<Relay> {
  const { clock } = given;
  const { relay } = configuration;
  // In reverse: what is in here is all that has been begun when something goes wrong.
  await using begun = new AsyncDisposableStack();
  const history = createHistory(configuration, given);
  const log = history === undefined ? given.log : remembered(given.log, history);
  const parts = { ...given, log };
  const chain = assemble(configuration, parts, false);
  begun.defer(() => chain.close());
  const { lists, hints } = chain;
  const server = createServer(configuration, chain, parts);
  begun.defer(() => server.stop(0));
  const addresses = await bindListeners(server, configuration, lists);
  if (relay.user !== undefined) dropRoot(relay.user, relay.spool_directory);

  const spool = await SqliteSpool.open(relay.spool_directory, clock, log);
  begun.defer(() => spool.close());
  history?.start();
  begun.defer(() => history?.close());
  const holds = new Holds(await spool.holds(), spool);
  const queue = createQueue(configuration, chain, { spool, holds }, parts);
  hints.attach(hintStore(spool, queue, log), await spool.hints());
  void lists.refresh();
  begun.defer(async () => {
    await server.stop(0);
    await queue.stop(0);
  });
  server.open(receptionOf(configuration, chain, { spool, queue }, parts));
  queue.wake();
  const control = await openControl(controlSocket(relay), {
    spool,
    holds,
    settle: settleServicesOf(configuration, spool, log),
    clock,
    log,
    wake: () => queue.wake(),
  });
  log.event("relay.started", { listeners: addresses, queued: await spool.count() });

  begun.move();
  return {
    addresses,
    spool,
    queue,
    async stop(grace) {
      await control.close();
      await server.stop(grace);
      await queue.stop(grace);
      await chain.close();
      await spool.close();
      await history?.close();
      log.event("relay.stopped", {});
    },
  };
}

function receptionOf(
  configuration: Configuration,
  chain: Chain,
  { spool, queue }: Pick<Relay, "spool" | "queue">,
  parts: RelayParts,
): Reception {
  const { relay } = configuration;
  const { clock, log } = parts;
  const reception = createReception({
    hostname: relay.hostname,
    receivedHeadersMax: relay.received_headers_max,
    ...chain,
    spool,
    reserve: createReserve(configuration, parts),
    rates: new RelayRates(configuration.gate.relay, clock),
    clock,
    log,
    queue,
    cutThrough: new CutThrough({ transports: chain.transports, clock, log }),
  });
  return withRates(reception, configuration, chain.gate, parts);
}

/** Undefined when strangers' mail is to be left as it is. */
function inboundOf(
  { relay, gate }: Configuration,
  services: ExaminationServices,
): Inbound | undefined {
  const { policy } = gate.authentication;
  return policy === "off" ? undefined : new Inbound({ hostname: relay.hostname, policy }, services);
}

function createReserve({ relay }: Configuration, { clock, log }: RelayParts): DiskReserve {
  return new DiskReserve({
    bytes: relay.spool_reserve,
    inodes: relay.spool_reserve_inodes,
    measure: () => freeSpace(relay.spool_directory),
    clock,
    log,
  });
}

/** Undefined when none is to be kept: then what there is of it goes too. */
export function createHistory(
  { relay }: Configuration,
  { clock, log }: RelayParts,
): History | undefined {
  const { history: keep, spool_directory: spoolDirectory } = relay;
  if (keep > 0) return new History({ spoolDirectory, keep }, clock, log);
  rmSync(historyDirectory(spoolDirectory), { recursive: true, force: true });
  return undefined;
}

function retryPolicyOf({ retry, replies }: Configuration): RetryPolicy {
  return { retry, replies: [...replies, ...BUILT_IN_REPLY_RULES] };
}

function createServer(
  configuration: Configuration,
  { gate }: Chain,
  { clock, log }: RelayParts,
): SmtpServer {
  const { relay } = configuration;
  const options = {
    limits: limitsOf(configuration),
    connectionsMax: relay.connections_max,
    connectionsPerClientMax: relay.connections_per_client_max,
    connectionsPerNetworkMax: relay.connections_per_network_max,
    isReserved: (address: string) => gate.isRelayHost(address),
  };
  return new SmtpServer(options, clock, log);
}

function withRates(
  reception: Reception,
  { relay }: Configuration,
  gate: Gate,
  { clock, log }: RelayParts,
): Reception {
  return limitRates(reception, {
    messages: relay.messages_per_client_rate,
    recipients: relay.recipients_per_client_rate,
    refusedRecipients: relay.refused_recipients_per_client_rate,
    isExempt: (address) => gate.isRelayHost(address),
    clock,
    log,
  });
}

function createQueue(
  configuration: Configuration,
  { route, transports, hints }: Chain,
  { spool, holds }: { readonly spool: Spool; readonly holds: Holds },
  { clock, log }: RelayParts,
): Queue {
  const settle = settleServicesOf(configuration, spool, log);
  return new Queue({ spool, route, transports, clock, log, settle, hints, holds });
}

export function settleServicesOf(
  configuration: Configuration,
  spool: Pick<Spool, "nextId">,
  log: Log,
): SettleServices {
  const { relay, bounce } = configuration;
  return {
    hostname: relay.hostname,
    ...retryPolicyOf(configuration),
    warnAfter: bounce.warn_after,
    returnSizeLimit: bounce.return_size_limit,
    log,
    spool,
  };
}

/** A hint that cannot be saved, or nobody woken, is no reason to stop. */
function hintStore(spool: Spool, queue: Queue, log: Log): HintStore {
  const failed = (error: unknown) => log.event("spool.failed", { error: describeError(error) });
  return {
    saveHint: (key, hint) => void spool.saveHint(key, hint).catch(failed),
    async wake(key, most) {
      try {
        const woken = await spool.wake(key, most);
        if (woken > 0) queue.wake();
        return woken;
      } catch (error) {
        failed(error);
        return 0;
      }
    },
  };
}

// The composition root: the only file that knows all parts. From a configuration to a running relay, and back.
//
// Invariants: ports are bound before root is dropped, and answered only when the spool is open. Stopping begins at
// the front door and ends at the spool, so nothing that was promised is on its way when the spool closes.
//
// Doors: built-in-drivers.ts, common.ts, drop-root.ts, foreign-files.ts, settle-services.ts.

import type { ExaminationServices } from "../receive/authentication/authentication.ts";
import { Inbound } from "../receive/authentication/inbound.ts";
import { preload } from "../receive/authentication/mailauth.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { ClockSteps, type Elapsed } from "../base/clock-steps.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Services, Transport } from "../contract/contract.ts";
import { CutThrough } from "../deliver/cut-through/cut-through.ts";
import type { Resolver } from "../dns/dns.ts";
import { leaveRoot } from "./leave-root.ts";
import { type Control, openControl } from "./control/control.ts";
import { controlSocket } from "./control/protocol.ts";
import { Gate } from "../receive/gate/gate.ts";
import { BlockLists } from "../receive/gate/dnsbl.ts";
import { createLists, type ListsWithRefresh } from "../lists/create-lists.ts";
import { createHistory, remembered, startHistory } from "../observe/history/history.ts";
import { Holds } from "../queue/holds.ts";
import { bindListeners, ownAddresses, serverOptionsOf } from "./listening.ts";
import { HostHints, RESUMED_MAX } from "../retry/hosts/hosts.ts";
import { hintStore } from "../retry/hosts/hint-store.ts";
import type { Log } from "../observe/log.ts";
import { MaildirDisks } from "../maildir/maildir-disks.ts";
import type { Https } from "../base/net/https.ts";
import { Outbox } from "../outbox/outbox.ts";
import { watchClock } from "../queue/watch-clock.ts";
import { Queue, type QueueChain } from "../queue/queue.ts";
import { createReception } from "../receive/receive.ts";
import { Common } from "./common.ts";
import { Generations } from "./generations.ts";
import { type PutInForce, Reloading, withFixedOptions } from "./reload.ts";
import { RelayRates } from "../receive/relay-rates.ts";
import { reserveOf, withRates } from "../receive/configured.ts";
import { type ChainRouter, createRoute, preconditionsOf, type Route } from "../route/route.ts";
import { ReplyAlarms } from "../settle/alarms.ts";
import {
  closeOwnMail,
  followOwnMail,
  type OwnMail,
  openOwnMail,
  startOwnMail,
} from "./own-mail.ts";
import { retryPolicyOf, type SettleMeans, settleServicesOf } from "./settle-services.ts";
import { RecipientBudget } from "../receive/expansion.ts";
import { type HeaderBudgets, headerBudgets } from "../receive/authentication/header-budget.ts";
import { LoopShare } from "../base/loop-share.ts";
import type { Reception } from "../smtp/server/reception.ts";
import { SmtpServer } from "../smtp/server/server.ts";
import type { Spool } from "../spool/spool.ts";
import { finish } from "./stopping.ts";
import { SqliteSpool } from "../spool/sqlite/sqlite.ts";
import { TlsReports } from "../parts/tls-reports/tls-reports.ts";
import type { TlsSessions } from "../tls/sessions.ts";
import type { WrittenDirectory } from "../base/durable/directory.ts";

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
  /** For what messages are examined for. */
  readonly share: LoopShare;
  readonly headerBudgets: HeaderBudgets;
  close(): Promise<void>;
}

export interface RelayParts {
  readonly clock: Clock;
  readonly log: Log;
  /** How policy hosts are reached, if not as all the world does. */
  readonly https?: Https;
  /** Who counts how TLS goes. */
  readonly tlsSessions?: TlsSessions;
  readonly maildirDisks?: MaildirDisks;
  readonly alarms?: ReplyAlarms;
  readonly headerBudgets?: HeaderBudgets;
  /** What RCPT keeps, in all sessions. */
  readonly recipientBudget?: RecipientBudget;
  /** What other generations have too. */
  readonly common?: Common;
}

/** Those of a relay that runs. */
interface RunningParts extends RelayParts {
  readonly elapsed: Elapsed;
}

export interface Relay {
  /** "127.0.0.1:2525", with the port that was really bound. */
  readonly addresses: readonly string[];
  readonly spool: Spool;
  readonly queue: Queue;
  /** Reads the configuration again. */
  readonly reload: Reloading["reload"];
  /** Ends sessions and attempts in good order, or cuts what is left of them after `grace` ms. */
  stop(grace: number): Promise<void>;
}

/** `readOnly` is a dry run: nothing on disk is touched. `hints` are what is known already. */
export function assemble(
  configuration: Configuration,
  parts: RelayParts,
  readOnly: boolean,
  hints = new HostHints(retryPolicyOf(configuration), parts.clock),
): Chain {
  const { clock, log, tlsSessions, common = new Common(configuration, parts, readOnly) } = parts;
  const { relay, gate, domains, hosts, directory } = configuration;
  const { resolver, spf, mtaSts, leave } = common.take(configuration);
  const lists = createLists({
    domains: Object.fromEntries(domains),
    hosts: Object.fromEntries(hosts),
    configDirectory: directory,
    stateDirectory: relay.spool_directory,
    log,
    resolver,
    clock,
    readOnly,
    files: common.files,
    spf,
  });
  const services: Services = {
    clock,
    log,
    resolver,
    lists,
    hints,
    mtaSts,
    room: common.room,
    ...(tlsSessions && { tlsSessions }),
    ...(parts.maildirDisks && { maildirDisks: parts.maildirDisks }),
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
    route: createRoute(chain, log, relay.addresses_max, lists.domains(gate.local_domains)),
    transports,
    lists,
    resolver,
    inbound: inboundOf(configuration, { resolver, clock }),
    hints,
    share: new LoopShare(),
    headerBudgets: parts.headerBudgets ?? headerBudgets(),
    async close() {
      await Promise.all(Array.from(transports.values(), async (one) => one.close?.()));
      await lists.close();
      await leave();
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
    relayed: chain.relayed,
    preconditions: preconditionsOf({
      domains: chain.domains && lists.domains(chain.domains),
      localParts: chain.local_parts && lists.localParts(chain.local_parts),
      senderDomains: chain.sender_domains && lists.domains(chain.sender_domains),
      senderLocalParts: chain.sender_local_parts && lists.localParts(chain.sender_local_parts),
    }),
  }));
}

/** Throws when a port cannot be bound or the spool cannot be opened. */
export async function startRelay(configuration: Configuration, given: RelayParts): Promise<Relay> {
  const { clock } = given;
  const { relay } = configuration;
  // In reverse: what is in here is all that has been begun when something goes wrong.
  await using begun = new AsyncDisposableStack();
  const history = createHistory(configuration, given);
  const log = history === undefined ? given.log : remembered(given.log, history);
  const tlsReports = new TlsReports({ ...relay, ...given, log });
  const parts = lastingParts(configuration, { ...given, log, tlsReports });
  const chain = begun.adopt(assemble(configuration, parts, false), (one) => one.close());
  const server = new SmtpServer(serverOptionsOf(configuration, chain.gate), clock, log);
  begun.defer(() => server.stop(0));
  const addresses = await bindListeners(server, configuration, chain.lists);
  const { looked } = await leaveRoot(relay, directoriesOf(chain), parts);
  const spool = await SqliteSpool.open(relay.spool_directory, clock, log);
  begun.defer(() => spool.close());
  startHistory(history, relay.spool_directory);
  begun.defer(() => history?.close());
  const holds = new Holds(await spool.holds(), spool);
  const outbox = new Outbox(relay, { spool, log, wake: () => queue.wake() });
  const first = queueChain(configuration, chain, { ...parts, outbox });
  const [{ hints }, { elapsed }] = [chain, parts];
  const queue = new Queue({ spool, ...first, clock, log, hints, holds, room: parts.common.room });
  hints.attach(hintStore(spool, queue, log), await spool.hints());
  const watch = begun.adopt(watchClock(elapsed, { spool, queue, log }), (one) => one.cancel());
  void chain.lists.refresh();
  const services = { ...parts, spool, queue, outbox };
  const [ownMail] = await Promise.all([openOwnMail(configuration, chain, services), looked]);
  begun.defer(async () => {
    await server.stop(0);
    await queue.stop(0);
    await closeOwnMail(ownMail);
  });
  const reception = receptionOf(configuration, chain, { spool, queue }, parts);
  const generations = new Generations({ configuration, chain, reception }, queue, clock);
  server.open(generations.reception);
  queue.wake();
  hints.resume(await spool.awaited(RESUMED_MAX));
  startOwnMail(ownMail);
  const lasting = { server, queue, spool, generations, hints, ...ownMail, watch };
  const reloading = new Reloading(configuration.file, replacing(lasting, parts), log);
  const control = await controlOf(lasting, { ...parts, holds, reloading });
  log.event("relay.started", { listeners: addresses, queued: await spool.count() });

  begun.move();
  return {
    addresses,
    spool,
    queue,
    reload: (wanted) => reloading.reload(wanted),
    async stop(grace) {
      await control.close();
      await reloading.stop();
      await end(lasting, grace, clock);
      await history?.close();
      log.event("relay.stopped", {});
    },
  };
}

/** What is the same whichever configuration is in force. */
function lastingParts<Given extends RelayParts & Pick<OwnMail, "tlsReports">>(
  configuration: Configuration,
  given: Given,
) {
  const budgets = { headerBudgets: headerBudgets(), recipientBudget: new RecipientBudget() };
  const { clock, log, tlsReports: tlsSessions } = given;
  const clocks = { elapsed: new ClockSteps(clock), alarms: new ReplyAlarms(clock, log) };
  const shared = { ...clocks, tlsSessions, maildirDisks: new MaildirDisks(given) };
  const parts = { ...given, ...shared, ...budgets };
  return { ...parts, common: new Common(configuration, parts, false) };
}

/** In good order: the front door first, the spool last. */
async function end(lasting: Lasting, grace: number, clock: Clock): Promise<void> {
  lasting.watch.cancel();
  await finish(lasting, grace, clock);
  await closeOwnMail(lasting);
  await lasting.generations.close();
  await lasting.spool.close();
}

/** Each once. */
function directoriesOf({ transports }: Chain): readonly WrittenDirectory[] {
  const directories = [...transports.values()].flatMap(({ directory }) => directory ?? []);
  return [...new Map(directories.map((one) => [one.path, one])).values()];
}

interface Lasting extends Pick<Relay, "spool" | "queue">, OwnMail {
  readonly server: SmtpServer;
  readonly generations: Generations;
  readonly hints: HostHints;
  readonly watch: Timer;
}

/** Puts a new configuration in the place of the one in force, in one step, when nothing can fail any more. */
function replacing(lasting: Lasting, parts: RunningParts): PutInForce {
  const { server, queue, outbox, generations, hints } = lasting;
  return async (wanted, { acceptLists = false }) => {
    const { next, kept } = withFixedOptions(generations.current.configuration, wanted);
    const chain = assemble(next, parts, false, hints);
    let listeners: readonly string[];
    try {
      listeners = await bindListeners(server, next, chain.lists);
    } catch (error) {
      await chain.close();
      throw error;
    }
    const reception = receptionOf(next, chain, lasting, parts);
    generations.follow({ configuration: next, chain, reception });
    server.follow(serverOptionsOf(next, chain.gate));
    queue.follow(queueChain(next, chain, { ...parts, outbox }));
    hints.follow(retryPolicyOf(next));
    followOwnMail(lasting, next, chain);
    void chain.lists.refresh();
    return { listeners, kept, ...(acceptLists ? { lists: await chain.lists.accept() } : {}) };
  };
}

function controlOf(
  { spool, queue, generations, hints }: Lasting,
  parts: RunningParts & { holds: Holds; reloading: Reloading },
): Promise<Control> {
  const { holds, clock, log } = parts;
  return openControl(controlSocket(generations.current.configuration.relay), {
    spool,
    holds,
    hints,
    clock,
    log,
    get settle() {
      return queue.settle;
    },
    wake: () => queue.wake(),
    reload: (wanted) => parts.reloading.reload(wanted),
  });
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
    reserve: reserveOf(relay, parts),
    rates: new RelayRates(configuration.gate.relay, clock),
    clock,
    log,
    queue,
    cutThrough: new CutThrough({ transports: chain.transports, clock, log }),
    addressesMax: relay.addresses_max,
    recipients: parts.recipientBudget ?? new RecipientBudget(),
  });
  return withRates(reception, relay, chain.gate, parts);
}

/** Undefined when strangers' mail is to be left as it is. */
function inboundOf(
  { relay, gate }: Configuration,
  services: Pick<ExaminationServices, "resolver" | "clock">,
): Inbound | undefined {
  const { policy } = gate.authentication;
  return policy === "off" ? undefined : new Inbound({ hostname: relay.hostname, policy }, services);
}

function queueChain(
  configuration: Configuration,
  chain: Chain,
  means: SettleMeans & Pick<RelayParts, "clock">,
): QueueChain {
  const { gate, route, transports } = chain;
  const asked = { ...chain, clock: means.clock };
  return { gate, route, transports, settle: settleServicesOf(configuration, means, asked) };
}

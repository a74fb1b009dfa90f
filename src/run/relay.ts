// The composition root: the only file that knows all parts. It turns a configuration into a running relay and stops it.
//
// Invariant: ports are bound before root is dropped, and clients are served only when the spool is open.
//
// Doors: assemble.ts, events.ts, host-lists.ts, offline-queue.ts, serve-part.ts.

import { ClockSteps, type Elapsed } from "../base/clock-steps.ts";
import type { Configuration } from "../config/configuration.ts";
import type { WrittenDirectory } from "../base/durable/directory.ts";
import { CutThrough } from "../deliver/cut-through/cut-through.ts";
import { leaveRoot } from "./leave-root.ts";
import { assemble, type Chain, type RelayMeans } from "./assemble.ts";
import { parts } from "../parts.ts";
import { PartProcesses } from "./processes/processes.ts";
import { heardLog, type RunningParts } from "./running-parts.ts";
import { Servers } from "./servers.ts";
import { FrozenMail } from "../settle/frozen-mail.ts";
import { type Control, openControl } from "./control/control.ts";
import { controlSocket } from "./control/protocol.ts";
import { createHistory, rememberingLog, startHistory } from "../observe/history/history.ts";
import { Holds } from "../queue/holds.ts";
import { bindListeners, serverOptionsOf } from "./listening.ts";
import { HostHints, RESUMED_MAX } from "../retry/hosts/hosts.ts";
import { hintStore } from "../retry/hosts/hint-store.ts";
import { SharedDisks } from "../disks/disks.ts";
import type { Mailbox } from "../mail/envelope.ts";
import { Outbox } from "../outbox/outbox.ts";
import { watchClock } from "../queue/watch-clock.ts";
import { Queue, type QueueChain } from "../queue/queue.ts";
import type { PartMail } from "../parts/part.ts";
import { viewQueue } from "./offline-queue.ts";
import { createReception } from "../receive/receive.ts";
import { Common } from "./common.ts";
import { type Generation, Generations } from "./generations.ts";
import { withFixedOptions } from "../config/load.ts";
import { type PutInForce, Reloading } from "./reload.ts";
import { hostLists } from "./host-lists.ts";
import { playedReception } from "../receive/played-reception.ts";
import { RelayRates } from "../receive/relay-rates.ts";
import { reserveOf, withRates } from "../receive/configured.ts";
import { ReplyAlarms } from "../settle/alarms.ts";
import { retryPolicyOf, type SettleMeans, settleServicesOf } from "./settle-services.ts";
import { RecipientBudget } from "../receive/expansion.ts";
import { headerBudgets } from "../receive/header/header-budget.ts";
import type { Reception } from "../smtp/server/reception.ts";
import { SmtpServer } from "../smtp/server/server.ts";
import type { Spool } from "../spool/spool.ts";
import { spoolEngine } from "./spool-engine.ts";
import { shutDown, Started } from "./shutdown.ts";

/** Milliseconds that the clients of a part's process have to finish when a reload ends it. */
const PART_GRACE = 10_000;

/** The services of a running relay. */
interface RunningMeans extends RelayMeans {
  readonly elapsed: Elapsed;
}

export interface Relay {
  /** "127.0.0.1:2525", with the port that is actually bound. */
  readonly addresses: readonly string[];
  readonly spool: Spool;
  readonly queue: Queue;
  /** Reads the configuration again and applies it. */
  readonly reload: Reloading["reload"];
  /** Lets sessions and attempts finish, and cuts the rest after `grace` ms. */
  stop(grace: number): Promise<void>;
}

/** Throws when a port cannot be bound or the spool cannot be opened. */
export async function startRelay(configuration: Configuration, given: RelayMeans): Promise<Relay> {
  const started = new Started();
  // If the start fails, everything that has been started is stopped, as a running relay is.
  await using failing = new AsyncDisposableStack();
  failing.defer(() => started.stop(0));
  const relay = await start(started, configuration, given);
  failing.move();
  return relay;
}

/** Sets in `started` how each thing that it starts is stopped. */
async function start(
  started: Started,
  configuration: Configuration,
  given: RelayMeans,
): Promise<Relay> {
  const [{ clock }, { relay }] = [given, configuration];
  const history = createHistory(configuration, given);
  const remembering = history === undefined ? given.log : rememberingLog(given.log, history);
  const means = lastingMeans(configuration, { ...given, log: remembering });
  const { log } = means;
  const chain = assemble(configuration, means, false);
  started.set("generations", () => chain.close());
  const { server, processes, addresses } = await bind(started, configuration, chain, means);
  const { looked } = await leaveRoot(relay, directoriesOf(configuration, chain), means);
  const spool = await spoolEngine.open(relay.spool_directory, { clock, log });
  started.set("spool", () => spool.close());
  startHistory(history, relay.spool_directory);
  started.set("history", () => history?.close());
  const holds = new Holds(await spool.holds(), spool, means.common.rehearsal);
  const outbox = new Outbox(relay, { spool, log, wake: () => queue.wake() });
  const first = queueChain(configuration, chain, { ...means, outbox });
  const [{ hints }, { elapsed }] = [chain, means];
  const queue = new Queue({ spool, ...first, clock, log, hints, holds, room: means.common.room });
  hints.attach(hintStore(spool, queue, log), await spool.hints());
  started.set("mail", (grace) => shutDown({ server, queue, processes }, grace, clock));
  const watch = watchClock(elapsed, { spool, queue, log });
  started.set("clock", () => watch.cancel());
  void chain.lists.refresh();
  const running = means.common.parts;
  const mail = partMail(relay.spool_directory, { outbox, spool, holds, queue }, means.common);
  await Promise.all([running.begin(configuration, chain.outside, mail), looked]);
  const frozenMail = new FrozenMail(configuration.bounce.frozen_after, { ...means, spool });
  started.set("parts", () => Promise.all([running.close(), frozenMail.close()]));
  const reception = receptionOf(configuration, chain, { spool, queue, holds }, means);
  const generations = new Generations({ configuration, chain, reception }, queue, clock);
  started.set("generations", () => generations.close());
  server.open(generations.reception);
  queue.wake();
  hints.resume(await spool.awaited(RESUMED_MAX));
  frozenMail.start();
  await processes.follow(configuration, 0);
  const serving = { server, queue, processes, parts: running, frozenMail };
  const lasting = { ...serving, spool, outbox, generations, hints, holds };
  const reloading = new Reloading(configuration.file, replacing(lasting, means), log);
  started.set("reloading", () => reloading.stop());
  const control = await controlOf(lasting, { ...means, reloading });
  started.set("control", () => control.close());
  log.event("relay.started", { listeners: addresses, queued: await spool.count() });
  return {
    addresses,
    spool,
    queue,
    reload: (wanted) => reloading.reload(wanted),
    async stop(grace) {
      await started.stop(grace);
      log.event("relay.stopped", {});
    },
  };
}

function partMail(
  directory: string,
  { queue, ...rest }: Pick<PartMail, "outbox" | "spool" | "holds"> & { readonly queue: Queue },
  { rehearsal }: Common,
): PartMail {
  return { ...rest, rehearsal, view: () => viewQueue(directory), wake: () => queue.wake() };
}

/** Binds all ports, which may need root. */
async function bind(
  started: Started,
  configuration: Configuration,
  chain: Chain,
  means: RunningMeans,
) {
  const options = serverOptionsOf(configuration, chain.gate);
  const smtp = new SmtpServer(options, means.clock, means.log);
  const server = new Servers(smtp, means.common?.parts.servers ?? []);
  server.follow(options);
  const processes = new PartProcesses(parts, means);
  started.set("mail", (grace) => Promise.all([server.stop(grace), processes.close(grace)]));
  const addresses = await bindListeners(server, configuration, chain.lists);
  await processes.bind(configuration);
  return { server, processes, addresses };
}

/** The objects that stay the same under every configuration. */
function lastingMeans<Given extends RelayMeans>(configuration: Configuration, given: Given) {
  const budgets = { headerBudgets: headerBudgets(), recipientBudget: new RecipientBudget() };
  const { clock } = given;
  let common: Common | undefined;
  const log = heardLog(given.log, () => common?.parts);
  const heard = { ...given, log };
  const clocks = { elapsed: new ClockSteps(clock), alarms: new ReplyAlarms(clock, log) };
  const shared = { ...clocks, maildirDisks: new SharedDisks(heard) };
  const means = { ...heard, ...shared, ...budgets };
  common = new Common(configuration, means, false);
  return { ...means, common };
}

/** The directories of all transports and of the parts' processes, each once. */
function directoriesOf(
  configuration: Configuration,
  { transports }: Chain,
): readonly WrittenDirectory[] {
  const directories = [
    ...[...transports.values()].flatMap(({ directory }) => directory ?? []),
    ...parts.flatMap(
      ({ process: own }) => own?.directories?.(configuration.parts, configuration) ?? [],
    ),
  ];
  return [...new Map(directories.map((one) => [one.path, one])).values()];
}

interface Lasting extends Pick<Relay, "spool" | "queue"> {
  readonly outbox: Outbox;
  readonly parts: RunningParts;
  readonly processes: PartProcesses;
  readonly frozenMail: FrozenMail;
  readonly server: Servers;
  readonly generations: Generations<Generation & { readonly chain: Chain }>;
  readonly hints: HostHints;
  readonly holds: Holds;
}

/** Replaces the configuration in force by a new one, in one step, after everything that can fail. */
function replacing(lasting: Lasting, means: RunningMeans): PutInForce {
  const { server, queue, outbox, generations, hints, processes } = lasting;
  return async (wanted, { acceptLists = false }) => {
    const { next, kept } = withFixedOptions(generations.current.configuration, wanted);
    const chain = assemble(next, means, false, hints);
    let listeners: readonly string[];
    try {
      await processes.bind(next);
      listeners = await bindListeners(server, next, chain.lists);
    } catch (error) {
      await processes.follow(generations.current.configuration, PART_GRACE);
      await chain.close();
      throw error;
    }
    const reception = receptionOf(next, chain, lasting, means);
    generations.follow({ configuration: next, chain, reception });
    server.follow(serverOptionsOf(next, chain.gate));
    queue.follow(queueChain(next, chain, { ...means, outbox }));
    hints.follow(retryPolicyOf(next));
    lasting.outbox.follow(next.relay);
    lasting.parts.follow(next, chain.outside);
    await processes.follow(next, PART_GRACE);
    lasting.frozenMail.follow(next.bounce);
    void chain.lists.refresh();
    return { listeners, kept, ...(acceptLists ? { lists: await chain.lists.accept() } : {}) };
  };
}

function controlOf(
  { spool, queue, generations, hints, holds, server }: Lasting,
  means: RunningMeans & { reloading: Reloading },
): Promise<Control> {
  const { clock, log } = means;
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
    reload: (wanted) => means.reloading.reload(wanted),
    hosts: (order) => hostLists(generations.current, order),
    partOrder: (path) => means.common?.parts.order(path),
    play: (socket, address) =>
      server.smtp.play(socket, address, playedReception(generations.current.chain.gate)),
  });
}

function receptionOf(
  configuration: Configuration,
  chain: Chain,
  { spool, queue, holds }: Pick<Lasting, "spool" | "queue" | "holds">,
  means: RelayMeans,
): Reception {
  const { relay } = configuration;
  const { clock, log } = means;
  const isQueued = (transport: string, to: Mailbox) => holds.isQueued(transport, to);
  const reception = createReception({
    hostname: relay.hostname,
    ...chain,
    spool,
    reserve: reserveOf(relay, means),
    rates: new RelayRates(configuration.gate.relay, clock),
    clock,
    log,
    queue,
    cutThrough: new CutThrough({
      routers: passingOn(configuration),
      ...chain,
      isQueued,
      clock,
      log,
    }),
    addressesMax: relay.addresses_max,
    recipients: means.recipientBudget ?? new RecipientBudget(),
  });
  return withRates(reception, relay, chain.gate, means);
}

/** The routers that ask for cut-through. */
function passingOn({ routers }: Configuration): ReadonlySet<string> {
  return new Set(routers.filter(({ chain }) => chain.cutthrough).map(({ name }) => name));
}

function queueChain(
  configuration: Configuration,
  chain: Chain,
  means: SettleMeans & Pick<RelayMeans, "clock">,
): QueueChain {
  const { gate, route, transports } = chain;
  const asked = { ...chain, clock: means.clock };
  return { gate, route, transports, settle: settleServicesOf(configuration, means, asked) };
}

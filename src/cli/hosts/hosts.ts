// relayctl hosts show and hosts refresh: what the lists of [hosts] hold. A running relay is asked, since its answer is the
// one in force. Without one, `show` reads the answers on disk, and `refresh` asks the DNS and keeps the answers there.

import { systemClock } from "../../base/clock.ts";
import { given } from "../../base/given.ts";
import { printJson, print, warn } from "../../base/terminal.ts";
import { becomeOwnerOf } from "../../base/users.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import type { HostListDescription } from "../../lists/create-lists.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { assemble } from "../../run/assemble.ts";
import { askForHosts, NoRelay } from "../../run/control/client.ts";
import { controlSocket, type HostsOrder } from "../../run/control/protocol.ts";
import { hostLists } from "../../run/host-lists.ts";
import { requireConfiguration } from "../configuration-file.ts";
import { hostListsJson, hostListsText } from "./format.ts";

/** Exit 0, or 1 if no list has the name. */
export async function hostsShow(
  name: string | undefined,
  { config, json }: Given,
): Promise<number> {
  const { lists } = await described({ refresh: false, ...given({ name }) }, config);
  await write(lists, json);
  return EXIT.ok;
}

/** Exit 0, 1 if no list has the name, or 69 if the DNS has given no usable answer for one. */
export async function hostsRefresh(
  name: string | undefined,
  { config, json }: Given,
): Promise<number> {
  const { lists, relayTold } = await described({ refresh: true, ...given({ name }) }, config);
  await write(lists, json);
  const failed = lists.flatMap(({ lookups }) => lookups).some(({ error }) => error !== undefined);
  if (!relayTold && !json) {
    warn(failed ? "No relay runs." : "No relay runs: the answers are on disk for its next start.");
  }
  return failed ? EXIT.unavailable : EXIT.ok;
}

async function write(lists: readonly HostListDescription[], json: boolean): Promise<void> {
  const now = systemClock.now();
  if (json) await printJson({ lists: hostListsJson(lists, now) });
  else await print(hostListsText(lists, now));
}

interface Described {
  readonly lists: readonly HostListDescription[];
  readonly relayTold: boolean;
}

/** Throws CommandError if no list has the name, or if a relay runs and gives no answer. */
async function described(order: HostsOrder, file: string | undefined): Promise<Described> {
  const configuration = await requireConfiguration(file);
  const answer = (await fromRelay(order, configuration)) ?? (await fromHere(order, configuration));
  const { name } = order;
  if (name === undefined || answer.lists.length > 0) return answer;
  const names = [...configuration.hosts.keys()].join(", ") || "none";
  throw new CommandError(`[hosts] has no list "${name}"; there are: ${names}`, EXIT.notDone);
}

/** Undefined if no relay runs, or if it may not be asked and the order changes nothing. */
async function fromRelay(
  order: HostsOrder,
  { relay }: Configuration,
): Promise<Described | undefined> {
  try {
    const answer = await askForHosts(controlSocket(relay), order);
    if (!("error" in answer)) return { ...answer, relayTold: true };
    throw new CommandError(answer.error, EXIT.unavailable);
  } catch (error) {
    if (error instanceof NoRelay || (!order.refresh && isDenied(error))) return undefined;
    if (error instanceof CommandError) throw error;
    throw new CommandError(describeError(error), EXIT.unavailable);
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && /EACCES|EPERM/.test(error.message);
}

/** Reads the answers on disk; with `refresh`, asks the DNS and writes them there. */
async function fromHere(order: HostsOrder, configuration: Configuration): Promise<Described> {
  const { relay } = configuration;
  if (order.refresh) becomeOwnerOf(relay.spool_directory, relay.user);
  const means = { clock: systemClock, log: unreadable };
  const chain = assemble(configuration, means, !order.refresh);
  try {
    return { ...(await hostLists({ configuration, chain }, order)), relayTold: false };
  } finally {
    await chain.close();
  }
}

/** An error of a list stands in the output. */
const unreadable: Log = { event: () => undefined };

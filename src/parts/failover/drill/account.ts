// The account of a drill: whether this address is free for it, where the routers keep its copies, and which way its mail
// goes.
//
// Invariant: an address that a user, an account or a Maildir has already is refused, and so is one whose mail leads to
// another address or into a Maildir that is not its own.

import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { readAccounts } from "../../../accounts/accounts.ts";
import { type Configuration, firstLocalDomain } from "../../../config/configuration.ts";
import type { Transport } from "../../../contract/contract.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { parseMailbox } from "../../../mail/address.ts";
import type { Mailbox } from "../../../mail/envelope.ts";
import type { Log } from "../../../observe/log.ts";
import type { RoutedDelivery } from "../../../route/route.ts";
import { usersFileOf } from "../../../users/options.ts";
import { readUsers } from "../../../users/users.ts";
import type { CommandMeans } from "../../part.ts";
import { requireSection } from "../command.ts";
import { DRILL_NAME } from "./record.ts";

/** Where the routers lead mail from the account to itself. */
export interface DrillPlaces {
  /** The Maildir for received mail. */
  readonly inbox: string;
  /** The Maildir for sent mail, and its folder as a mail program sees it; absent if no router copies sent mail. */
  readonly sent?: { readonly path: string; readonly folder: string };
  /** The number of copies of one message. */
  readonly copies: number;
  /** All Maildirs of the account, none inside another. */
  readonly all: readonly string[];
}

/** The address of the drill's account. Throws CommandError without a local domain. */
export function drillAddress(configuration: Configuration): Mailbox {
  const domain = firstLocalDomain(configuration);
  const account = parseMailbox(`${DRILL_NAME}@${domain ?? ""}`.toLowerCase());
  if (domain === undefined || account === undefined) {
    const what =
      "gate.local_domains writes out no domain, so there is none for the drill's account";
    throw new CommandError(what, EXIT.configuration);
  }
  return account;
}

/** Throws CommandError if the address is somebody's. */
export async function requireFree(
  { address }: Mailbox,
  configuration: Configuration,
  places: DrillPlaces,
): Promise<void> {
  const users = usersFileOf(configuration);
  if ((await readUsers(users)).find(address) !== undefined) refuse(address, `a user in ${users}`);
  const accounts = await readAccounts(configuration);
  const [problem] = accounts.problems;
  if (problem !== undefined) {
    const what = `the accounts cannot be read, so ${address} may be one: ${problem}`;
    throw new CommandError(what, EXIT.notDone);
  }
  const owner = accounts.find(address)?.account;
  if (owner !== undefined) refuse(address, `an address of the account ${owner.address}`);
  const named = configuration.routers.find(({ chain }) =>
    [chain.local_parts, chain.sender_local_parts].some((items) => items?.includes(DRILL_NAME)),
  );
  if (named !== undefined) refuse(address, `named by the router ${named.name}`);
  const taken = places.all.find((path) => existsSync(path));
  if (taken !== undefined) refuse(address, `an account with mail in ${taken}`);
}

function refuse(address: string, what: string): never {
  throw new CommandError(
    [
      `${address} is ${what}. The drill needs this address for an account of its own, and`,
      "touches no other. Nothing was changed.",
    ],
    EXIT.notDone,
  );
}

/** Asks the routers, as a dry run. Throws CommandError if the drill's mail would go another way than a user's. */
export async function drillPlaces(
  account: Mailbox,
  configuration: Configuration,
  means: Pick<CommandMeans, "dryRun">,
): Promise<DrillPlaces> {
  const quiet: Log = { event: () => undefined };
  const dry = means.dryRun(configuration, quiet);
  try {
    dry.rehearsal.begin(account);
    const client = { address: "127.0.0.1", helo: "localhost", user: account.address };
    const request = { sender: account, client, verify: true, relayed: true };
    const { deliveries, troubles, discarded } = await dry.route(account, request);
    const [trouble] = troubles;
    if (trouble !== undefined) {
      const { router, status, why } = trouble;
      const by = router === "" ? "" : `router ${router}: `;
      wrong(account, why ?? `${by}${status.code} ${status.enhanced} ${status.text}`);
    }
    if (discarded.length > 0) wrong(account, `router ${discarded[0]?.router} discards its mail`);
    requireWay(account, deliveries, configuration);
    return placesOf(account, deliveries, dry.transports);
  } finally {
    await dry.close();
  }
}

function wrong(account: Mailbox, why: string): never {
  throw new CommandError(
    [`routers.toml makes no account of ${account.address} for a drill:`, why],
    EXIT.configuration,
  );
}

/** Its mail must wait during a fail-over, and reach no other address. */
function requireWay(
  account: Mailbox,
  deliveries: readonly RoutedDelivery[],
  configuration: Configuration,
): void {
  const { transports } = requireSection(configuration);
  for (const { mailbox, router, transport, unseen } of deliveries) {
    if (mailbox.address !== account.address)
      wrong(account, `router ${router} leads its mail to ${mailbox.address}`);
    if (!unseen && !transports.includes(transport))
      wrong(account, `its mail goes by "${transport}", which [failover] transports does not name`);
  }
  if (deliveries.every(({ unseen }) => unseen)) wrong(account, "no router takes its mail");
}

function placesOf(
  account: Mailbox,
  deliveries: readonly RoutedDelivery[],
  transports: ReadonlyMap<string, Transport>,
): DrillPlaces {
  const copies = deliveries
    .filter(({ unseen }) => unseen)
    .map((copy) => ({ ...copy, path: placeOf(copy, transports) }));
  for (const { path, router } of copies) {
    if (path.split("/").includes(DRILL_NAME)) continue;
    const where = path === "" ? "to another host" : `into ${path}`;
    wrong(account, `router ${router} copies its mail ${where}, which is not the account's own`);
  }
  const inbox = copies.find(({ account: names }) => names.senderLocalPart === undefined)?.path;
  if (inbox === undefined) wrong(account, "no router makes a copy of its received mail");
  const sent = copies.find(({ account: names }) => names.senderLocalPart !== undefined)?.path;
  const paths = [...new Set(copies.map(({ path }) => path))];
  const all = paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`)));
  const folder = sent === undefined ? "" : basename(sent).replace(/^\./, "").replaceAll(".", "/");
  const made = { inbox, all, copies: paths.length };
  return { ...made, ...(sent === undefined ? {} : { sent: { path: sent, folder } }) };
}

function placeOf(copy: RoutedDelivery, transports: ReadonlyMap<string, Transport>): string {
  const { mailbox, original, account } = copy;
  return transports.get(copy.transport)?.place?.({ id: "", mailbox, original, account }) ?? "";
}

/** What Dovecot keeps of the account. */
export function dovecotStateOf(
  { domain, localPart }: Mailbox,
  { relay }: Pick<Configuration, "relay">,
): string {
  return join(relay.spool_directory, "dovecot", domain, localPart);
}

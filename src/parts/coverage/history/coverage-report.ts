// The report on copies: what the history says of each account, and what deserves the postmaster's attention.

import { opendir } from "node:fs/promises";
import { join } from "node:path";
import type { Accounts, KnownAccount } from "../../../accounts/accounts.ts";
import { errorCode } from "../../../base/error-code.ts";
import { given } from "../../../base/given.ts";
import type { Configuration } from "../../../config/configuration.ts";
import type { HistoryReader } from "../../../observe/history/read.ts";
import { plainAddress } from "../../../observe/history/event-keys.ts";
import { AccountMaildirs } from "../maildirs.ts";
import {
  type AccountCopies,
  isAboutCopies,
  type PendingCopy,
  type SenderCount,
  Tally,
} from "./tally.ts";

export interface AccountLine extends AccountCopies {
  readonly account: KnownAccount;
  /** No Maildir of the account has a file, and the history has no copy. */
  readonly isNever: boolean;
}

export interface SenderLine extends SenderCount {
  readonly why: string;
}

export interface CoverageReport {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** The time of the oldest event, if it is later than `since`: the report covers only the time after it. */
  readonly begin?: number;
  readonly lines: readonly AccountLine[];
  /** Most messages first. */
  readonly senders: readonly SenderLine[];
  readonly pending: readonly PendingCopy[];
  readonly elsewhere: number;
  /** Events that the history or this report had no room for. */
  readonly leftOut: number;
  /** Lists of accounts that cannot be read, and days of the history that are damaged: a line each. */
  readonly problems: readonly string[];
}

interface Sources {
  readonly configuration: Configuration;
  readonly accounts: Accounts;
  readonly history: HistoryReader;
}

export async function coverageReport(
  { configuration, accounts, history }: Sources,
  since: number,
): Promise<CoverageReport> {
  const maildirs = new AccountMaildirs(configuration);
  const tally = new Tally({
    accounts,
    maildirs,
    isOutRouter: (name) => chainOf(configuration, name)?.sender_local_parts !== undefined,
    senderOf: (id) => senderIn(history, id),
  });
  for (const story of history.since(since, isAboutCopies)) tally.read(story);
  const lines: AccountLine[] = [];
  for (const account of accounts.all) {
    const copies = tally.accounts.get(account.address);
    if (copies === undefined) continue;
    const isQuiet = copies.in.count + copies.out.count === 0;
    const isNever = isQuiet && !(await hasMail(maildirs, account.address));
    lines.push({ account, ...copies, isNever });
  }
  const { beginning: begin } = history;
  return {
    since,
    ...given({ begin: begin === undefined || begin > since ? begin : undefined }),
    lines,
    senders: [...tally.senders.values()]
      .map((one) => ({ ...one, why: whyOf(one, accounts, configuration) }))
      .toSorted((one, other) => other.count - one.count),
    pending: [...tally.pending.values()],
    elsewhere: tally.elsewhere,
    leftOut: history.leftOutSince(since) + tally.uncounted,
    problems: accounts.problems,
  };
}

function chainOf({ routers }: Configuration, name: string) {
  return routers.find((router) => router.name === name)?.chain;
}

function senderIn(history: HistoryReader, id: string): string | undefined {
  const accepted = history.events(id).find(({ name }) => name === "message.accepted");
  const sender = accepted?.fields["sender"];
  return typeof sender === "string" ? plainAddress(sender) : undefined;
}

/** Whether a Maildir of the account alone has a file. One that cannot be looked into may have one. */
async function hasMail(maildirs: AccountMaildirs, address: string): Promise<boolean> {
  for (const { path, isShared } of maildirs.of(address)) {
    if (isShared) continue;
    for (const name of ["new", "cur"]) if (await hasEntry(join(path, name))) return true;
  }
  return false;
}

async function hasEntry(directory: string): Promise<boolean> {
  try {
    await using opened = await opendir(directory);
    return (await opened.read()) !== null;
  } catch (error) {
    return errorCode(error) !== "ENOENT" && errorCode(error) !== "ENOTDIR";
  }
}

/** Why the mail of the sender has no copy of an account, by the configuration and the lists of today. */
function whyOf(
  { sender, kind }: SenderCount,
  accounts: Accounts,
  { routers }: Configuration,
): string {
  const owner = accounts.find(sender)?.account;
  if (kind === "unlisted") {
    return owner === undefined
      ? "not an account: its copies are in the folder for unlisted senders"
      : `an account now (${owner.address}); its copies until then are in the folder for unlisted senders`;
  }
  if (owner === undefined) return "not an account, and no router copies mail of unlisted senders";
  const isCopying = routers.some(
    ({ chain }) => chain.unseen && chain.sender_local_parts !== undefined,
  );
  if (!isCopying) return "no router copies mail by its sender";
  return owner.address === sender
    ? "an account now; when it sent, no copying router took it: see relayctl check --from"
    : `belongs to ${owner.address} now; when it sent, no copying router took it: see relayctl check --from`;
}

// relayctl accounts show: all accounts, or the account of one address.

import { type Accounts, type KnownAccount, readAccounts } from "../../accounts/accounts.ts";
import { systemClock } from "../../base/clock.ts";
import { given } from "../../base/given.ts";
import { printable } from "../../base/printable.ts";
import { folded, paint, print, printJson, warn } from "../../base/terminal.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";

/** Throws CommandError (exit 1) if the address belongs to no account. */
export async function accountsShow(
  address: string | undefined,
  { json }: Given,
  configuration: Configuration,
): Promise<number> {
  const accounts = await readAccounts(configuration);
  for (const problem of accounts.problems) warn(`relayctl: ${problem}`);
  if (address !== undefined) return showOne(address, accounts, json);
  if (json) await printJson(accountsObject(accounts));
  else await print(accountsText(accounts, systemClock.now()));
  return EXIT.ok;
}

async function showOne(address: string, accounts: Accounts, json: boolean): Promise<number> {
  const owner = accounts.find(address);
  if (json) {
    const account = owner === undefined ? null : accountObject(owner.account);
    await printJson({ address, account, ...given({ why: owner?.why }) });
  }
  if (owner === undefined) {
    const what = `${address}: belongs to no account`;
    throw new CommandError(what, EXIT.notDone);
  }
  if (json) return EXIT.ok;
  await print(
    `${folded(`${address} ${owner.why}`, 0).join("\n")}\n\n${accountText(owner.account)}`,
  );
  return EXIT.ok;
}

function accountsObject({ source, syncedAt, all }: Accounts) {
  return {
    source,
    synced_at: syncedAt === undefined ? null : new Date(syncedAt).toISOString(),
    accounts: all.map(accountObject),
  };
}

function accountObject({ since, ...account }: KnownAccount) {
  const left = since === undefined ? undefined : new Date(since).toISOString();
  return { ...account, ...given({ since: left }) };
}

function accountsText({ syncedAt, all }: Accounts, now: number): string {
  const aliases = all.reduce((sum, account) => sum + account.aliases.length, 0);
  const counted = `${all.length} ${all.length === 1 ? "account" : "accounts"}`;
  const names = `${aliases} ${aliases === 1 ? "alias" : "aliases"}`;
  const sync =
    syncedAt === undefined ? "no sync from a directory" : `last sync ${ageText(syncedAt, now)}`;
  return `${counted} with ${names}; ${sync}\n\n${all.map(accountText).join("")}`;
}

/** The address, its kind and state, and its aliases on lines of their own. */
function accountText(account: KnownAccount): string {
  const { address, kind, state, since, aliases } = account;
  const left = since === undefined ? "" : ` since ${new Date(since).toISOString().slice(0, 10)}`;
  const states =
    state === "active" ? [] : [state === "departed" ? `left the directory${left}` : state];
  const kinds = kind === "unknown" ? [] : [kind];
  const what = [...kinds, ...states].join(", ");
  const head = what === "" ? "" : `  ${state === "active" ? what : paint("yellow", what)}`;
  const lines = aliases.length === 0 ? [] : folded(aliases.join(", "), 4);
  return [`${paint("bold", printable(address))}${head}`, ...lines, ""].join("\n");
}

function ageText(time: number, now: number): string {
  const minutes = Math.max(0, Math.round((now - time) / 60_000));
  const stamp = `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (minutes < 2) return `${stamp}, just now`;
  if (minutes < 120) return `${stamp}, ${minutes} minutes ago`;
  const hours = Math.round(minutes / 60);
  return `${stamp}, ${hours < 72 ? `${hours} hours` : `${Math.round(hours / 24)} days`} ago`;
}

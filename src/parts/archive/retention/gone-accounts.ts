// Removes the directories of accounts that are empty and gone: no list of a router that copies has them any more.
//
// Invariants:
// - Only empty directories are removed, by rmdir, and files that a mail reader makes again. Mail cannot go this way.
// - While a list cannot be read, or a router copies for names that no list enumerates, no account is gone.
// - A directory that a delivery has touched in the last day stays.

import type { Dirent } from "node:fs";
import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { readAccounts } from "../../../accounts/accounts.ts";
import { syncDirectory } from "../../../base/durable/directory.ts";
import { errorCode } from "../../../base/error-code.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { parseLookup } from "../../../lists/lookup.ts";
import { accountDirectory } from "../model/maildir-place.ts";
import { accountsIn } from "../proof/maildirs.ts";

const DAY = 86_400_000;

/** Files of mail readers and of Maildir++, which hold no mail. */
const READERS_FILES =
  /^(?:dovecot[-.].*|maildirfolder|maildirsize|subscriptions|courierimap.*|\.dovecot.*)$/;

/** Returns the accounts whose directories it has removed. */
export async function removeGoneAccounts(
  configuration: Configuration,
  directory: string,
  now: number,
): Promise<string[]> {
  const isCopied = await copiedAccounts(configuration);
  const removed: string[] = [];
  if (isCopied === undefined) return removed;
  for await (const account of accountsIn(directory)) {
    if (isCopied(account.toLowerCase())) continue;
    if (await removeEmpty(accountDirectory(directory, account), now)) removed.push(account);
  }
  return removed;
}

/** What of a configuration says which accounts a router copies for, as a value that can be compared. */
export function copiedLists({ routers, domains, parts }: Configuration): unknown {
  const chains = routers.flatMap(({ chain }) => (chain.unseen ? [chain] : []));
  const lists = chains.map((chain) => [
    chain.domains,
    chain.local_parts,
    chain.sender_domains,
    chain.sender_local_parts,
  ]);
  return [lists, [...domains], parts["accounts"]];
}

/** Whether a router may copy for an account; undefined if that cannot be known. */
async function copiedAccounts(
  configuration: Configuration,
): Promise<((account: string) => boolean) | undefined> {
  const localParts = new Set<string>();
  for (const { chain } of configuration.routers) {
    if (!chain.unseen) continue;
    const items = [...(chain.local_parts ?? []), ...(chain.sender_local_parts ?? [])];
    if (items.length === 0) return undefined;
    for (const item of items) {
      if (isEnumerable(item, configuration)) continue;
      if (!/^[\w.-]+$/.test(item)) return undefined;
      localParts.add(item.toLowerCase());
    }
  }
  const { all, problems } = await readAccounts(configuration);
  if (problems.length > 0 || all.length === 0) return undefined;
  const known = new Set(all.flatMap(({ address, aliases }) => [address, ...aliases]));
  return (account) =>
    known.has(account) || localParts.has(account.slice(0, account.lastIndexOf("@")));
}

/** The item is a lookup whose names can be listed. */
function isEnumerable(item: string, { lookups }: Configuration): boolean {
  const written = parseLookup(item);
  const lookup = written && lookups.get(written.scheme);
  return lookup?.of === "names" && lookup.survey !== undefined;
}

/** False if there is anything in it that is not ours to remove, or that is new. */
async function removeEmpty(maildir: string, now: number): Promise<boolean> {
  const directories: string[] = [maildir];
  const files: string[] = [];
  for (let at = 0; at < directories.length; at++) {
    const path = directories[at] ?? "";
    if (now - (await lstat(path)).mtimeMs < DAY) return false;
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const own = join(path, entry.name);
      if (entry.isDirectory()) directories.push(own);
      else if (isReadersFile(entry)) files.push(own);
      else return false;
    }
  }
  try {
    for (const file of files) await unlink(file);
    for (const path of directories.toReversed()) await rmdir(path);
    await syncDirectory(join(maildir, ".."));
    return true;
  } catch (error) {
    // A delivery was faster: its file stays, and the relay makes again what it misses.
    if (errorCode(error) === "ENOTEMPTY" || errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

function isReadersFile(entry: Dirent): boolean {
  return entry.isFile() && READERS_FILES.test(entry.name);
}

// One sync: reads the directory, plans, and writes the lsearch files and accounts.json.
//
// Invariant: if anything is wrong with the directory, the plan or the files as they are, nothing is written. The files
// are replaced together, and the running relay believes them at once, because shrink_limit has judged them.

import { accountsText, type AccountsFile, readAccountsFile } from "../../accounts/account-files.ts";
import {
  directoryStatePath,
  directoryStateText,
  readDirectoryState,
} from "../../accounts/directory-state.ts";
import { type AccountsOptions, accountsFileOf } from "../../accounts/options.ts";
import type { Clock } from "../../base/clock.ts";
import { type NewContent, replaceFiles } from "../../base/durable/file-set.ts";
import { errorCode } from "../../base/error-code.ts";
import type { SystemUser } from "../../base/users.ts";
import { confirmList } from "../../lists/kept-list.ts";
import { describeError } from "../../observe/log.ts";
import { planSync, type SyncPlan } from "./plan.ts";
import { DirectoryError, type FoundDirectory } from "./source.ts";

export interface SyncMeans {
  readonly clock: Clock;
  readonly spoolDirectory: string;
  /** Reads the directory. Throws DirectoryError. */
  readonly read: () => Promise<FoundDirectory>;
  /** The relay's user, who gets new files if root runs the sync. */
  readonly owner?: SystemUser | undefined;
  /** Called with each problem that does not stop the sync. */
  readonly warn: (what: string) => void;
}

export interface SyncOrder {
  /** Overrules `shrink_limit`, and groups that have vanished. */
  readonly isForced?: boolean;
  /** Writes nothing. */
  readonly isDry?: boolean;
}

export interface SyncReport extends Pick<SyncPlan, "added" | "removed" | "delayed"> {
  readonly users: number;
  readonly groups: number;
  /** Aliases in our domains. */
  readonly aliases: number;
  readonly written: boolean;
  /** The lsearch files, written or not. */
  readonly files: readonly string[];
  /** Why nothing may be written; absent if the sync is sound. */
  readonly refused?: string;
}

/**
 * Throws DirectoryError if the directory cannot be read, and UnwrittenFiles if a file cannot be written. A directory that
 * was read in part is refused.
 */
export async function syncAccounts(
  options: AccountsOptions,
  means: SyncMeans,
  { isForced = false, isDry = false }: SyncOrder = {},
): Promise<SyncReport> {
  const found = await wholeOf(means.read);
  if (typeof found === "string") return { ...NOTHING, refused: found };
  const now = means.clock.now();
  const files = await filesOf(options);
  if (typeof files === "string") return { ...NOTHING, refused: files };
  const state = await stateOf(means);
  const plan = planSync({ found, options, files, state, now, isForced });
  const contents = contentsOf(plan, options, now);
  const report = {
    ...countsOf(plan),
    added: plan.added,
    removed: plan.removed,
    delayed: plan.delayed,
    files: contents.map(({ path }) => path),
  };
  if (plan.refused !== undefined) return { ...report, written: false, refused: plan.refused };
  if (isDry) return { ...report, written: false };
  for (const { path, text, hasLost } of contents) {
    if (hasLost) await confirm(path, text, means);
  }
  const knowledge: NewContent = {
    directoryMode: 0o700,
    path: directoryStatePath(means.spoolDirectory),
    text: directoryStateText({ syncedAt: now, accounts: plan.accounts, departed: plan.departed }),
  };
  await write([...contents, knowledge], means);
  return { ...report, written: true };
}

/** The codes of errors that the rights of a file or directory cause. */
const SHUT = new Set(["EACCES", "EPERM", "EROFS"]);

/** Throws UnwrittenFiles. */
async function write(files: readonly NewContent[], { owner }: SyncMeans): Promise<void> {
  try {
    await replaceFiles(files, { mode: 0o640, owner });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    const isShut = SHUT.has(errorCode(error) ?? "");
    const advice = "; the user that the relay runs as must be able to write to this directory";
    throw new UnwrittenFiles(`${what}${isShut ? advice : ""}`, { cause: error });
  }
}

/** The files could not be written. The message is one line for the postmaster. */
export class UnwrittenFiles extends Error {}

const NOTHING = {
  users: 0,
  groups: 0,
  aliases: 0,
  added: [],
  removed: [],
  delayed: [],
  written: false,
  files: [],
};

/** The directory; or why it was read only in part. */
async function wholeOf(read: SyncMeans["read"]): Promise<FoundDirectory | string> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DirectoryError && error.kind === "half") return error.message;
    throw error;
  }
}

/** The files as they are, by domain; or why one of them cannot be read. */
async function filesOf(options: AccountsOptions): Promise<Map<string, AccountsFile> | string> {
  const files = new Map<string, AccountsFile>();
  try {
    for (const domain of options.domains) {
      const file = await readAccountsFile(accountsFileOf(options, domain));
      if (file !== undefined) files.set(domain, file);
    }
    return files;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Without a usable state the dates in the files still count, and the next state is written anew. */
async function stateOf({ spoolDirectory, warn }: SyncMeans) {
  try {
    return await readDirectoryState(spoolDirectory);
  } catch (error) {
    warn(describeError(error));
    return undefined;
  }
}

interface Counts {
  readonly users: number;
  readonly groups: number;
  readonly aliases: number;
}

function countsOf({ accounts }: Pick<SyncPlan, "accounts">, domain?: string): Counts {
  const isHere = (address: string) => domain === undefined || address.endsWith(`@${domain}`);
  const here = accounts.filter(({ address }) => isHere(address));
  const users = here.filter(({ kind }) => kind === "user").length;
  const aliases = accounts.flatMap((account) => account.aliases).filter(isHere).length;
  return { users, groups: here.length - users, aliases };
}

export function countText({ users, groups, aliases }: Counts): string {
  return [
    counted(users, "user", "users"),
    counted(groups, "group", "groups"),
    counted(aliases, "alias", "aliases"),
  ].join(", ");
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

interface Content extends NewContent {
  readonly hasLost: boolean;
}

/** An entry for a list that would have none: the relay never believes a list without an entry. */
const NO_GROUP = new Map([["no-group@group.invalid", ""]]);

function contentsOf(plan: SyncPlan, options: AccountsOptions, writtenAt: number): Content[] {
  const common = { writtenAt, removalDelay: options.removal_delay };
  const contents = Array.from(plan.files, ([domain, names]) => ({
    path: accountsFileOf(options, domain),
    text: accountsText({
      ...common,
      ...names,
      what: `the accounts of ${domain}`,
      count: countText(countsOf(plan, domain)),
    }),
    hasLost: plan.removed.some((address) => address.endsWith(`@${domain}`)),
  }));
  const { group_members: path } = options;
  if (path === undefined || plan.members === undefined) return contents;
  const members = new Map(Array.from(plan.members, ([group, all]) => [group, all.join(", ")]));
  const text = accountsText({
    ...common,
    what: "the members of groups",
    count: counted(members.size, "group", "groups"),
    entries: members.size === 0 ? NO_GROUP : members,
    departed: new Map(),
  });
  return [...contents, { path, text, hasLost: true }];
}

/** Tells a relay on this spool that the next content of the file is right, whatever it has lost. */
async function confirm(
  path: string,
  text: string,
  { spoolDirectory, warn }: SyncMeans,
): Promise<void> {
  try {
    await confirmList(spoolDirectory, path, text);
  } catch (error) {
    warn(`the relay may doubt ${path} for 10 minutes: ${describeError(error)}`);
  }
}

// The plan of a sync: from the directory, the files as they are and the last state to the files as they should be.
// Pure; sync.ts carries it out.
//
// Invariants:
// - A directory without a user in our domains never changes a file.
// - A file that would lose more than `shrink_limit` of its entries stops the whole sync, and so do groups that vanish
//   altogether. Only an order overrules it.
// - Primary addresses come before aliases, so an alias never takes the name of an account.

import type { AccountsFile } from "../../accounts/account-files.ts";
import type {
  DepartedAddress,
  DirectoryAccount,
  DirectoryState,
} from "../../accounts/directory-state.ts";
import type { AccountsOptions } from "../../accounts/options.ts";
import { listAccountOf } from "../../lists/list-account.ts";
import type { FoundAccount, FoundDirectory } from "./source.ts";

export type PlanOptions = Pick<
  AccountsOptions,
  "domains" | "suspended" | "removal_delay" | "shrink_limit" | "extra"
>;

export interface PlanInput {
  readonly found: FoundDirectory;
  readonly options: PlanOptions;
  /** The file of each domain as it is; a domain without a file has none. */
  readonly files: ReadonlyMap<string, AccountsFile>;
  readonly state: DirectoryState | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The postmaster has ordered the sync, whatever it takes out. */
  readonly isForced: boolean;
}

/** The entries of a file as they should be. */
type PlannedNames = Pick<AccountsFile, "entries" | "departed">;

export interface SyncPlan {
  /** By domain. */
  readonly files: ReadonlyMap<string, PlannedNames>;
  /** Groups with an address in our domains, each with its members there. Absent: members were not asked for. */
  readonly members?: ReadonlyMap<string, readonly string[]>;
  readonly accounts: readonly DirectoryAccount[];
  readonly departed: readonly DepartedAddress[];
  /** Addresses, sorted. `delayed` have left the directory and stay for the present. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly delayed: readonly string[];
  /** Why nothing may be written; absent if the plan is sound. */
  readonly refused?: string;
}

export function planSync(input: PlanInput): SyncPlan {
  const { found, options } = input;
  const accounts = accountsIn(found, options);
  const names = namesOf(accounts, options);
  const files = new Map<string, PlannedNames>();
  const changes = { added: [], removed: [], delayed: [] } as Changes;
  const departed: DepartedAddress[] = [];
  const shrunk: string[] = [];
  const suspended = suspendedIn(found, options);
  for (const domain of options.domains) {
    const before = input.files.get(domain)?.entries ?? new Map<string, string>();
    const planned = planFile(domain, names.get(domain) ?? new Map(), { input, suspended });
    files.set(domain, planned);
    departed.push(...planned.leaving);
    const gone = [...before.keys()].filter((name) => !planned.entries.has(name));
    for (const name of gone) changes.removed.push(`${name}@${domain}`);
    for (const name of planned.departed.keys()) changes.delayed.push(`${name}@${domain}`);
    for (const name of planned.entries.keys()) {
      if (!before.has(name)) changes.added.push(`${name}@${domain}`);
    }
    // Rounded, because 0.29 * 100 is a little less than 29.
    if (gone.length > Number((before.size * options.shrink_limit).toFixed(6))) {
      shrunk.push(`${gone.length} of the ${before.size} entries of ${domain}`);
    }
  }
  const refused = refusalOf(accounts, shrunk, input);
  return {
    files,
    ...(found.members && { members: membersIn(found.members, accounts, options) }),
    accounts: accounts.map(({ address, kind, state, aliases }) => ({
      address,
      kind,
      state,
      aliases: [...aliases].toSorted(),
    })),
    departed,
    added: changes.added.toSorted(),
    removed: changes.removed.toSorted(),
    delayed: changes.delayed.toSorted(),
    ...(refused === undefined ? {} : { refused }),
  };
}

type Changes = Record<"added" | "removed" | "delayed", string[]>;

function refusalOf(
  accounts: readonly OurAccount[],
  shrunk: readonly string[],
  { state, isForced, options }: PlanInput,
): string | undefined {
  if (!accounts.some(({ kind }) => kind === "user")) {
    return `the directory has no user with an address in ${options.domains.join(", ")}`;
  }
  if (isForced) return undefined;
  const before = state?.accounts.filter(isGroup).length ?? 0;
  if (before > 0 && !accounts.some(isGroup)) {
    return `the directory has no group any more, and had ${before}; ${ORDER}`;
  }
  if (shrunk.length === 0) return undefined;
  const limit = `${Number((options.shrink_limit * 100).toFixed(3))}%`;
  return `the sync would take out ${shrunk.join(", ")}, more than shrink_limit (${limit}); ${ORDER}`;
}

const ORDER = 'if that is right, run "relayctl accounts sync --force"';

function isGroup({ kind }: Pick<DirectoryAccount, "kind">): boolean {
  return kind === "group";
}

interface OurAccount extends Omit<DirectoryAccount, "aliases"> {
  readonly aliases: Set<string>;
  /** Its addresses in other domains. */
  readonly foreign: readonly string[];
}

/** The accounts with an address in our domains. One whose primary address is elsewhere has the first of ours. */
function accountsIn({ users, groups }: FoundDirectory, options: PlanOptions): OurAccount[] {
  const isOurs = oursIn(options);
  const taken = new Set<string>();
  const ours = (kind: DirectoryAccount["kind"], found: readonly FoundAccount[]) =>
    found.flatMap(({ address: primary, aliases, state }): OurAccount[] => {
      const all = [primary, ...aliases];
      const [address, ...others] = all.filter(isOurs);
      const foreign = all.filter((one) => !isOurs(one));
      if (address === undefined || taken.has(address) || isRefused(state, options)) return [];
      taken.add(address);
      return [{ address, kind, state, aliases: new Set(others), foreign }];
    });
  const accounts = [...ours("user", users), ...ours("group", groups)];
  return accounts.map((account) => {
    const aliases = account.aliases.difference(taken);
    for (const alias of aliases) taken.add(alias);
    return { ...account, aliases };
  });
}

function oursIn({ domains }: PlanOptions): (address: string) => boolean {
  const ours = new Set(domains);
  return (address) => ours.has(split(address).domain);
}

function isRefused(state: FoundAccount["state"], { suspended }: PlanOptions): boolean {
  return state !== "active" && suspended === "refuse";
}

/** All addresses of users that are suspended, if mail for them is refused. */
function suspendedIn({ users }: FoundDirectory, options: PlanOptions): ReadonlySet<string> {
  return new Set(
    users
      .filter(({ state }) => isRefused(state, options))
      .flatMap(({ address, aliases }) => [address, ...aliases]),
  );
}

type Names = Map<string, string>;

/** By domain: each name with the text after its colon. */
function namesOf(
  accounts: readonly OurAccount[],
  { domains, extra }: PlanOptions,
): ReadonlyMap<string, Names> {
  const names = new Map(domains.map((domain): [string, Names] => [domain, new Map()]));
  for (const { address, aliases } of accounts) {
    const account = split(address);
    names.get(account.domain)?.set(account.localPart, "");
    for (const alias of aliases) {
      const { localPart, domain } = split(alias);
      names.get(domain)?.set(localPart, domain === account.domain ? account.localPart : address);
    }
  }
  for (const own of names.values()) {
    for (const name of extra) {
      const lower = name.toLowerCase();
      if (!own.has(lower)) own.set(lower, "");
    }
  }
  return names;
}

interface Planned extends PlannedNames {
  readonly leaving: readonly DepartedAddress[];
}

/** Adds to the wanted names those that have left the directory, and whose time is not over. */
function planFile(
  domain: string,
  wanted: Names,
  { input, suspended }: { readonly input: PlanInput; readonly suspended: ReadonlySet<string> },
): Planned {
  const { files, state, now, options } = input;
  const before = files.get(domain);
  const known = new Map(state?.departed.map(({ address, since }) => [address, since]));
  const entries: Names = new Map(wanted);
  const departed = new Map<string, number>();
  const leaving: DepartedAddress[] = [];
  for (const [name, value] of before?.entries ?? []) {
    const address = `${name}@${domain}`;
    if (wanted.has(name) || suspended.has(address)) continue;
    // A clock that was ahead does not make the time longer.
    const since = Math.min(now, before?.departed.get(name) ?? known.get(address) ?? now);
    if (now - since >= options.removal_delay) continue;
    entries.set(name, value);
    departed.set(name, since);
    const { localPart, domain: other = domain } = listAccountOf(name, value);
    leaving.push({ address, account: `${localPart}@${other}`, since });
  }
  return { entries, departed, leaving };
}

/** The members that are ours. A group has the name that its account has. */
function membersIn(
  members: ReadonlyMap<string, readonly string[]>,
  accounts: readonly OurAccount[],
  options: PlanOptions,
): ReadonlyMap<string, readonly string[]> {
  const isOurs = oursIn(options);
  const owners = new Map(
    accounts.flatMap(({ address, aliases, foreign }) =>
      [address, ...aliases, ...foreign].map((one) => [one, address] as const),
    ),
  );
  const planned = new Map<string, readonly string[]>();
  for (const [group, all] of members) {
    const name = owners.get(group) ?? (isOurs(group) ? group : undefined);
    if (name === undefined) continue;
    const ours = all.map((member) => owners.get(member) ?? member).filter(isOurs);
    planned.set(name, [...new Set(ours)].toSorted());
  }
  return planned;
}

function split(address: string): { readonly localPart: string; readonly domain: string } {
  const at = address.lastIndexOf("@");
  return { localPart: address.slice(0, at), domain: address.slice(at + 1) };
}

// The accounts: whose mail the relay copies, with their aliases, and where each of them comes from. They are the keys
// of the lists of copying routers. With [accounts], the last sync adds the kind and the state of each.
//
// Reading changes nothing on disk and asks no directory. A list that cannot be read is a line of `problems`.
//
// Doors: account-files.ts, directory-state.ts, options.ts.

import { given } from "../base/given.ts";
import type { Configuration } from "../config/configuration.ts";
import { parseMailbox } from "../mail/address.ts";
import { describeError } from "../observe/log.ts";
import { readAccountsFile } from "./account-files.ts";
import { type DirectoryState, readDirectoryState } from "./directory-state.ts";
import { type ListConfiguration, type ListedName, listedNames } from "./listed-names.ts";
import { type AccountsOptions, accountsFileOf } from "./options.ts";

export { accountsFileOf } from "./options.ts";

export interface KnownAccount {
  /** The primary address, in lower case: its Maildir has this name. */
  readonly address: string;
  /** "extra": a local part of the option `extra`. "unknown": only a list names it. */
  readonly kind: "user" | "group" | "extra" | "unknown";
  /** "departed": it has left the directory, and `removal_delay` is not over. */
  readonly state: "active" | "suspended" | "archived" | "departed";
  /** Its other addresses, sorted. */
  readonly aliases: readonly string[];
  /** Since when it is missing in the directory, in ms since the epoch; absent if it is there. */
  readonly since?: number;
  /** Where it comes from: "Google's directory", or the file and the line. */
  readonly from: string;
}

/** The answer for one address. */
interface AddressOwner {
  readonly account: KnownAccount;
  /** Why the address is its: "alias of alice@example.com", as a clause. */
  readonly why: string;
}

export interface Accounts {
  /** Whether a sync of [accounts] has told kinds and states. */
  readonly source: "directory" | "lists";
  /** The age of the accounts: the oldest time in accounts.json and the files, in ms since the epoch. Absent: no sync yet. */
  readonly syncedAt?: number;
  /** Sorted by address. */
  readonly all: readonly KnownAccount[];
  /** Files that cannot be read, a line each. */
  readonly problems: readonly string[];
  /** The account that mail for the address belongs to. Understands aliases and `alice+x@`. */
  find(address: string): AddressOwner | undefined;
}

/** The options of [accounts]; undefined without that table. */
export function accountsOptionsOf({
  parts,
}: Pick<Configuration, "parts">): AccountsOptions | undefined {
  const section = parts["accounts"];
  return isSection(section) ? section : undefined;
}

/** The loader has read the table with `accountsOptions`. */
function isSection(section: unknown): section is AccountsOptions {
  return typeof section === "object" && section !== null;
}

/** Never rejects. */
export async function readAccounts(configuration: ListConfiguration): Promise<Accounts> {
  const { names, problems } = await listedNames(configuration);
  const options = accountsOptionsOf(configuration);
  const found = options && (await readDirectory(options, configuration.relay.spool_directory));
  const gathering = new Gathering(options);
  if (found?.state !== undefined) gathering.addDirectory(found.state);
  gathering.addListed([...names.values()]);
  const all = gathering.accounts();
  const byAddress = new Map(
    all.flatMap((account) =>
      [account.address, ...account.aliases].map((address) => [address, account] as const),
    ),
  );
  return {
    source: found?.state === undefined ? "lists" : "directory",
    ...given({ syncedAt: found?.syncedAt }),
    all,
    problems: [...(found?.problems ?? []), ...problems],
    find: (address) => ownerOf(address, byAddress),
  };
}

interface Directory {
  readonly state: DirectoryState | undefined;
  readonly syncedAt: number | undefined;
  readonly problems: readonly string[];
}

async function readDirectory(options: AccountsOptions, spoolDirectory: string): Promise<Directory> {
  const problems: string[] = [];
  const attempt = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      problems.push(describeError(error));
      return undefined;
    }
  };
  const state = await attempt(() => readDirectoryState(spoolDirectory));
  const times = state === undefined ? [] : [state.syncedAt];
  for (const domain of options.domains) {
    const file = await attempt(() => readAccountsFile(accountsFileOf(options, domain)));
    if (file?.writtenAt !== undefined) times.push(file.writtenAt);
  }
  const isSynced = state !== undefined;
  return { state, syncedAt: isSynced ? Math.min(...times) : undefined, problems };
}

type Gathered = { -readonly [K in keyof Omit<KnownAccount, "aliases">]: KnownAccount[K] } & {
  readonly aliases: Set<string>;
};

/** Puts together what the directory and the lists say of each account. */
class Gathering {
  readonly #accounts = new Map<string, Gathered>();
  /** By address, aliases included. */
  readonly #owners = new Map<string, Gathered>();
  readonly #extra: ReadonlySet<string>;

  constructor(options: AccountsOptions | undefined) {
    const { domains = [], extra = [] } = options ?? {};
    this.#extra = new Set(
      domains.flatMap((domain) => extra.map((name) => `${name.toLowerCase()}@${domain}`)),
    );
  }

  addDirectory({ accounts, departed }: DirectoryState): void {
    const from = "Google's directory";
    for (const { address, kind, state, aliases } of accounts) {
      this.#add({ address, kind, state, from, aliases: new Set(aliases) });
    }
    for (const { address, account, since } of departed) {
      if (address === account) this.#depart(address, since, from);
    }
    for (const { address, account, since } of departed) {
      if (address === account || this.#owners.has(address)) continue;
      this.#alias(address, this.#accounts.get(account) ?? this.#depart(account, since, from));
    }
  }

  #depart(address: string, since: number, from: string): Gathered {
    const known = this.#accounts.get(address);
    if (known !== undefined) return known;
    const gone = { kind: "unknown", state: "departed", aliases: new Set<string>() } as const;
    return this.#add({ ...gone, address, since, from });
  }

  /** Adds what the directory does not know. */
  addListed(names: readonly ListedName[]): void {
    for (const { address, account, at } of names) {
      if (address === account && !this.#owners.has(address)) this.#listed(address, at);
    }
    for (const { address, account, at } of names) {
      if (this.#owners.has(address)) continue;
      this.#alias(address, this.#accounts.get(account) ?? this.#listed(account, at));
    }
  }

  #listed(address: string, from: string): Gathered {
    const kind = this.#extra.has(address) ? "extra" : "unknown";
    return this.#add({ address, kind, state: "active", from, aliases: new Set() });
  }

  #add(account: Gathered): Gathered {
    this.#accounts.set(account.address, account);
    for (const address of [account.address, ...account.aliases]) {
      if (!this.#owners.has(address)) this.#owners.set(address, account);
    }
    return account;
  }

  #alias(address: string, owner: Gathered): void {
    owner.aliases.add(address);
    this.#owners.set(address, owner);
  }

  accounts(): KnownAccount[] {
    return [...this.#accounts.values()]
      .map((account) => ({ ...account, aliases: [...account.aliases].toSorted() }))
      .toSorted((one, other) => (one.address < other.address ? -1 : 1));
  }
}

function ownerOf(
  written: string,
  byAddress: ReadonlyMap<string, KnownAccount>,
): AddressOwner | undefined {
  const mailbox = parseMailbox(written);
  if (mailbox === undefined) return undefined;
  const { domain } = mailbox;
  const localPart = mailbox.localPart.toLowerCase();
  const plus = localPart.indexOf("+");
  const names = plus > 0 ? [localPart, localPart.slice(0, plus)] : [localPart];
  for (const name of names) {
    const address = `${name}@${domain}`;
    const account = byAddress.get(address);
    if (account === undefined) continue;
    const role =
      account.address === address ? "is the account itself" : `is an alias of ${account.address}`;
    const why = name === localPart ? role : `is ${address} with a suffix, which ${role}`;
    return { account, why: `${why}; from ${account.from}` };
  }
  return undefined;
}

// The walk over all Maildirs: finds what the relay did not tell. It costs a look at each directory. Only directories that
// have changed are listed: the mtime of a directory changes with every file that comes, goes or is renamed in it,
// whatever the mtime of the file is.
//
// Invariants: a directory counts as listed only if its mtime was older than RACY ms when the listing began, because two
// changes within one tick of the clock leave one mtime. What cannot be looked at is a finding, and the others go on. A
// domain whose file system does not answer is passed over for HUNG_FOR ms, because each attempt costs a thread. An
// archive without any account is an archive that is not mounted: then nothing is removed from the index.

import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { accountDirectory, type MaildirPart, PARTS } from "../model/maildir-place.ts";
import type { KnownAccount, KnownFolder } from "./index-reader.ts";
import { ListingPace } from "./listing-pace.ts";
import { type Look, LookHangs } from "./looks.ts";
import { type ListingMeans, PartListing } from "./part-listing.ts";

const RACY = 2000;
const HUNG_FOR = 600_000;
const ACCOUNTS_AT_ONCE = 200;
const ROWS_AT_ONCE = 500;

export interface WalkMeans extends ListingMeans {
  readonly clock: Clock;
}

/** What walks remember of each other. */
export class WalkMemory {
  readonly pace: ListingPace;
  /** mtime in ms of directories of domains and accounts, when they were last listed. */
  readonly seen = new Map<string, number>();
  /** Directories whose index has files that were not there at the last walk. */
  missing: ReadonlySet<string> = new Set();
  /** Domains whose file system did not answer, and until when they are passed over, by the monotonic clock. */
  readonly hung = new Map<string, number>();

  constructor(clock: Clock) {
    this.pace = new ListingPace(clock);
  }
}

export class Walk {
  readonly #means: WalkMeans;
  readonly #memory: WalkMemory;
  readonly #missing = new Set<string>();
  readonly #signal: AbortSignal;

  constructor(means: WalkMeans, memory: WalkMemory, signal: AbortSignal) {
    this.#means = means;
    this.#memory = memory;
    this.#signal = signal;
  }

  /** Resolves when all Maildirs were walked. Rejects if the archive's directory cannot be used, or on abort. */
  async run(): Promise<void> {
    await this.#domains();
    for (let after = 0; ;) {
      const accounts = this.#means.reader.accounts(after, ACCOUNTS_AT_ONCE);
      const [first, last] = [accounts.at(0), accounts.at(-1)];
      if (first === undefined || last === undefined) break;
      await this.#answering(accounts.filter(({ name }) => !this.#isHung(domainOf(name))));
      after = last.number;
    }
    this.#memory.missing = this.#missing;
  }

  /** Walks over these accounts. If a file system does not answer, those of its domain are passed over. */
  async #answering(accounts: readonly KnownAccount[]): Promise<void> {
    try {
      await this.#walkOver(accounts);
    } catch (error) {
      if (!(error instanceof LookHangs)) throw error;
      if (accounts.length === 1) return this.#noteHung(domainOf(accounts[0]?.name ?? ""), error);
      for (const account of accounts) {
        if (!this.#isHung(domainOf(account.name))) await this.#answering([account]);
      }
    }
  }

  async #walkOver(accounts: readonly KnownAccount[]): Promise<void> {
    const { reader } = this.#means;
    const [first, last] = [accounts.at(0), accounts.at(-1)];
    if (first === undefined || last === undefined) return;
    const names = accounts.map(({ name }) => name);
    await this.#accounts(names);
    const isAmong = new Set(names);
    const folders = reader.folders(first.number, last.number);
    await this.#folders(folders.filter(({ account }) => isAmong.has(account)));
    const empty = reader.accountsWithoutFolders(first.number, last.number);
    await this.#removeVanished(empty.filter(({ name }) => isAmong.has(name)));
  }

  #isHung(domain: string): boolean {
    const until = this.#memory.hung.get(domain);
    if (until === undefined || this.#means.clock.monotonic() < until) return until !== undefined;
    this.#memory.hung.delete(domain);
    return false;
  }

  #noteHung(domain: string, { message }: LookHangs): void {
    this.#means.findings.add(domain, message);
    this.#memory.hung.set(domain, this.#means.clock.monotonic() + HUNG_FOR);
  }

  /** Finds new accounts. */
  async #domains(): Promise<void> {
    const { root } = this.#means;
    const names = await this.#directories(root);
    const looks: Look[] = [];
    for (const name of names) looks.push(await this.#lookAtDomain(name));
    const domains = names.filter((name, at) => this.#isDirectory(name, looks[at]));
    if (domains.length === 0 && this.#means.reader.accounts(0, 1).length > 0) {
      throw new Error(`${root} is empty, and the index has mail: is its file system mounted?`);
    }
    for (const [at, name] of names.entries()) {
      const path = join(root, name);
      if (this.#isChanged(path, looks[at])) await this.#domain(name, path, looks[at]);
    }
  }

  async #lookAtDomain(domain: string): Promise<Look> {
    const hung = { kind: "unreadable", message: "the file system does not answer" } as const;
    if (this.#isHung(domain)) return hung;
    try {
      return (await this.#means.looks.look([join(this.#means.root, domain)])).at(0);
    } catch (error) {
      if (!(error instanceof LookHangs)) throw error;
      this.#noteHung(domain, error);
      return hung;
    }
  }

  async #domain(domain: string, path: string, look: Look): Promise<void> {
    try {
      const names = await this.#directories(path);
      for (let at = 0; at < names.length; at += ROWS_AT_ONCE) {
        await this.#addAccounts(domain, path, names.slice(at, at + ROWS_AT_ONCE));
      }
      this.#note(path, look);
    } catch (error) {
      if (error instanceof LookHangs) return this.#noteHung(domain, error);
      this.#cannot(path, error);
    }
  }

  async #addAccounts(domain: string, path: string, names: readonly string[]): Promise<void> {
    const { reader, looks, commit } = this.#means;
    const added = names.filter((name) => !reader.hasAccount(`${name}@${domain}`));
    const seen = await looks.look(added.map((name) => join(path, name)));
    const accounts = added.filter((name, at) => this.#isDirectory(join(domain, name), seen[at]));
    if (accounts.length > 0) {
      await commit({ accounts: accounts.map((name) => `${name}@${domain}`) });
    }
  }

  /** A link is not followed: it could lead out of the archive. */
  #isDirectory(path: string, look: Look): boolean {
    if (look?.kind === "other") this.#means.findings.add(path, "not a directory");
    if (look?.kind === "unreadable") this.#means.findings.add(path, look.message);
    return look?.kind === "directory";
  }

  /** Finds new folders in accounts that have changed. */
  async #accounts(accounts: readonly string[]): Promise<void> {
    const paths = accounts.map((account) => accountDirectory(this.#means.root, account));
    const looks = await this.#means.looks.look(paths);
    for (const [at, account] of accounts.entries()) {
      const look = looks[at];
      if (this.#isChanged(paths[at] ?? "", look)) await this.#account(account, look);
    }
  }

  async #account(account: string, look: Look): Promise<void> {
    const { root, looks, reader, commit } = this.#means;
    const path = accountDirectory(root, account);
    try {
      const names = await this.#names(path);
      const directories = names.filter((name) => name.startsWith("."));
      if (names.includes("new") || names.includes("cur")) directories.unshift("");
      const known = new Set(reader.directories(account));
      const added = directories.filter((one) => !known.has(one) && !one.includes("\uFFFD"));
      const seen = await looks.look(added.map((one) => join(path, one)));
      const folders = added.filter((_, at) => seen[at]?.kind === "directory");
      if (folders.length > 0) {
        await commit({ folders: folders.map((directory) => ({ account, directory })) });
      }
      this.#note(path, look);
    } catch (error) {
      this.#cannot(path, error);
    }
  }

  async #folders(folders: readonly KnownFolder[]): Promise<void> {
    const { root, looks } = this.#means;
    const paths = folders.flatMap(({ account, directory }) =>
      PARTS.map((part) => join(accountDirectory(root, account), directory, part)),
    );
    const seen = await looks.look(paths);
    for (const [at, folder] of folders.entries()) {
      this.#signal.throwIfAborted();
      const [fresh, read] = [seen[2 * at], seen[2 * at + 1]];
      if (fresh === undefined && read === undefined) await this.#vanished(folder);
      else {
        await this.#part(folder, "new", fresh);
        await this.#part(folder, "cur", read);
      }
    }
  }

  async #part(folder: KnownFolder, part: MaildirPart, look: Look): Promise<void> {
    const { clock, commit } = this.#means;
    const path = join(folder.account, folder.directory, part);
    const rows = part === "new" ? folder.fresh : folder.messages - folder.fresh;
    if (look === undefined && rows === 0) return;
    if (look !== undefined && look.kind !== "directory") {
      const why = look.kind === "unreadable" ? look.message : "not a directory";
      return this.#means.findings.add(path, why);
    }
    const mtime = look?.mtime ?? 0;
    if (mtime === folder.seen[part]) return;
    if (!this.#memory.pace.admits(path, mtime)) {
      if (this.#memory.missing.has(path)) this.#missing.add(path);
      return;
    }
    const began = clock.monotonic();
    const isRacy = clock.now() - mtime < RACY;
    try {
      const listing = new PartListing(this.#means, folder, part);
      let isMissing = await listing.compare();
      if (isMissing && this.#memory.missing.has(path)) {
        await listing.removeMissing();
        isMissing = false;
      }
      if (isMissing) this.#missing.add(path);
      const seen = isRacy || isMissing ? undefined : mtime;
      if (seen !== folder.seen[part])
        await commit({ seen: [{ folder: folder.number, part, mtime: seen }] });
    } catch (error) {
      this.#cannot(path, error);
    }
    this.#memory.pace.listed(path, clock.monotonic() - began);
  }

  /** Neither new/ nor cur/ is there. The rows go at the second walk that finds it so, and the folder without rows. */
  async #vanished(folder: KnownFolder): Promise<void> {
    const { root, reader, looks, commit } = this.#means;
    const path = join(folder.account, folder.directory);
    if (folder.messages > 0 && !this.#memory.missing.has(path)) {
      this.#missing.add(path);
      return;
    }
    for (;;) {
      const rows = reader.namesOf(folder.number, { hash: -1, id: 0 }, ROWS_AT_ONCE);
      if (rows.length === 0) break;
      await commit({ gone: rows.map(({ id }) => id) });
    }
    const place = join(accountDirectory(root, folder.account), folder.directory);
    const [look] = await looks.look([place]);
    if (look === undefined) await commit({ goneFolders: [folder.number] });
  }

  /** Removes those accounts without folders whose directory is gone. */
  async #removeVanished(empty: readonly KnownAccount[]): Promise<void> {
    const { root, looks, commit } = this.#means;
    const seen = await looks.look(empty.map(({ name }) => accountDirectory(root, name)));
    const gone = empty.filter((_, at) => seen[at] === undefined);
    if (gone.length > 0) await commit({ goneAccounts: gone.map(({ number }) => number) });
    for (const { name } of gone) this.#memory.seen.delete(accountDirectory(root, name));
  }

  #isChanged(path: string, look: Look): boolean {
    return look?.kind === "directory" && this.#memory.seen.get(path) !== look.mtime;
  }

  #note(path: string, look: Look): void {
    if (look?.kind !== "directory") return;
    if (this.#means.clock.now() - look.mtime < RACY) this.#memory.seen.delete(path);
    else this.#memory.seen.set(path, look.mtime);
  }

  /** The names in a directory of directories that can be a domain or an account. */
  async #directories(path: string): Promise<string[]> {
    const names = await this.#names(path);
    const plain = names.filter((name) => !name.startsWith(".") && !name.includes("\uFFFD"));
    return plain.toSorted();
  }

  async #names(path: string): Promise<string[]> {
    const all: string[] = [];
    for await (const names of this.#means.looks.names(path)) all.push(...names);
    return all;
  }

  #cannot(path: string, error: unknown): void {
    if (this.#signal.aborted || error instanceof LookHangs) throw error;
    this.#means.findings.add(path, error instanceof Error ? error.message : String(error));
  }
}

function domainOf(account: string): string {
  return account.slice(account.lastIndexOf("@") + 1);
}

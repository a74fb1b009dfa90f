// The accounts in Google's directory, by the Directory API: users and groups a page at a time, and the members of each
// group if they are wanted.
//
// Invariants:
// - The directory is returned whole or not at all: an answer of another shape, a page that is missing or that repeats
//   itself is an error.
// - Pages, entries and octets are limited, whatever the API answers.

import type { AccountsOptions } from "../../../accounts/options.ts";
import { isTable } from "../../../base/table.ts";
import { GoogleApi, GoogleError, type GoogleMeans } from "../../../google/google.ts";
import { parseMailbox } from "../../../mail/address.ts";
import { DirectoryError, type FoundAccount, type FoundDirectory } from "../source.ts";

const SCOPE = "https://www.googleapis.com/auth/admin.directory";
/** Milliseconds for a whole sync. */
const DEADLINE = 60_000;
/** Pages of one list. Google's users come by 500. */
const PAGES_MAX = 1000;
/** Octets of one page. */
const PAGE_SIZE_MAX = 16 * 1024 * 1024;
/** Entries of one list. */
const ENTRIES_MAX = 500_000;
/** Members of one group that are read: one more than get a copy, so that the router sees that there are too many. */
const MEMBERS_MAX = 5001;
/** Groups whose members are asked for at the same time. */
const GROUPS_AT_ONCE = 8;
/** Characters of a page token. */
const TOKEN_MAX = 8192;

export type GoogleOptions = Pick<
  AccountsOptions,
  "api" | "key_file" | "subject" | "customer" | "group_members" | "domains"
>;

/** Throws DirectoryError. */
export async function readGoogle(
  options: GoogleOptions,
  means: Omit<GoogleMeans, "deadline">,
): Promise<FoundDirectory> {
  const { key_file: keyFile, subject, group_members: membersFile } = options;
  const scopes = ["user", "group", ...(membersFile === undefined ? [] : ["group.member"])];
  const access = {
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(subject === undefined ? {} : { subject: subject.address }),
    scopes: scopes.map((scope) => `${SCOPE}.${scope}.readonly`),
  };
  const ended = new AbortController();
  const signal = AbortSignal.any([
    ended.signal,
    ...(means.signal === undefined ? [] : [means.signal]),
  ]);
  try {
    const api = await GoogleApi.open(access, { ...means, signal, deadline: DEADLINE });
    return await readWhole(new DirectoryApi(api, options), membersFile !== undefined);
  } catch (error) {
    if (!(error instanceof GoogleError)) throw error;
    throw new DirectoryError(error.kind, error.message, { cause: error });
  } finally {
    // After an error, the requests for the members of other groups may still be under way.
    ended.abort(new Error("the sync has ended"));
  }
}

async function readWhole(api: DirectoryApi, withMembers: boolean): Promise<FoundDirectory> {
  const users = (await api.list("users")).map((entry) => accountOf(entry, "primaryEmail"));
  const groups = (await api.list("groups")).map((entry) => accountOf(entry, "email"));
  const found = { users: users.filter(isKnown), groups: groups.filter(isKnown) };
  if (!withMembers) return found;
  return { ...found, members: await api.members(found) };
}

type Entry = Readonly<Record<string, unknown>>;
type ListName = "users" | "groups" | "members";

const FIELDS: Readonly<Record<ListName, string>> = {
  users: "nextPageToken,users(primaryEmail,aliases,nonEditableAliases,suspended,archived)",
  groups: "nextPageToken,groups(email,aliases,nonEditableAliases)",
  members: "nextPageToken,members(email,type)",
};

/** Google's largest pages. */
const PAGE: Readonly<Record<ListName, string>> = { users: "500", groups: "200", members: "200" };

class DirectoryApi {
  readonly #api: GoogleApi;
  readonly #options: GoogleOptions;
  /** Something of the directory has been read. */
  #hasBegun = false;

  constructor(api: GoogleApi, options: GoogleOptions) {
    this.#api = api;
    this.#options = options;
  }

  list(list: "users" | "groups"): Promise<Entry[]> {
    const { customer } = this.#options;
    const own = list === "users" ? { projection: "basic" } : {};
    return this.#pages(list, `/${list}`, { customer, ...own }, ENTRIES_MAX);
  }

  /** The members of all groups that have an address in our domains. */
  async members(
    directory: Pick<FoundDirectory, "users" | "groups">,
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const everybody = directory.users.map(({ address }) => address);
    const { domains } = this.#options;
    const groups = directory.groups.filter(({ address, aliases }) =>
      [address, ...aliases].some((one) => domains.includes(one.slice(one.lastIndexOf("@") + 1))),
    );
    const members = new Map<string, readonly string[]>();
    const waiting = groups.values();
    const work = async () => {
      for (const { address } of waiting) {
        const path = `/groups/${encodeURIComponent(address).replace("%40", "@")}/members`;
        const entries = await this.#pages("members", path, {}, MEMBERS_MAX);
        members.set(address, [...new Set(entries.flatMap((one) => addressesOf(one, everybody)))]);
      }
    };
    await Promise.all(Array.from({ length: GROUPS_AT_ONCE }, work));
    return members;
  }

  /** All entries of a list; of members, at most `most`. */
  async #pages(
    list: ListName,
    path: string,
    query: Readonly<Record<string, string>>,
    most: number,
  ): Promise<Entry[]> {
    const entries: Entry[] = [];
    const seen = new Set<string>();
    const tokens = new Set<string>();
    let token: string | undefined;
    for (let page = 1; page <= PAGES_MAX; page++) {
      const answer = await this.#page(list, path, { ...query, ...(token && { pageToken: token }) });
      const rows = rowsOf(answer, list);
      const before = seen.size;
      for (const row of rows) {
        seen.add(JSON.stringify(row["primaryEmail"] ?? row["email"] ?? row));
        entries.push(row);
      }
      if (page > 1 && rows.length > 0 && seen.size === before) {
        throw half(`a page of ${list} has come twice`);
      }
      token = tokenOf(answer, list);
      if (token === undefined) return entries;
      if (tokens.has(token)) throw half(`the pages of ${list} lead back to one that was read`);
      tokens.add(token);
      if (entries.length < most) continue;
      if (list === "members") return entries;
      break;
    }
    throw half(`there are more than ${entries.length} ${list}, or the pages do not end`);
  }

  async #page(
    list: ListName,
    path: string,
    query: Readonly<Record<string, string>>,
  ): Promise<Entry> {
    const url = new URL(`${this.#options.api}/admin/directory/v1${path}`);
    const own = { maxResults: PAGE[list], fields: FIELDS[list] };
    url.search = new URLSearchParams({ ...query, ...own }).toString();
    try {
      const answer = await this.#api.get(url, { sizeMax: PAGE_SIZE_MAX });
      this.#hasBegun = true;
      return answer;
    } catch (error) {
      if (!(error instanceof GoogleError) || !this.#hasBegun) throw error;
      const { kind, status = 0 } = error;
      const isMissingRight = kind === "refused" && (status === 401 || status === 403);
      // Without a status there was no answer in time.
      if (kind === "key" || status === 0 || (isMissingRight && query["pageToken"] === undefined)) {
        throw error;
      }
      throw half(`${list} could not be read: ${error.message}`, error);
    }
  }
}

function half(what: string, cause?: unknown): DirectoryError {
  const message = `only a part of the directory could be read: ${what}`;
  return new DirectoryError("half", message, cause === undefined ? {} : { cause });
}

/** The entries of a page. A list without entries is left out by Google. */
function rowsOf(answer: Entry, list: ListName): Entry[] {
  const rows = answer[list];
  if (rows === undefined) return [];
  if (!Array.isArray(rows)) throw half(`the page has no list of ${list}`);
  return rows.map((row: unknown) => {
    if (!isTable(row)) throw half(`an entry of ${list} is not an object`);
    return row;
  });
}

function tokenOf({ nextPageToken: token }: Entry, list: ListName): string | undefined {
  if (token === undefined || token === "") return undefined;
  if (typeof token === "string" && token.length <= TOKEN_MAX) return token;
  throw half(`the token of the next page of ${list} is not a text`);
}

/** Undefined for an address to which no mail can come: the relay refuses it at RCPT too. */
function accountOf(entry: Entry, key: "primaryEmail" | "email"): FoundAccount | undefined {
  const written = entry[key];
  if (typeof written !== "string") throw half(`an entry has no ${key}`);
  const aliases = [...textsOf(entry, "aliases"), ...textsOf(entry, "nonEditableAliases")];
  const [address, ...others] = [written, ...aliases].flatMap((one) => canonical(one) ?? []);
  if (address === undefined) return undefined;
  return { address, aliases: others, state: stateOf(entry) };
}

function isKnown(account: FoundAccount | undefined): account is FoundAccount {
  return account !== undefined;
}

function stateOf({ suspended, archived }: Entry): FoundAccount["state"] {
  if (suspended === true) return "suspended";
  return archived === true ? "archived" : "active";
}

function textsOf(entry: Entry, key: string): string[] {
  const list = entry[key];
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw half(`${key} of an entry is not a list`);
  return list.map((one: unknown) => {
    if (typeof one !== "string") throw half(`${key} of an entry has something that is not a text`);
    return one;
  });
}

/** The addresses of one member. "CUSTOMER" is every user, and has no address. */
function addressesOf({ email, type }: Entry, everybody: readonly string[]): readonly string[] {
  if (type === "CUSTOMER") return everybody;
  if (typeof email !== "string") return [];
  const address = canonical(email);
  return address === undefined ? [] : [address];
}

function canonical(written: string): string | undefined {
  const mailbox = parseMailbox(written);
  if (mailbox === undefined || /[\p{Cc}\p{Z}"\\]/u.test(mailbox.localPart)) return undefined;
  return `${mailbox.localPart.toLowerCase()}@${mailbox.domain}`;
}

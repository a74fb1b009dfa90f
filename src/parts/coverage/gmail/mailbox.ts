// A mailbox at Google, by the Gmail API: which messages it has, and of each its Message-ID, time and labels.
//
// Invariants:
//
// - A list is whole: it ends only with a page that names no other. Pages that repeat or do not end are an error.
// - Bodies and subjects are not asked for.

import { given } from "../../../base/given.ts";
import { isTable } from "../../../base/table.ts";
import { type GoogleApi, GoogleError } from "../../../google/google.ts";
import { addressesIn, type Identity, messageIdsIn, signatureOf } from "./message-ids.ts";

export const SCOPE = "https://www.googleapis.com/auth/gmail.readonly";

export interface MailboxMessage extends Identity {
  /** Google's name for the message. */
  readonly id: string;
  /** The time at which Google took it, in ms since the epoch; absent if Google does not say. */
  readonly time?: number;
  readonly labels: readonly string[];
  /** In lower case. */
  readonly from: readonly string[];
  readonly to: readonly string[];
}

type JsonObject = Readonly<Record<string, unknown>>;

const PAGE = 500;
/** Messages of one mailbox that are compared. */
const MESSAGES_MAX = 1_000_000;
/** Pages in a row without a message that was not on a page before. */
const EMPTY_PAGES_MAX = 20;
/** Results of a search that are looked at. */
const RESULTS_MAX = 5;
/** The first is what is compared. The others tell messages without one apart, and give the likely reason. */
const HEADERS = ["Message-ID", "Date", "From", "To", "Cc"];

export class Mailbox {
  readonly #api: GoogleApi;
  readonly #messages: string;

  /** `base` is the address of the Gmail API. */
  constructor(api: GoogleApi, base: string) {
    this.#api = api;
    this.#messages = `${base}/gmail/v1/users/me/messages`;
  }

  /** The ids of all messages since `since`, in ms since the epoch, Spam and Trash included. Throws GoogleError. */
  async *idsSince(since: number): AsyncIterable<string> {
    const seen = new Set<string>();
    const pages = new Set<string>();
    let empty = 0;
    for (let page: string | undefined = ""; page !== undefined;) {
      const { ids, next } = await this.#page(`after:${Math.floor(since / 1000)}`, page);
      const fresh = [...new Set(ids)].filter((id) => !seen.has(id));
      for (const id of fresh) seen.add(id);
      yield* fresh;
      empty = fresh.length === 0 ? empty + 1 : 0;
      if (next !== undefined && pages.has(next)) throw this.#wrong("a page that was there before");
      if (next !== undefined && empty >= EMPTY_PAGES_MAX) throw this.#wrong("pages without end");
      if (seen.size > MESSAGES_MAX) throw this.#wrong(`more than ${MESSAGES_MAX} messages`);
      if (next !== undefined) pages.add(next);
      page = next;
    }
  }

  /** The ids of the first messages that a search for the Message-ID finds. */
  async search(messageId: string): Promise<readonly string[]> {
    const url = this.#listUrl(`rfc822msgid:${messageId}`, "", RESULTS_MAX);
    const found = await this.#api.get(url);
    // An answer that does not even say that there are none may be an accident.
    const { ids } = pageIn(isPage(found) ? found : await this.#api.get(url));
    return ids.slice(0, RESULTS_MAX);
  }

  /** Undefined if the message is no longer there. Throws GoogleError. */
  async message(id: string): Promise<MailboxMessage | undefined> {
    const url = new URL(`${this.#messages}/${encodeURIComponent(id)}`);
    url.searchParams.set("format", "metadata");
    for (const header of HEADERS) url.searchParams.append("metadataHeaders", header);
    try {
      return messageIn(await this.#api.get(url, { isWhole: (object) => object["id"] === id }), id);
    } catch (error) {
      if (error instanceof GoogleError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #page(query: string, token: string): Promise<Page> {
    const url = this.#listUrl(query, token, PAGE);
    return pageIn(await this.#api.get(url, { isWhole: isPage }));
  }

  #listUrl(query: string, token: string, size: number): URL {
    const url = new URL(this.#messages);
    url.searchParams.set("q", query);
    url.searchParams.set("includeSpamTrash", "true");
    url.searchParams.set("maxResults", String(size));
    if (token !== "") url.searchParams.set("pageToken", token);
    return url;
  }

  #wrong(what: string): GoogleError {
    const { host } = new URL(this.#messages);
    return new GoogleError("unreachable", `${host}: the list of messages has ${what}`);
  }
}

interface Page {
  readonly ids: readonly string[];
  readonly next: string | undefined;
}

/** Google leaves out `messages` where there are none, and says then that there are about 0. */
function isPage({ messages, resultSizeEstimate, nextPageToken }: JsonObject): boolean {
  const isToken = nextPageToken === undefined || typeof nextPageToken === "string";
  const isList =
    Array.isArray(messages) && messages.every((one) => isTable(one) && isId(one["id"]));
  const isEmpty = messages === undefined && typeof resultSizeEstimate === "number";
  return isToken && (isList || isEmpty);
}

function isId(id: unknown): id is string {
  return typeof id === "string" && /^[!-~]{1,256}$/.test(id);
}

function pageIn({ messages, nextPageToken: next }: JsonObject): Page {
  const list: readonly unknown[] = Array.isArray(messages) ? messages : [];
  const ids = list.map((one) => (isTable(one) ? one["id"] : undefined)).filter(isId);
  return { ids, next: typeof next === "string" && next !== "" ? next : undefined };
}

function messageIn(object: JsonObject, id: string): MailboxMessage {
  const { labelIds, internalDate, payload } = object;
  const headers = isTable(payload) && Array.isArray(payload["headers"]) ? payload["headers"] : [];
  const valuesOf = (wanted: string): string[] =>
    headers.filter(isTable).flatMap(({ name, value }) => {
      const isWanted = typeof name === "string" && name.trim().toLowerCase() === wanted;
      return isWanted && typeof value === "string" ? [value] : [];
    });
  const time = Number(internalDate);
  const [from] = valuesOf("from");
  return {
    id,
    ids: messageIdsIn(valuesOf("message-id")),
    ...given({ signature: signatureOf(valuesOf("date")[0], from) }),
    ...(Number.isFinite(time) && time > 0 ? { time } : {}),
    labels: Array.isArray(labelIds) ? labelIds.filter((one) => typeof one === "string") : [],
    from: addressesIn(from ?? ""),
    to: [...valuesOf("to"), ...valuesOf("cc")].flatMap(addressesIn),
  };
}

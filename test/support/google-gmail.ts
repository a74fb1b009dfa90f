// A mailbox at the fake Google, by the Gmail API: users.messages.list and users.messages.get, as far as the relay asks.
//
//   const mailbox = new FakeMailbox(google, "alice@example.com");
//   mailbox.add({ "Message-ID": "<1@example.net>" }, { labels: ["INBOX"], time: Date.now() });

import type { FakeGoogle } from "./google.ts";
import { errorAnswer, type GoogleAnswer, type GoogleCall } from "./google-answer.ts";

interface FakeMessage {
  readonly id: string;
  readonly labels: readonly string[];
  readonly time: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

interface Given {
  readonly id?: string;
  readonly labels?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly time?: number;
}

const SCOPE = "https://www.googleapis.com/auth/gmail.readonly";
const PATH = "/gmail/v1/users/";

export class FakeMailbox {
  readonly messages: FakeMessage[] = [];
  /** Messages on a page, at most. */
  pageSize = 500;
  /** Called before each answer about one message. */
  onGet: (id: string) => GoogleAnswer | undefined = () => undefined;
  readonly #address: string;

  /** Tokens may be given for the address. */
  constructor(google: FakeGoogle, address: string) {
    this.#address = address;
    google.tokens.subjects.push(address);
    google.route(PATH, (call) => this.#answer(call));
  }

  /** A field with several values stands in the message several times. */
  add(
    headers: Readonly<Record<string, string | readonly string[]>>,
    { id, labels = ["INBOX"], time = Date.now() }: Given = {},
  ): string {
    const own = id ?? `18c${this.messages.length.toString(16).padStart(13, "0")}`;
    const list = Object.entries(headers).flatMap(([name, values]) =>
      [values].flat().map((value) => [name, value] as const),
    );
    this.messages.push({ id: own, labels, time, headers: list });
    return own;
  }

  remove(id: string): void {
    const at = this.messages.findIndex((message) => message.id === id);
    if (at >= 0) this.messages.splice(at, 1);
  }

  #answer({ url, subject, scopes }: GoogleCall): GoogleAnswer {
    if (!scopes.includes(SCOPE)) {
      return errorAnswer(403, "insufficientPermissions", "Insufficient Permission");
    }
    const [, user, collection, id, ...more] = url.pathname.slice(PATH.length - 1).split("/");
    const isOwn = subject === this.#address && (user === "me" || user === subject);
    if (!isOwn) return errorAnswer(403, "forbidden", `Delegation denied for ${subject}`);
    if (collection !== "messages" || more.length > 0)
      return errorAnswer(404, "notFound", "Not Found");
    return id === undefined ? this.#list(url.searchParams) : this.#get(decodeURIComponent(id), url);
  }

  #list(given: URLSearchParams): GoogleAnswer {
    const size = Math.min(Number(given.get("maxResults") ?? 100), this.pageSize);
    const from = Number(given.get("pageToken")?.replace("page", "") ?? 0);
    const isWanted = wantedBy(given.get("q") ?? "");
    const hasAll = given.get("includeSpamTrash") === "true";
    const found = this.messages.filter(
      (message) =>
        isWanted(message) &&
        (hasAll || !message.labels.some((label) => label === "SPAM" || label === "TRASH")),
    );
    const page = found.slice(from, from + size).map(({ id }) => ({ id, threadId: id }));
    const isLast = from + size >= found.length;
    const body = {
      ...(page.length > 0 ? { messages: page } : {}),
      ...(isLast ? {} : { nextPageToken: `page${from + size}` }),
      resultSizeEstimate: found.length,
    };
    return { status: 200, body };
  }

  #get(id: string, url: URL): GoogleAnswer {
    const other = this.onGet(id);
    if (other !== undefined) return other;
    const message = this.messages.find((one) => one.id === id);
    if (message === undefined)
      return errorAnswer(404, "notFound", "Requested entity was not found.");
    if (url.searchParams.get("format") !== "metadata")
      return errorAnswer(400, "badRequest", "format");
    const wanted = url.searchParams.getAll("metadataHeaders").map((name) => name.toLowerCase());
    const headers = message.headers
      .filter(([name]) => wanted.includes(name.toLowerCase()))
      .map(([name, value]) => ({ name, value }));
    const payload = { mimeType: "text/plain", ...(headers.length > 0 ? { headers } : {}) };
    const { labels: labelIds, time } = message;
    const body = {
      id,
      threadId: id,
      ...(labelIds.length > 0 ? { labelIds } : {}),
      internalDate: String(time),
      payload,
    };
    return { status: 200, body };
  }
}

function wantedBy(query: string): (message: FakeMessage) => boolean {
  const [, after] = /^after:(\d+)$/.exec(query) ?? [];
  if (after !== undefined) return ({ time }) => time >= Number(after) * 1000;
  const [, messageId] = /^rfc822msgid:(.+)$/.exec(query) ?? [];
  return ({ headers }) =>
    headers.some(
      ([name, value]) => /^message-id$/i.test(name) && value.includes(messageId ?? "\0"),
    );
}

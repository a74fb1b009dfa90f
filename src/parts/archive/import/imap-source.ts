// A mailbox on another server, by IMAP. It is opened for reading only, so no message becomes read or loses anything.
//
// Invariants:
//
// - Small messages come in one answer each, and at most one of them is in memory here. A large one comes in pieces.
// - A message that the account has from an earlier import is not read again: the mark of its folder, UIDVALIDITY and UID
//   stands in the name of its file.

import { createHash } from "node:crypto";
import type { FetchMessageObject, ImapFlow } from "imapflow";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { ImapAddress } from "./imap-address.ts";
import { type ImapFolder, orderedFolders } from "./imap-folders.ts";
import { type Source, SourceError, type SourceItem } from "./source.ts";

/** Messages that are asked for in one command. */
const BATCH = 100;
/** Octets. */
const SMALL_MAX = 1024 * 1024;
const CHUNK = 1024 * 1024;
const MESSAGE_MAX = 1024 * 1024 * 1024;
/** Milliseconds without an octet from the server. */
const SILENCE_MAX = 5 * 60 * 1000;

interface Login {
  readonly address: ImapAddress;
  readonly password: string;
  /** Whether the account has a message with this mark. */
  hasMark(mark: string): boolean;
}

/** The state of one folder while it is read. */
interface Reading extends ImapFolder {
  readonly uidValidity: bigint;
}

type Message = Pick<FetchMessageObject, "uid" | "size" | "internalDate" | "emailId">;

/** Throws CommandError (69) if the server does not answer or refuses the password. */
export async function openImapSource(login: Login): Promise<Source> {
  const { ImapFlow: Client } = await import("imapflow");
  const { address, password } = login;
  const client = new Client({
    host: address.host,
    port: address.port,
    secure: true,
    auth: { user: address.user, pass: password },
    logger: false,
    disableAutoIdle: true,
    socketTimeout: SILENCE_MAX,
    maxLiteralSize: 2 * CHUNK,
  });
  // The command under way rejects too.
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    const isRefusal = error instanceof Error && "authenticationFailed" in error;
    const what = `${isRefusal ? "the server refuses user or password: " : ""}${textOf(error)}`;
    throw new CommandError(`${address.name}: ${what}`, EXIT.unavailable);
  }
  return new ImapSource(client, login);
}

class ImapSource implements Source {
  readonly name: string;
  readonly size = undefined;
  read = 0;
  readonly #client: ImapFlow;
  readonly #login: Login;
  /** Ids that the server gives to messages over all folders. */
  readonly #seen = new Set<string>();

  constructor(client: ImapFlow, login: Login) {
    this.name = login.address.name;
    this.#client = client;
    this.#login = login;
  }

  async *items(): AsyncGenerator<SourceItem> {
    for (const folder of await this.#folders()) yield* this.#folder(folder);
  }

  async close(): Promise<void> {
    // A connection that is broken cannot be ended in order.
    await this.#client.logout().catch(() => this.#client.close());
  }

  async #folders(): Promise<ImapFolder[]> {
    const listed = await this.#asked(this.name, this.#client.list());
    const folders = orderedFolders(listed, this.#client.namespace?.prefix ?? "");
    const { folder } = this.#login.address;
    if (folder === undefined) return folders;
    const wanted = folders.find(({ path }) => path === folder || isInbox(path, folder));
    if (wanted !== undefined) return [wanted];
    throw new SourceError(this.name, `the server has no folder "${folder}"`);
  }

  async *#folder(folder: ImapFolder): AsyncGenerator<SourceItem> {
    const where = `${this.name}/${folder.path}`;
    const open = this.#client.mailboxOpen(folder.path, { readOnly: true });
    const { uidValidity } = await this.#asked(where, open);
    const found = await this.#asked(where, this.#client.search({ all: true }, { uid: true }));
    const uids =
      found === false || found === undefined ? [] : found.toSorted((one, other) => one - other);
    const reading = { ...folder, uidValidity };
    for (let at = 0; at < uids.length; at += BATCH) {
      yield* this.#batch(where, reading, uids.slice(at, at + BATCH));
    }
  }

  async *#batch(
    where: string,
    reading: Reading,
    uids: readonly number[],
  ): AsyncGenerator<SourceItem> {
    const query = { uid: true, size: true, internalDate: true };
    const fetched = this.#client.fetchAll(uids.join(","), query, { uid: true });
    const wanted = new Map<number, Message>();
    for (const message of await this.#asked(where, fetched)) {
      if (this.#isKnown(reading, message)) yield { kind: "known" };
      else wanted.set(message.uid, message);
    }
    const small = [...wanted.values()].filter(
      ({ size }) => size !== undefined && size <= SMALL_MAX,
    );
    if (small.length > 0)
      yield* this.#small(
        where,
        reading,
        wanted,
        small.map(({ uid }) => uid),
      );
    for (const message of wanted.values()) yield* this.#large(where, reading, message);
  }

  #isKnown(reading: Reading, { uid, emailId }: Message): boolean {
    if (emailId !== undefined && this.#seen.has(emailId)) return true;
    if (emailId !== undefined) this.#seen.add(emailId);
    return this.#login.hasMark(this.#markOf(reading, uid));
  }

  /** Takes from `wanted` those that the server has sent. */
  async *#small(
    where: string,
    reading: Reading,
    wanted: Map<number, Message>,
    uids: readonly number[],
  ): AsyncGenerator<SourceItem> {
    const answers = this.#client.fetch(uids.join(","), { uid: true, source: true }, { uid: true });
    try {
      for await (const { uid, source } of answers) {
        const message = wanted.get(uid);
        if (message === undefined || source === undefined) continue;
        wanted.delete(uid);
        this.read += source.length;
        yield this.#message(where, reading, message, piecesOf(source));
      }
    } catch (error) {
      throw failed(where, error);
    }
    // A message that was deleted meanwhile is not sent.
    for (const uid of uids) wanted.delete(uid);
  }

  async *#large(where: string, reading: Reading, message: Message): AsyncGenerator<SourceItem> {
    const uid = String(message.uid);
    if ((message.size ?? 0) > MESSAGE_MAX) {
      const why = "the message is larger than 1 GiB";
      return yield { kind: "refused", where: `${where}, UID ${uid}`, why };
    }
    const options = { uid: true, chunkSize: CHUNK };
    const { content } = await this.#asked(where, this.#client.download(uid, undefined, options));
    if (content === undefined) return;
    yield this.#message(where, reading, message, this.#counted(where, content));
  }

  async *#counted(where: string, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      for await (const piece of content) {
        this.read += piece.length;
        yield piece;
      }
    } catch (error) {
      throw failed(where, error);
    }
  }

  #message(
    where: string,
    reading: Reading,
    { uid, internalDate }: Message,
    body: AsyncIterable<Buffer>,
  ): SourceItem {
    const time = internalDate === undefined ? NaN : new Date(internalDate).getTime();
    return {
      kind: "message",
      where: `${where}, UID ${uid}`,
      folder: reading.folder,
      time: Number.isNaN(time) ? undefined : time,
      lineEnds: "all",
      mark: this.#markOf(reading, uid),
      body,
    };
  }

  #markOf({ path, uidValidity }: Reading, uid: number): string {
    const text = JSON.stringify([this.name, path, String(uidValidity), uid]);
    return createHash("sha256").update(text).digest("hex").slice(0, 16);
  }

  async #asked<T>(where: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw failed(where, error);
    }
  }
}

async function* piecesOf(source: Buffer): AsyncGenerator<Buffer> {
  yield source;
}

function isInbox(one: string, other: string): boolean {
  return one.toUpperCase() === "INBOX" && other.toUpperCase() === "INBOX";
}

function failed(where: string, error: unknown): SourceError {
  return new SourceError(where, `${textOf(error)}; run the import again to go on`, error);
}

/** The server's own words, if it has said why. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const said = "responseText" in error ? error.responseText : undefined;
  return typeof said === "string" && said !== "" ? said : error.message;
}

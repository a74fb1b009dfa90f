// The mail of the archive for one reader: what the reader may see, and no more.
//
// Invariants:
// - Every question to the archive names the accounts that the reader may see. A message of another account is answered
//   as one that does not exist.
// - What an auditor sees of other people's mail stands in the audit log before it is shown.

import { askSocket } from "../../archive/archive.ts";
import { isTable } from "../../base/table.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { type Attachment, type Found, foundIn, type Shown, shownIn } from "./answers.ts";
import type { Reader } from "./reader.ts";

export interface FoundPage {
  readonly messages: readonly Found[];
  /** Continues after this message; undefined at the end. */
  readonly next: number | undefined;
}

export interface SearchOrder {
  readonly query: string;
  readonly limit: number;
  readonly before: number | undefined;
  /** The reader's time zone, in which days are meant. */
  readonly zone: string;
}

/** The text of the archive's refusal of a query, for its reader. */
export class BadQuery extends Error {}

export class Mail {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** The newest first. Throws BadQuery. */
  async search(reader: Reader, { limit, ...order }: SearchOrder): Promise<FoundPage> {
    if (reader.reason !== undefined) await this.note(reader, "search", { query: order.query });
    const messages: Found[] = [];
    const asked = { ...order, ...scopeOf(reader), limit: limit + 1 };
    try {
      for await (const row of askSocket(this.#socket, "search", asked)) messages.push(foundIn(row));
    } catch (error) {
      if (error instanceof CommandError && error.exitCode === EXIT.usage) {
        throw new BadQuery(error.message, { cause: error });
      }
      throw error;
    }
    const page = messages.slice(0, limit);
    return { messages: page, next: messages.length > limit ? page.at(-1)?.id : undefined };
  }

  /** Undefined if the reader has no such message. The audit log says that it was looked at. */
  async show(reader: Reader, id: number): Promise<Shown | undefined> {
    const message = await this.read(reader, id);
    if (message !== undefined) await this.note(reader, "view", { id, account: message.account });
    return message;
  }

  /** Like `show`, for a page that belongs to one that was shown. */
  async read(reader: Reader, id: number): Promise<Shown | undefined> {
    const [row] = await this.#rows("view", { id, ...scopeOf(reader) });
    return row === undefined ? undefined : shownIn(row);
  }

  /** The octets of the file. Undefined if the reader has no such message. */
  async source(reader: Reader, id: number): Promise<ReadableStream<Uint8Array> | undefined> {
    const stream = await this.#stream("raw", { id, ...scopeOf(reader) });
    if (stream !== undefined) await this.note(reader, "download", { id });
    return stream;
  }

  /** The decoded octets of an attachment. Undefined if the reader has no such message, or it no such attachment. */
  async attachment(
    reader: Reader,
    id: number,
    number: number,
  ): Promise<{ name: string; stream: ReadableStream<Uint8Array> } | undefined> {
    const part = (await this.read(reader, id))?.parts.find((one) => one.number === number);
    if (part === undefined) return undefined;
    const stream = await this.#stream("attachment", { id, number, ...scopeOf(reader) });
    if (stream === undefined) return undefined;
    await this.note(reader, "download", { id, attachment: number });
    return { name: part.name, stream };
  }

  /** The images that the HTML of a message shows, as data: URLs, by their Content-ID; some, if they are large. */
  async images(reader: Reader, { id, parts }: Shown): Promise<Map<string, string>> {
    const images = new Map<string, string>();
    let room = IMAGES_MAX;
    for (const part of parts) {
      if (part.contentId === "" || !isImage(part) || part.size > room) continue;
      const stream = await this.#stream("attachment", {
        id,
        number: part.number,
        ...scopeOf(reader),
      });
      if (stream === undefined) continue;
      const octets = Buffer.concat(await Array.fromAsync(stream));
      room -= octets.length;
      images.set(part.contentId, `data:${part.type};base64,${octets.toString("base64")}`);
      if (room <= 0) break;
    }
    return images;
  }

  /** Writes a line of the audit log. Rejects if it cannot be written; then nothing may be shown. */
  async note(reader: Pick<Reader, "user" | "reason">, act: string, fields: object): Promise<void> {
    const reason = reader.reason === undefined ? {} : { reason: reader.reason };
    await this.#rows("audit", { act, by: reader.user, fields: { ...fields, ...reason } });
  }

  /** Undefined if there is no such message or attachment. */
  async #stream(verb: string, order: object): Promise<ReadableStream<Uint8Array> | undefined> {
    const chunks = octetsIn(askSocket(this.#socket, verb, order));
    try {
      const first = await chunks.next();
      return ReadableStream.from(resumed(first, chunks));
    } catch (error) {
      if (isUnknown(error)) return undefined;
      throw error;
    }
  }

  async #rows(verb: string, order: object): Promise<readonly object[]> {
    try {
      return await Array.fromAsync(askSocket(this.#socket, verb, order));
    } catch (error) {
      if (isUnknown(error)) return [];
      throw error;
    }
  }
}

/** Octets of the images of one message that are shown inside it. */
const IMAGES_MAX = 8 * 1024 * 1024;
const IMAGE_TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"]);

function isImage({ type }: Attachment): boolean {
  return IMAGE_TYPES.has(type);
}

/** An auditor with a reason sees all mail, everybody else only the own. */
function scopeOf({ user, reason }: Reader): { readonly accounts?: readonly string[] } {
  return reason === undefined ? { accounts: [user] } : {};
}

function isUnknown(error: unknown): boolean {
  return error instanceof CommandError && error.exitCode === EXIT.notDone;
}

async function* octetsIn(values: AsyncIterable<object>): AsyncGenerator<Uint8Array, void> {
  for await (const value of values) {
    const chunk = isTable(value) ? value["chunk"] : undefined;
    if (typeof chunk === "string") yield Buffer.from(chunk, "base64");
  }
}

async function* resumed<T>(
  first: IteratorResult<T, void>,
  rest: AsyncGenerator<T, void>,
): AsyncGenerator<T, void> {
  if (first.done === true) return;
  try {
    yield first.value;
    yield* rest;
  } finally {
    await rest.return();
  }
}

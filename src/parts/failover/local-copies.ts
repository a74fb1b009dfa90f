// Asked in place of a transport to Google that does not come back: it delivers mail by its copy. Nothing is sent.
//
// Invariants:
// - Mail counts as delivered only if a Maildir of its recipient holds the message, byte for byte, under the header
//   fields that the delivery of a copy adds. Anything else defers it.
// - A Maildir is read while no copy is looked up in it, and holds no names in memory.

import { type FileHandle, open, opendir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { errorCode } from "../../base/error-code.ts";
import type { Batch, Outcome, Recipient, Transport } from "../../contract/contract.ts";
import { idInName } from "../../maildir/file-names.ts";
import { LfStream } from "../../maildir/line-ends.ts";
import type { Body, MessageId, RecipientId } from "../../mail/envelope.ts";
import { status } from "../../mail/status.ts";
import { describeError, type Log } from "../../observe/log.ts";

const WITHOUT_COPY = status(451, "3.2", "No whole copy is in a Maildir of the recipient");
const KEPT = status(250, "0.0", "settled by its copy");
/** Octets of added header fields, at most: `Envelope-to` names each recipient. */
const ADDED_MAX = 1024 * 1024;
const ADDED =
  /^(?:Return-path: [^\n]*\n)?(?:Envelope-to: [^\n]*\n(?:[ \t][^\n]*\n)*)?(?:Delivery-date: [^\n]*\n)?$/;

export class LocalCopies implements Transport {
  readonly locality = "remote";
  readonly #log: Log;
  readonly #finders = new Map<string, Finder>();

  constructor(log: Log) {
    this.#log = log;
  }

  batchKey({ mailbox }: Recipient): string {
    return mailbox.domain;
  }

  /**
   * Outcomes:
   * - delivered: a copy of the recipient holds the message. `place` is that file.
   * - deferred: no copy of the recipient does, or its Maildir cannot be read.
   */
  async deliver(batch: Batch, signal: AbortSignal): Promise<ReadonlyMap<RecipientId, Outcome>> {
    const outcomes = new Map<RecipientId, Outcome>();
    for (const { id, copies = [] } of batch.recipients) {
      const path = signal.aborted ? undefined : await this.#whole(batch, copies);
      outcomes.set(
        id,
        path === undefined
          ? { kind: "deferred", status: WITHOUT_COPY, scope: "recipient" }
          : { kind: "delivered", status: KEPT, place: { kind: "file", path }, final: true },
      );
    }
    return outcomes;
  }

  async #whole({ envelope, body }: Batch, places: readonly string[]): Promise<string | undefined> {
    for (const maildir of places.filter(isAbsolute)) {
      try {
        // A reader may move the file while it is looked up.
        for (let tries = 0; tries < 2; tries++) {
          const path = await this.#find(maildir, envelope.id);
          if (path !== undefined && (await isCopy(path, body))) return path;
        }
      } catch (error) {
        const where = `the copy in ${maildir}`;
        this.#log.event("relay.error", { id: envelope.id, where, error: describeError(error) });
      }
    }
    return undefined;
  }

  #find(maildir: string, id: MessageId): Promise<string | undefined> {
    const finder = this.#finders.get(maildir) ?? new Finder(maildir);
    this.#finders.set(maildir, finder);
    return finder.find(id).finally(() => {
      if (finder.isIdle) this.#finders.delete(maildir);
    });
  }
}

/** Looks copies up in one Maildir. All that ask while it is being read share the next reading. */
class Finder {
  readonly #maildir: string;
  #wanted = new Map<MessageId, PromiseWithResolvers<string | undefined>>();
  #reading: Promise<void> | undefined;

  constructor(maildir: string) {
    this.#maildir = maildir;
  }

  get isIdle(): boolean {
    return this.#reading === undefined && this.#wanted.size === 0;
  }

  find(id: MessageId): Promise<string | undefined> {
    const asked = this.#wanted.get(id) ?? Promise.withResolvers<string | undefined>();
    this.#wanted.set(id, asked);
    this.#reading ??= this.#readAll();
    return asked.promise;
  }

  async #readAll(): Promise<void> {
    while (this.#wanted.size > 0) {
      const wanted = this.#wanted;
      this.#wanted = new Map();
      try {
        await this.#read(wanted);
      } catch (error) {
        for (const { reject } of wanted.values()) reject(error);
      }
    }
    this.#reading = undefined;
  }

  /** new/ first: a file that a reader moves from there to cur/ meanwhile is found in cur/. */
  async #read(wanted: Map<MessageId, PromiseWithResolvers<string | undefined>>): Promise<void> {
    const found = new Map<MessageId, string>();
    for (const part of ["new", "cur"]) {
      const directory = join(this.#maildir, part);
      for await (const name of namesIn(directory)) {
        const id = idInName(name);
        if (id !== undefined && wanted.has(id)) found.set(id, join(directory, name));
      }
    }
    for (const [id, { resolve }] of wanted) resolve(found.get(id));
  }
}

async function* namesIn(directory: string): AsyncGenerator<string> {
  try {
    for await (const { name } of await opendir(directory, { bufferSize: 1024 })) yield name;
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

/** Whether the file holds the message under added header fields. False if the file is gone. */
async function isCopy(path: string, body: Body): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
  try {
    return await holds(file, body);
  } finally {
    await file.close();
  }
}

async function holds(file: FileHandle, body: Body): Promise<boolean> {
  let length = 0;
  for await (const piece of withLf(body)) length += piece.length;
  const { size } = await file.stat();
  const added = size - length;
  if (added < 0 || added > ADDED_MAX) return false;
  if (!ADDED.test((await bytesAt(file, 0, added)).toString("latin1"))) return false;
  let at = added;
  for await (const piece of withLf(body)) {
    if (!piece.equals(await bytesAt(file, at, piece.length))) return false;
    at += piece.length;
  }
  return true;
}

async function* withLf(body: Body): AsyncGenerator<Buffer> {
  const lines = new LfStream();
  for await (const piece of body.chunks()) yield lines.convert(piece);
  yield lines.end();
}

/** The bytes there; fewer if the file is shorter. */
async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, at + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return bytes.subarray(0, read);
}

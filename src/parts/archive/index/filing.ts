// Files messages in an index: reads their text, notes them in the manifest, and commits them.
//
// Invariant: a file is in the manifest before it is in the index. A kill between the two leads to a second line for the
// same file, which the manifest allows.

import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../../base/clock.ts";
import type { ManifestEntry } from "../chain/manifest.ts";
import { folderNameOf } from "../model/folder-name.ts";
import { accountDirectory, maildirPath } from "../model/maildir-place.ts";
import type { IndexReader } from "./index-reader.ts";
import type { IndexWriter } from "./index-writer.ts";
import type { Extract } from "../text/extract.ts";
import type { FoundFile, NewMessage } from "./new-message.ts";
import type { PendingFile } from "./pending.ts";

type Origin = "relay" | "walk" | "import";

export interface ManifestSink {
  /** Resolves when the entries are on disk. */
  append(entries: readonly ManifestEntry[]): Promise<void>;
}

interface TextSource {
  /** "gone" if there is no regular file. Rejects if the file cannot be read now. */
  extract(
    path: string,
    urgency: "delivery" | "walk",
    signal?: AbortSignal,
  ): Promise<Extract | "gone">;
}

export interface FilingMeans {
  readonly root: string;
  readonly reader: IndexReader;
  readonly writer: IndexWriter;
  readonly manifest: ManifestSink;
  readonly texts: TextSource;
  readonly clock: Clock;
  /** The origin of a file that the relay did not tell. */
  readonly originOf: (file: FoundFile) => Origin;
}

/** What became of the files of a batch, before it is committed. */
interface Read {
  readonly messages: readonly NewMessage[];
  readonly failed: readonly PendingFile[];
}

/** Octets of text after which a batch is committed, whatever the number of its messages. */
const TEXT_MAX = 2 * 1024 * 1024;

export class Filing {
  readonly #means: FilingMeans;
  readonly #onCommit: (ids: readonly number[]) => void;
  readonly #underWay = new Set<string>();
  #committing: Promise<void> = Promise.resolve();

  /** `onCommit` is called after each commit, with the ids of new messages. */
  constructor(means: FilingMeans, onCommit: (ids: readonly number[]) => void = () => undefined) {
    this.#means = means;
    this.#onCommit = onCommit;
  }

  /** Whether the file is being read or committed. */
  isUnderWay(file: FoundFile): boolean {
    return this.#underWay.has(keyOf(file));
  }

  /**
   * Resolves when all files are read and handed over; `settled` resolves when they are committed. So the next files are
   * read while these are committed. Rejects with the error of an earlier commit.
   */
  async file(
    found: readonly PendingFile[],
    origin: "relay" | "walk",
    signal?: AbortSignal,
  ): Promise<void> {
    const unique = new Map(found.map((file) => [keyOf(file), file]));
    const files = Array.from(unique.values()).filter((file) => !this.isUnderWay(file));
    const keys = files.map(keyOf);
    for (const key of keys) this.#underWay.add(key);
    try {
      const { reader } = this.#means;
      const isNew = (file: PendingFile) =>
        reader.known(file.account, file.directory, file.name) === undefined;
      const fresh = files.filter(isNew);
      const urgency = origin === "relay" ? "delivery" : "walk";
      const read = await this.#read(fresh, urgency, signal);
      await this.#committing;
      this.#committing = this.#commit(files, read, origin).finally(() => {
        for (const key of keys) this.#underWay.delete(key);
      });
      // The error is thrown by the next call, or by settled().
      this.#committing.catch(() => undefined);
    } catch (error) {
      for (const key of keys) this.#underWay.delete(key);
      throw error;
    }
  }

  /** Resolves when everything that was handed over is committed. Rejects if it could not be. */
  async settled(): Promise<void> {
    const committing = this.#committing;
    this.#committing = Promise.resolve();
    await committing;
  }

  /**
   * Reads files again whose rows have these ids, and replaces the rows. A file that cannot be read keeps its row. The
   * manifest has them already.
   */
  async refile(rows: ReadonlyMap<PendingFile, number>, signal?: AbortSignal): Promise<void> {
    const { messages } = await this.#read(Array.from(rows.keys()), "walk", signal);
    const ids = new Map(Array.from(rows, ([file, id]) => [keyOf(file), id]));
    for (const batch of inBatches(messages)) {
      const gone = batch.flatMap((message) => ids.get(keyOf(message)) ?? []);
      this.#onCommit(this.#means.writer.commit({ gone, messages: batch }, this.#means.clock.now()));
      await nextTurn();
    }
  }

  async #read(
    files: readonly PendingFile[],
    urgency: "delivery" | "walk",
    signal: AbortSignal | undefined,
  ): Promise<Read> {
    const { root, texts } = this.#means;
    const messages: NewMessage[] = [];
    const failed: PendingFile[] = [];
    const read = async (file: PendingFile) => {
      const path = join(accountDirectory(root, file.account), file.directory, maildirPath(file));
      try {
        const extract = await texts.extract(path, urgency, signal);
        if (extract !== "gone") messages.push(newMessage(file, extract));
      } catch (error) {
        if (signal?.aborted === true) throw error;
        failed.push(file);
      }
    };
    await withRoom(files, read);
    return { messages, failed };
  }

  async #commit(
    files: readonly PendingFile[],
    { messages, failed }: Read,
    origin: "relay" | "walk",
  ): Promise<void> {
    const { writer, manifest, clock, originOf } = this.#means;
    const entries = messages.map((message) =>
      entryOf(message, origin === "relay" ? origin : originOf(message)),
    );
    if (entries.length > 0) await manifest.append(entries);
    const unread = new Set(failed);
    const done = files.filter((file) => !unread.has(file));
    const batches = inBatches(messages);
    const last = batches.pop() ?? [];
    for (const batch of batches) {
      this.#onCommit(writer.commit({ messages: batch }, clock.now()));
      await nextTurn();
    }
    this.#onCommit(writer.commit({ messages: last, done, failed }, clock.now()));
  }
}

/** Files that are read at the same time, and the octets that they may have together: their texts are in memory. */
const FILES_MAX = 32;
const OCTETS_MAX = 16 * 1024 * 1024;

/** Octets of a file beyond which its text does not grow. */
const FILE_MAX = 4 * 1024 * 1024;

/** Reads the files, some at a time. */
async function withRoom(
  files: readonly PendingFile[],
  read: (file: PendingFile) => Promise<void>,
): Promise<void> {
  const reading = new Map<Promise<void>, number>();
  for (const file of files) {
    const octets = Math.min(file.size, FILE_MAX);
    while (!hasRoom(reading, octets)) await Promise.race(reading.keys());
    const one: Promise<void> = read(file).finally(() => reading.delete(one));
    reading.set(one, octets);
  }
  await Promise.all(reading.keys());
}

function hasRoom(reading: ReadonlyMap<unknown, number>, octets: number): boolean {
  if (reading.size === 0) return true;
  const all = reading.values().reduce((sum, own) => sum + own, octets);
  return reading.size < FILES_MAX && all <= OCTETS_MAX;
}

/** Batches of bounded text, so that no commit takes long. */
function inBatches(messages: readonly NewMessage[]): NewMessage[][] {
  const batches: NewMessage[][] = [];
  let size = Infinity;
  for (const message of messages) {
    const { body, attachmentTexts } = message.extract;
    const own = body.length + attachmentTexts.reduce((sum, text) => sum + text.length, 0);
    if (size + own > TEXT_MAX) {
      batches.push([]);
      size = 0;
    }
    size += own;
    batches.at(-1)?.push(message);
  }
  return batches;
}

/**
 * The time of delivery is the file's mtime, or the relay's own Delivery-date line if the mtime is younger. The line has
 * whole seconds, so within its second the mtime counts.
 */
function newMessage(file: PendingFile, extract: Extract): NewMessage {
  const { account, directory, part, name, suffix, delivered } = file;
  const { deliveryDate } = extract;
  const isYounger =
    deliveryDate !== undefined && Math.floor(delivered / 1000) > Math.floor(deliveryDate / 1000);
  const deliveredAt = Math.floor(isYounger ? deliveryDate : delivered);
  return { account, directory, part, name, suffix, deliveredAt, extract };
}

function entryOf(message: NewMessage, origin: Origin): ManifestEntry {
  const { account, directory, extract } = message;
  const { size, sha256 } = extract;
  const folder = folderNameOf(directory);
  return { word: "file", account, folder, place: maildirPath(message), size, sha256, origin };
}

function keyOf({ account, directory, name }: FoundFile): string {
  return `${account}/${directory}/${name}`;
}

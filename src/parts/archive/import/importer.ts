// Puts the messages of sources into the Maildirs of one account: each once, durably, with its own time.
//
// Invariants:
//
// - A message whose content the account has is not written again, whether it came by the relay, by an earlier import that
//   was killed, or in the same run.
// - At most WRITES_MAX small messages are in memory. A larger message goes straight to its draft.

import { createHash, type Hash } from "node:crypto";
import type { Clock } from "../../../base/clock.ts";
import type { Draft, NewFiles } from "../../../maildir/new-files.ts";
import { folderDirectoryOf } from "../model/folder-name.ts";
import { importKey } from "../model/imported-name.ts";
import { accountDirectory } from "../model/maildir-place.ts";
import { safeFolder } from "./folder-choice.ts";
import { folderOfLabels } from "./gmail-labels.ts";
import type { KnownContents } from "./known-contents.ts";
import { withArchiveLineEnds } from "./line-ends.ts";
import { HEAD_MAX, type MessageHead, readMessageHead } from "./message-head.ts";
import { type Source, SourceError, type SourceItem, type SourceMessage } from "./source.ts";
import { WriteLanes } from "./write-lanes.ts";

export interface ImportTarget {
  /** The archive's directory. */
  readonly directory: string;
  readonly account: string;
  /** The folder for every message; absent: the one that the source names. */
  readonly folder?: string | undefined;
  readonly files: Pick<NewFiles, "begin">;
  /** The contents that the account has. */
  readonly known: KnownContents;
  /** Names of the relay, in lower case. */
  readonly ownHosts: ReadonlySet<string>;
  readonly clock: Pick<Clock, "now">;
}

export interface ImportCounts {
  imported: number;
  duplicates: number;
  refused: number;
  skipped: number;
}

/** Hears what becomes of the messages, while the import runs. */
export interface ImportListener {
  /** A message that cannot be imported, or the rest of a source. */
  refused(where: string, why: string): void;
  skipped(where: string): void;
  /** Called often. */
  progress(counts: Readonly<ImportCounts>, source: Source): void;
}

/** Octets. A longer message is written to its draft while it is read. It holds every head that is looked at. */
const SMALL_MAX = 1024 * 1024;
const WRITES_MAX = 16;
/** Octets: more than any mail server takes. */
const MESSAGE_MAX = 1024 * 1024 * 1024;
const DAY = 24 * 60 * 60 * 1000;

export class Importer {
  readonly counts: ImportCounts = { imported: 0, duplicates: 0, refused: 0, skipped: 0 };
  readonly #target: ImportTarget;
  readonly #listener: ImportListener;
  readonly #lanes = new WriteLanes(WRITES_MAX);

  constructor(target: ImportTarget, listener: ImportListener) {
    this.#target = target;
    this.#listener = listener;
  }

  /** Rejects if a message cannot be written: what was imported before it stays. */
  async take(source: Source, signal?: AbortSignal): Promise<void> {
    try {
      for await (const item of source.items()) {
        signal?.throwIfAborted();
        await this.#takeItem(item);
        this.#listener.progress(this.counts, source);
      }
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.#refuse(error.where, error.message);
    } finally {
      await this.#lanes.idle();
    }
  }

  async #takeItem(item: SourceItem): Promise<void> {
    if (item.kind === "message") return this.#takeMessage(item);
    if (item.kind === "refused") return this.#refuse(item.where, item.why);
    if (item.kind === "known") return void (this.counts.duplicates += 1);
    this.counts.skipped += 1;
    this.#listener.skipped(item.where);
  }

  #refuse(where: string, why: string): void {
    this.counts.refused += 1;
    this.#listener.refused(where, why);
  }

  async #takeMessage(message: SourceMessage): Promise<void> {
    const pieces = withArchiveLineEnds(message);
    const first: Buffer[] = [];
    let size = 0;
    try {
      while (size <= SMALL_MAX) {
        const { done, value } = await pieces.next();
        if (done === true) return await this.#takeSmall(message, Buffer.concat(first));
        first.push(value);
        size += value.length;
      }
      await this.#takeLarge(message, Buffer.concat(first), pieces);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.#refuse(error.where, error.message);
    } finally {
      await pieces.return(undefined);
    }
  }

  async #takeSmall(message: SourceMessage, bytes: Buffer): Promise<void> {
    const head = this.#headOf(bytes);
    const hashes = head.starts.map((start) => hashOf(bytes.subarray(start)));
    const key = this.#newContent(hashes, message.mark);
    if (key === undefined) return;
    await this.#lanes.run(async () => {
      const draft = await this.#target.files.begin(this.#maildirFor(message, head));
      await discardedOnError(draft, () => draft.write(bytes));
      await draft.place(key, this.#timeFor(message, head));
      this.counts.imported += 1;
    });
  }

  async #takeLarge(
    message: SourceMessage,
    first: Buffer,
    rest: AsyncIterable<Buffer>,
  ): Promise<void> {
    const head = this.#headOf(first);
    const hashes = head.starts.map((start) => createHash("sha256").update(first.subarray(start)));
    const draft = await this.#target.files.begin(this.#maildirFor(message, head));
    await discardedOnError(draft, () => fill(draft, first, rest, hashes, message.where));
    const key = this.#newContent(
      hashes.map((hash) => hash.digest()),
      message.mark,
    );
    if (key === undefined) return draft.discard();
    await draft.place(key, this.#timeFor(message, head));
    this.counts.imported += 1;
  }

  #headOf(bytes: Buffer): MessageHead {
    return readMessageHead(bytes.subarray(0, HEAD_MAX), this.#target.ownHosts);
  }

  /** The key for the name of a content that is new; undefined for a duplicate. */
  #newContent(hashes: readonly Buffer[], mark: string | undefined): string | undefined {
    const { known } = this.#target;
    const isKnown = hashes.some((hash) => known.has(hash));
    for (const hash of hashes) known.add(hash);
    const last = hashes.at(-1);
    if (isKnown || last === undefined) {
      this.counts.duplicates += 1;
      return undefined;
    }
    return importKey({ sha256: last.toString("hex"), mark });
  }

  #maildirFor(message: SourceMessage, { labels }: MessageHead): string {
    const { account, directory, folder } = this.#target;
    const isLabelled = message.hasLabels === true && labels !== undefined;
    const labelled = isLabelled ? folderOfLabels(labels) : undefined;
    const name = safeFolder(folder ?? message.folder ?? labelled ?? message.place ?? "INBOX");
    const below = folderDirectoryOf(name);
    const maildir = accountDirectory(directory, account);
    return below === "" ? maildir : `${maildir}/${below}`;
  }

  /** A time that lies in the future, or before mail existed, is none. */
  #timeFor(message: SourceMessage, head: MessageHead): number {
    const now = this.#target.clock.now();
    return (
      [message.time, head.time].find(
        (time) => time !== undefined && time > 0 && time < now + DAY,
      ) ?? now
    );
  }
}

function hashOf(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

async function fill(
  draft: Draft,
  first: Buffer,
  rest: AsyncIterable<Buffer>,
  hashes: readonly Hash[],
  where: string,
): Promise<void> {
  await draft.write(first);
  for await (const piece of rest) {
    if (draft.size + piece.length > MESSAGE_MAX) {
      throw new SourceError(where, "the message is larger than 1 GiB");
    }
    for (const hash of hashes) hash.update(piece);
    await draft.write(piece);
  }
}

async function discardedOnError(draft: Draft, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // The first error says more than one about what is left.
    await Promise.allSettled([draft.discard()]);
    throw error;
  }
}

// One lsearch file, held in memory and read again as soon as it changes. A lookup costs one stat and, while the
// file stays as it is, answers at once.
//
// Invariant: what we could not read is "defer", never "not there". The answer comes from one whole file: a file
// that is replaced by rename while we read gives either the old list or the new one.

import { type BigIntStats, statSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Log } from "../log.ts";
import type { MaybePromise } from "./lists.ts";
import { type EntryMeaning, type LsearchTable, parseLsearch } from "./lsearch-text.ts";

export type LsearchAnswer =
  | { readonly table: LsearchTable }
  /** Why the file cannot be read. */
  | { readonly error: string };

export interface Lsearch {
  read(): MaybePromise<LsearchAnswer>;
}

/** So soon after its last change a file may change again and look the same: clocks of file systems tick slowly. */
const RACY_MS = 50;

/** An editor that writes in place leaves a file empty for a moment; a list is not believed to be gone before that. */
const SETTLING_MS = 1000;

/** Changes in place while we read, in a row, before we give up for this lookup. */
const READS_MAX = 3;

interface Loaded {
  /** How the file looked; absent when it must be read again at the next lookup in any case. */
  readonly seen?: BigIntStats;
  readonly answer: LsearchAnswer;
}

/** `name` is how the configuration calls it: "lsearch:gmail_accounts". Entries are names, unless told otherwise. */
export function openLsearch(path: string, name: string, log: Log, meaning?: EntryMeaning): Lsearch {
  let loaded: Loaded | undefined;
  let hadEntries = false;
  let reading: Promise<LsearchAnswer> | undefined;
  let reported: string | undefined;

  /** Logs a trouble when it begins, not at every lookup. */
  const report = (answer: LsearchAnswer) => {
    const error = "error" in answer ? answer.error : undefined;
    if (error !== undefined && error !== reported)
      log.event("lookup.failed", { lookup: name, error });
    reported = error;
    return answer;
  };

  const reload = async () => {
    loaded = await load(path, hadEntries, meaning);
    reading = undefined;
    if ("table" in loaded.answer) hadEntries = loaded.answer.table.size > 0;
    return report(loaded.answer);
  };

  /** In one turn of the event loop one look at the file is enough. */
  let looked = false;

  return {
    read() {
      if (looked && loaded?.seen !== undefined) return loaded.answer;
      try {
        const now = statSync(path, { bigint: true });
        // Opening a pipe would wait for a writer.
        if (!now.isFile()) return report({ error: "is not a regular file" });
        if (loaded?.seen !== undefined && isSame(loaded.seen, now)) {
          looked = true;
          setImmediate(() => (looked = false));
          return loaded.answer;
        }
      } catch (error) {
        return report({ error: messageOf(error) });
      }
      reading ??= reload();
      return reading;
    },
  };
}

async function load(
  path: string,
  hadEntries: boolean,
  meaning: EntryMeaning | undefined,
): Promise<Loaded> {
  try {
    await using file = await open(path, "r");
    for (let reads = 1; reads <= READS_MAX; reads++) {
      const before = await file.stat({ bigint: true });
      const bytes = Buffer.alloc(Number(before.size));
      // From position 0 at every try; a file that shrank meanwhile is noticed by the comparison below.
      await readWhole(file, bytes);
      const after = await file.stat({ bigint: true });
      if (!isSame(before, after)) continue;

      const age = Date.now() - Number(after.mtimeMs);
      if (bytes.length === 0 && hadEntries && age >= 0 && age < SETTLING_MS) {
        return { answer: { error: "has just become empty" } };
      }
      const answer = await decode(bytes, meaning);
      return age >= 0 && age < RACY_MS ? { answer } : { seen: after, answer };
    }
    return { answer: { error: "changes while it is read" } };
  } catch (error) {
    return { answer: { error: messageOf(error) } };
  }
}

interface Readable {
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }>;
}

async function readWhole(file: Readable, into: Buffer): Promise<void> {
  for (let filled = 0; filled < into.length;) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, filled);
    if (bytesRead === 0) return;
    filled += bytesRead;
  }
}

async function decode(bytes: Buffer, meaning: EntryMeaning | undefined): Promise<LsearchAnswer> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { error: "is not valid UTF-8" };
  }
  return { table: await parseLsearch(text, meaning) };
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return (
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.dev === b.dev
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

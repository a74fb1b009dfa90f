// Makes the index again from the Maildirs: a whole one beside the one that serves, or the messages of one account in it.
//
// Invariant: the index that serves stays as it is until the new one is whole and its files are on disk. A file that the
// old index knows gets no second line in the manifest, also if it has changed since: the manifest keeps what it was.

import { setImmediate as nextTurn } from "node:timers/promises";
import { join } from "node:path";
import { folderDirectoryOf } from "../model/folder-name.ts";
import { accountDirectory, maildirFile, maildirPath } from "../model/maildir-place.ts";
import { openForWriting, type OpenIndex } from "./archive-index.ts";
import { Filing, type FilingMeans, type ManifestSink } from "./filing.ts";
import { Findings } from "./findings.ts";
import { buildingIndex } from "./index-files.ts";
import type { IndexReader, KnownFolder } from "./index-reader.ts";
import type { IndexChanges } from "./index-writer.ts";
import type { Looks } from "./looks.ts";
import type { PendingFile } from "./pending.ts";
import { Walk, WalkMemory } from "./walk.ts";

const FILES_AT_ONCE = 64;

/** Walks until nothing new is found, but no more than this: the walk after the change finds the rest. */
const ROUNDS_MAX = 3;

export interface ReindexMeans extends Omit<FilingMeans, "reader" | "writer"> {
  readonly state: string;
  readonly looks: Looks;
}

/** A manifest for files that another index does not know. */
export function manifestBeside(
  manifest: ManifestSink,
  known: Pick<IndexReader, "known"> | undefined,
): ManifestSink {
  if (known === undefined) return manifest;
  return {
    append: (entries) => {
      const added = entries.filter((entry) => {
        if (entry.word !== "file") return true;
        const { account, folder, place } = entry;
        const slash = place.indexOf("/");
        const { name } = maildirFile("new", place.slice(slash + 1));
        return known.known(account, folderDirectoryOf(folder), name) === undefined;
      });
      return added.length === 0 ? Promise.resolve() : manifest.append(added);
    },
  };
}

/**
 * Makes a whole index in its file, and closes it. `onProgress` gets the number of its messages. Rejects on abort, or if
 * a walk cannot be finished.
 */
export async function buildIndex(
  means: ReindexMeans,
  signal: AbortSignal,
  onProgress: (messages: number) => void,
): Promise<void> {
  const open = openForWriting(buildingIndex(means.state));
  const { reader, writer } = open;
  if (writer === undefined) return;
  try {
    const memory = new WalkMemory(means.clock);
    const filing = new Filing({ ...means, reader, writer });
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await walkOnce(means, open, memory, signal);
      if (!reader.hasPending) break;
      await fileAll(means, { ...open, writer }, filing, { signal, onProgress });
    }
    while (writer.tidy()) await nextTurn();
  } finally {
    reader.close();
    writer.close();
  }
}

async function walkOnce(
  { root, looks, clock }: ReindexMeans,
  { reader, writer }: OpenIndex,
  memory: WalkMemory,
  signal: AbortSignal,
): Promise<void> {
  const commit = async (changes: IndexChanges) => {
    writer?.commit(changes, clock.now());
    await nextTurn();
  };
  const findings = new Findings();
  await new Walk({ root, reader, looks, clock, findings, commit }, memory, signal).run();
}

async function fileAll(
  { clock }: ReindexMeans,
  { reader, writer }: Required<OpenIndex>,
  filing: Filing,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (messages: number) => void },
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    await nextTurn();
    const files = writer
      .pending(2 * FILES_AT_ONCE, clock.now())
      .filter((file) => !filing.isUnderWay(file))
      .slice(0, FILES_AT_ONCE);
    if (files.length > 0) await filing.file(files, "walk", signal);
    else {
      await filing.settled();
      if (writer.pending(1, clock.now()).length === 0) return;
    }
    onProgress(reader.totals().messages);
  }
}

/** Reads all messages of an account again, one folder after the other. */
export async function refileAccount(
  { root, looks }: Pick<ReindexMeans, "root" | "looks">,
  reader: IndexReader,
  filing: Filing,
  { account, signal }: { readonly account: string; readonly signal: AbortSignal },
): Promise<void> {
  for (const folder of reader.foldersOf(account)) {
    let after = { hash: -1, id: 0 };
    for (;;) {
      signal.throwIfAborted();
      const rows = reader.namesOf(folder.number, after, FILES_AT_ONCE);
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last;
      await filing.refile(await presentFiles(root, looks, folder, rows), signal);
    }
  }
}

/** Those of the files that are where the index says, by their ids. A walk looks for the others. */
async function presentFiles(
  root: string,
  looks: Looks,
  { account, directory }: KnownFolder,
  rows: ReturnType<IndexReader["namesOf"]>,
): Promise<Map<PendingFile, number>> {
  const maildir = join(accountDirectory(root, account), directory);
  const seen = await looks.look(rows.map(({ file }) => join(maildir, maildirPath(file))));
  return new Map(
    rows.flatMap(({ id, file }, at) => {
      const look = seen[at];
      if (look?.kind !== "file") return [];
      const found = { account, directory, ...file, delivered: look.mtime, size: look.size };
      return [[found, id] as const];
    }),
  );
}

// The only place that deletes mail.
//
// The steps of a batch: holds are asked again, the file is compared with the index, a line `going` for each file is
// written and synced, the files are removed, their directories are synced, the rows of the index are removed, a line
// `gone` is written. A journal in retention.sqlite frames these steps: what a killed process has begun is finished by the
// next one.
//
// Invariants:
// - No file is removed without a synced line `going`, and none that a hold covers.
// - Only a file with the octets that the index knows is removed. An erasure also removes what was changed.
// - After a kill at any step, `resume` leads to the same end as without it, or the file stays and is in the manifest
//   as before.

import { opendir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../../base/durable/directory.ts";
import { errorCode } from "../../../base/error-code.ts";
import type { Manifest } from "../chain/manifest.ts";
import { folderDirectoryOf } from "../model/folder-name.ts";
import { accountDirectory, maildirFile, PARTS } from "../model/maildir-place.ts";
import type { ArchivedMessage } from "../model/message.ts";
import { hashOfFile } from "../proof/file-hash.ts";
import type { Holds } from "./holds.ts";
import type { Messages } from "./messages.ts";
import type { Leaving } from "./plan.ts";
import type { Going, RetentionStore } from "./store.ts";
import type { Turns } from "./turns.ts";

/** What became of a message that was to go. */
export interface Departure {
  /** "held": a hold covers it. "missing": its file is not there any more. "changed": its file is not what the index knows. */
  readonly what: "deleted" | "held" | "missing" | "changed";
  readonly message: ArchivedMessage;
  readonly rule: string;
  /** The path of its file; undefined if it was held or is missing. */
  readonly path?: string;
}

/** The calls by which files go. A test replaces them. */
interface DeletionFiles {
  unlink(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

export interface DeletionMeans {
  /** The directory of the Maildirs. */
  readonly directory: string;
  readonly messages: Messages;
  readonly holds: Holds;
  readonly store: RetentionStore;
  readonly manifest: Pick<Manifest, "append">;
  readonly turns: Turns;
  readonly files?: DeletionFiles;
}

interface Found extends Leaving {
  readonly path: string;
  readonly sha256: string;
}

/** Times that a file is looked for which a reader renames meanwhile. */
const LOOKS = 3;

export class Deletion {
  readonly #means: DeletionMeans;
  readonly #files: DeletionFiles;

  constructor(means: DeletionMeans) {
    this.#means = means;
    this.#files = means.files ?? { unlink, syncDirectory };
  }

  /** Deletes a batch. When this resolves, every step is on disk. `isErasure`: changed files go too. */
  delete(batch: readonly Leaving[], now: number, isErasure = false): Promise<Departure[]> {
    return this.#means.turns.take(() => this.#delete(batch, now, isErasure));
  }

  /** Finishes what a killed process has begun. */
  resume(): Promise<void> {
    return this.#means.turns.take(async () => {
      const { store } = this.#means;
      const begun = store.going();
      if (begun.length === 0) return;
      const rest: (Going & { readonly path: string | undefined })[] = [];
      for (const going of begun) {
        const path = await this.#locate(going);
        if (path !== undefined && !(await this.#mayGo(going))) await this.#cancel(going, path);
        else rest.push({ ...going, path });
      }
      // Its own line may not have been written. A second one does no harm.
      await this.#remove(rest);
    });
  }

  async #delete(batch: readonly Leaving[], now: number, isErasure: boolean): Promise<Departure[]> {
    const { holds, store } = this.#means;
    const free = new Set(
      (await holds.uncovered(batch.map(({ message }) => message))).map(({ id }) => id),
    );
    const departures: Departure[] = [];
    const found: Found[] = [];
    for (const leaving of batch) {
      const { message, rule } = leaving;
      const file = free.has(message.id) ? await this.#find(leaving, isErasure) : "held";
      if (typeof file === "string") departures.push({ what: file, message, rule });
      else found.push(file);
    }
    if (found.length === 0) return departures;
    const going = found.map(goingOf);
    store.begin(going, sumOf(found), now);
    const removed = await this.#remove(
      going.map((each, index) => ({ ...each, path: found[index]?.path })),
    );
    for (const { message, rule, path } of found) {
      if (removed.has(message.id)) departures.push({ what: "deleted", message, rule, path });
      else departures.push({ what: "missing", message, rule });
    }
    return departures;
  }

  /** The file of the message, if it is what the index knows. */
  async #find(leaving: Leaving, isErasure: boolean): Promise<Found | "missing" | "changed"> {
    const { message } = leaving;
    for (let look = 0; look < LOOKS; look++) {
      const path = await this.#means.messages.pathOf(message);
      if (path === undefined) return "missing";
      const seen = await hashOfFile(path);
      if (seen === "gone") continue;
      if (seen === "unreadable") return "changed";
      if (seen.sha256 !== message.sha256 && !isErasure) return "changed";
      return { ...leaving, path, sha256: seen.sha256 };
    }
    return "missing";
  }

  /** All steps from `going` to `gone`. Returns the ids of the files that were there. */
  async #remove(
    files: readonly (Going & { readonly path: string | undefined })[],
  ): Promise<Set<number>> {
    const { manifest, messages, store } = this.#means;
    await manifest.append(files.map((file) => ({ word: "going", ...file })));
    const removed = new Set<number>();
    for (const file of files) if (await this.#unlink(file, file.path)) removed.add(file.id);
    for (const directory of this.#directoriesOf(files)) await this.#sync(directory);
    await messages.remove(files.map(({ id }) => id));
    await manifest.append(files.map((file) => ({ word: "gone", ...file })));
    store.finish(files);
    return removed;
  }

  /** False if the file is not there. A reader may rename it meanwhile. */
  async #unlink(going: Going, first: string | undefined): Promise<boolean> {
    let path = first;
    for (let look = 0; look < LOOKS && path !== undefined; look++) {
      try {
        await this.#files.unlink(path);
        return true;
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
      }
      path = await this.#locate(going);
    }
    return false;
  }

  /** Both directories of each folder: a killed process may have removed the file from either. */
  #directoriesOf(files: readonly Going[]): Set<string> {
    const folders = files.map((file) => this.#folderOf(file));
    return new Set(folders.flatMap((folder) => PARTS.map((part) => join(folder, part))));
  }

  async #sync(directory: string): Promise<void> {
    try {
      await this.#files.syncDirectory(directory);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }

  async #mayGo({ id, account, folder, name, sha256 }: Going): Promise<boolean> {
    const { messages, holds, store } = this.#means;
    const message = await messages.message(id);
    const isSame =
      message?.account === account && message.folder === folder && message.name === name;
    // The index was made anew: the next run decides.
    if (!isSame || store.isCovered(sha256)) return false;
    return (await holds.uncovered([message])).length > 0;
  }

  /** The file stays: the manifest has it as before. */
  async #cancel(going: Going, path: string): Promise<void> {
    const seen = await hashOfFile(path);
    if (typeof seen === "object") {
      const place = join(
        dirname(path).endsWith("/new") ? "new" : "cur",
        path.slice(dirname(path).length + 1),
      );
      const { account, folder, sha256 } = going;
      await this.#means.manifest.append([
        { word: "file", account, folder, place, size: seen.size, sha256, origin: "walk" },
      ]);
    }
    this.#means.store.finish([going]);
  }

  /** The path of the file with this unique name in its folder. */
  async #locate(going: Going): Promise<string | undefined> {
    for (const part of PARTS) {
      const directory = join(this.#folderOf(going), part);
      try {
        for await (const { name } of await opendir(directory, { bufferSize: 1000 })) {
          if (maildirFile(part, name).name === going.name) return join(directory, name);
        }
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
      }
    }
    return undefined;
  }

  #folderOf({ account, folder }: Going): string {
    return join(accountDirectory(this.#means.directory, account), folderDirectoryOf(folder));
  }
}

function goingOf({ message, rule, sha256 }: Found): Going {
  const { id, account, folder, name } = message;
  return { id, account, folder, name, sha256, rule };
}

function sumOf(found: readonly Found[]): { octets: number; inodes: number } {
  const sum = { octets: 0, inodes: 0 };
  for (const { freed } of found) {
    sum.octets += freed.octets;
    sum.inodes += freed.inodes;
  }
  return sum;
}

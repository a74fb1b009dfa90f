// Compares the files in new/ or cur/ of a folder with the index.
//
// Invariant: memory is bounded by 8 octets a file. Nothing is removed from the index that may only have been renamed
// while the directory was read: a row without a file goes when a second listing does not find its file either.

import { join } from "node:path";
import { errorCode } from "../../../base/error-code.ts";
import type { MaildirFile, MaildirPart } from "../model/maildir-place.ts";
import { accountDirectory, maildirFile, maildirPath } from "../model/maildir-place.ts";
import type { Findings } from "./findings.ts";
import type { IndexReader, KnownFolder } from "./index-reader.ts";
import type { IndexChanges } from "./index-writer.ts";
import type { Looks } from "./looks.ts";
import type { PendingFile } from "./pending.ts";
import { nameHash, placeColumn } from "./rows.ts";

const ROWS_AT_ONCE = 500;

export interface ListingMeans {
  readonly root: string;
  readonly reader: IndexReader;
  readonly looks: Pick<Looks, "look" | "names">;
  readonly findings: Findings;
  /** Resolves when the changes are in force. */
  readonly commit: (changes: IndexChanges) => Promise<void>;
}

export class PartListing {
  readonly #means: ListingMeans;
  readonly #folder: KnownFolder;
  readonly #part: MaildirPart;
  readonly #directory: string;
  readonly #hashes = new HashList();
  /** Files that have a row which says that they are here. */
  #known = 0;

  constructor(means: ListingMeans, folder: KnownFolder, part: MaildirPart) {
    this.#means = means;
    this.#folder = folder;
    this.#part = part;
    this.#directory = join(accountDirectory(means.root, folder.account), folder.directory, part);
  }

  /**
   * Notes new and moved files. Returns whether the index has files that are not here. Rejects with the error of the
   * system, or LookHangs.
   */
  async compare(): Promise<boolean> {
    const { looks, reader } = this.#means;
    try {
      for await (const names of looks.names(this.#directory)) await this.#compareNames(names);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
    const folder = reader.folder(this.#folder.number);
    const rows = folder && (this.#part === "new" ? folder.fresh : folder.messages - folder.fresh);
    return rows !== undefined && rows !== this.#known;
  }

  /** Removes the rows of files that `compare` has not found and that are not there. */
  async removeMissing(): Promise<void> {
    this.#hashes.sort();
    let after = { hash: -1, id: 0 };
    for (;;) {
      const rows = this.#means.reader.namesOf(this.#folder.number, after, ROWS_AT_ONCE);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last;
      const missing = rows.filter(
        ({ hash, file }) => file.part === this.#part && !this.#hashes.has(hash),
      );
      const looks = await this.#means.looks.look(missing.map(({ file }) => this.#path(file)));
      const gone = missing.filter((_, at) => looks[at] === undefined).map(({ id }) => id);
      if (gone.length > 0) await this.#means.commit({ gone });
    }
  }

  #path({ name, suffix }: Pick<MaildirFile, "name" | "suffix">): string {
    return join(this.#directory, name + suffix);
  }

  async #compareNames(names: readonly string[]): Promise<void> {
    const unknown: MaildirFile[] = [];
    const moved: { id: number; file: MaildirFile }[] = [];
    for (const fileName of names) {
      if (fileName.startsWith(".")) continue;
      const file = maildirFile(this.#part, fileName);
      this.#hashes.add(nameHash(file.name));
      const known = this.#means.reader.knownIn(this.#folder.number, file.name);
      if (known === undefined) unknown.push(file);
      else {
        this.#known += 1;
        if (known.place !== placeColumn(file)) moved.push({ id: known.id, file });
      }
    }
    const found = await this.#found(unknown);
    if (found.length > 0 || moved.length > 0) await this.#means.commit({ found, moved });
  }

  async #found(files: readonly MaildirFile[]): Promise<PendingFile[]> {
    const { looks, findings } = this.#means;
    const seen = await looks.look(files.map((file) => this.#path(file)));
    const { account, directory } = this.#folder;
    return files.flatMap((file, at) => {
      const look = seen[at];
      const path = join(account, directory, maildirPath(file));
      if (look === undefined) {
        if (file.name.includes("\uFFFD")) findings.add(path, "the name is not UTF-8");
        return [];
      }
      if (look.kind === "unreadable") findings.add(path, look.message);
      else if (look.kind !== "file") findings.add(path, "not a regular file");
      else return [{ account, directory, ...file, delivered: look.mtime, size: look.size }];
      return [];
    });
  }
}

/** Hashes of names, in 8 octets each. */
class HashList {
  #hashes = new Float64Array(64);
  #length = 0;

  add(hash: number): void {
    if (this.#length === this.#hashes.length) {
      const larger = new Float64Array(this.#length * 2);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[this.#length] = hash;
    this.#length += 1;
  }

  /** Before the first `has`. */
  sort(): void {
    this.#hashes = this.#hashes.subarray(0, this.#length).toSorted();
  }

  has(hash: number): boolean {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#hashes[middle] ?? Infinity) < hash) low = middle + 1;
      else high = middle;
    }
    return this.#hashes[low] === hash;
  }
}

// A directory: Maildirs (with the folders of Maildir++), mboxes and .eml files, in it and below. Symbolic links are not
// followed.

import { constants, type Dirent } from "node:fs";
import { type FileHandle, open, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cannotRead } from "../../../base/file-errors.ts";
import { errorCode } from "../../../base/error-code.ts";
import { type ExportMark, MARK_FILE, parseExportMark } from "../formats/export-mark.ts";
import { folderOfPath } from "../formats/folder-path.ts";
import { folderNameOf } from "../model/folder-name.ts";
import { fileKind, KIND_OCTETS } from "./file-kind.ts";
import { mboxItems } from "./mbox-items.ts";
import { octetsOfFile } from "./octets-of-file.ts";
import { readErrors, type Source, type SourceItem } from "./source.ts";

const MAILDIR_PARTS = ["new", "cur"];
const DEPTH_MAX = 50;

/** A directory on the way, and where its messages belong. */
interface Place {
  readonly path: string;
  /** The directories below the source, without those that name an account. */
  readonly components: readonly string[];
  /** How many directories below this one still name the account. */
  readonly accountLevels: number;
  readonly depth: number;
}

export class DirectorySource implements Source {
  readonly name: string;
  readonly size = undefined;
  read = 0;
  #isOurs = false;

  constructor(name: string) {
    this.name = name;
  }

  async *items(): AsyncGenerator<SourceItem> {
    const mark = await markIn(this.name);
    this.#isOurs = mark !== undefined;
    const own = basename(this.name);
    const components = own.startsWith(".") && own.length > 1 ? folderNameOf(own).split("/") : [];
    const accountLevels = mark?.accountLevels ?? 0;
    yield* this.#walk({ path: this.name, components, accountLevels, depth: 0 });
  }

  async *#walk(place: Place): AsyncGenerator<SourceItem> {
    let entries: Dirent[];
    try {
      entries = await readdir(place.path, { withFileTypes: true });
    } catch (error) {
      return yield { kind: "refused", where: place.path, why: cannotRead("it", error) };
    }
    if (place.depth > DEPTH_MAX) {
      return yield { kind: "refused", where: place.path, why: "it is too deep" };
    }
    const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const isMaildir = MAILDIR_PARTS.every((part) => directories.includes(part));
    if (isMaildir) yield* this.#maildir(place);
    else for (const entry of entries) if (!entry.isDirectory()) yield* this.#file(place, entry);
    for (const name of directories.toSorted()) {
      if (isMaildir && [...MAILDIR_PARTS, "tmp"].includes(name)) continue;
      const below = await this.#below(place, name);
      if (below !== undefined) yield* this.#walk(below);
    }
  }

  /** Undefined for a directory that holds no mail: it is hidden, and no folder of Maildir++. */
  async #below(place: Place, name: string): Promise<Place | undefined> {
    const path = join(place.path, name);
    const { components, depth } = place;
    if (name.startsWith(".")) {
      const parts = folderNameOf(name).split("/");
      const names = await namesIn(path);
      if (!MAILDIR_PARTS.every((part) => names.includes(part))) return undefined;
      return { path, components: [...components, ...parts], accountLevels: 0, depth: depth + 1 };
    }
    const isAccount = place.accountLevels > 0;
    return {
      path,
      components: isAccount ? components : [...components, name],
      accountLevels: Math.max(0, place.accountLevels - 1),
      depth: depth + 1,
    };
  }

  async *#maildir(place: Place): AsyncGenerator<SourceItem> {
    const folder = place.components.join("/") || "INBOX";
    for (const part of MAILDIR_PARTS) {
      const directory = join(place.path, part);
      for (const name of await namesIn(directory)) {
        if (name.startsWith(".")) continue;
        yield* this.#message(join(directory, name), { folder });
      }
    }
  }

  async *#file(place: Place, entry: Dirent): AsyncGenerator<SourceItem> {
    const { name } = entry;
    const path = join(place.path, name);
    if (name === MARK_FILE) return;
    if (!entry.isFile() || name.startsWith(".")) return yield { kind: "skipped", where: path };
    const here = place.components.join("/");
    if (/\.eml$/i.test(name)) {
      const folder = this.#isOurs ? folderOfPath(here) || "INBOX" : undefined;
      return yield* this.#message(path, { folder, place: here || undefined });
    }
    yield* this.#mbox(path, here === "" ? mboxFolder(name) : `${here}/${mboxFolder(name)}`);
  }

  async *#mbox(path: string, place: string): AsyncGenerator<SourceItem> {
    const file = await opened(path);
    if ("why" in file) return yield { kind: "refused", where: path, why: file.why };
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(KIND_OCTETS), 0, KIND_OCTETS, 0);
      const kind = fileKind(path, buffer.subarray(0, bytesRead));
      if (kind !== "mbox") return yield { kind: "skipped", where: path };
      yield* mboxItems(readErrors(this.#octets(file), path), path, place);
    } finally {
      await file.close();
    }
  }

  async *#message(
    path: string,
    { folder, place }: { readonly folder: string | undefined; readonly place?: string | undefined },
  ): AsyncGenerator<SourceItem> {
    const file = await opened(path);
    if ("why" in file) return yield { kind: "refused", where: path, why: file.why };
    try {
      const status = await file.stat();
      if (!status.isFile()) return yield { kind: "skipped", where: path };
      yield {
        kind: "message",
        where: path,
        folder,
        place,
        time: status.mtimeMs,
        lineEnds: this.#isOurs ? "kept" : "look",
        body: readErrors(this.#octets(file), path),
      };
    } finally {
      await file.close();
    }
  }

  #octets(file: FileHandle): AsyncIterable<Buffer> {
    return octetsOfFile(file, (octets) => (this.read += octets));
  }
}

/** "Work" for "Work.mbox"; the inbox for "Inbox". */
function mboxFolder(name: string): string {
  const folder = name.replace(/\.(?:mbox|mbx)$/i, "");
  return folder.toLowerCase() === "inbox" ? "INBOX" : folder;
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "EACCES") return [];
    throw error;
  }
}

async function opened(path: string): Promise<FileHandle | { readonly why: string }> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return { why: cannotRead("it", error) };
  }
}

async function markIn(directory: string): Promise<ExportMark | undefined> {
  try {
    return parseExportMark(await readFile(join(directory, MARK_FILE), "utf8"));
  } catch {
    return undefined;
  }
}

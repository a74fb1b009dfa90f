// Reads the header sections of the messages in Maildirs: the inbox, .Sent and every other folder.
//
// Invariants:
//
// - A mail reader may move a file from new/ to cur/ or rename it at any time: the message is read once all the same.
// - Nothing is changed. Only regular files are opened, and at most HEAD_MAX octets of each are read.
// - What cannot be read is counted, and never passes for a message that is not there.

import { lstat, open, opendir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { errorCode } from "../../../base/error-code.ts";
import { cannotRead } from "../../../base/file-errors.ts";
import { given } from "../../../base/given.ts";
import { parseHeaderFields } from "../../../mail/header-fields.ts";
import type { AccountMaildir, Direction } from "../maildirs.ts";
import { inLanes } from "../lanes.ts";
import { type Identity, messageIdsIn, signatureOf } from "./message-ids.ts";

export interface ArchiveMessage extends Identity {
  /** The time of delivery, in ms since the epoch. */
  readonly time: number;
  readonly folder: Folder;
  readonly name: string;
}

/** A Maildir with mail of the account: its inbox, its sent mail, or a folder in one of these. */
export interface Folder {
  readonly path: string;
  readonly direction: Direction;
  readonly isShared: boolean;
}

/** Octets of the longest header section that the relay accepts, and of the fields that it adds. */
const HEAD_MAX = 1024 * 1024 + 64 * 1024;
const PIECE = 16 * 1024;
const LANES = 8;
/** Looks for files that were renamed while they were read. */
const ROUNDS = 3;
const UNREADABLE_SHOWN = 20;

export class Archive {
  /** The first files and folders that cannot be read, each with its reason. */
  readonly unreadable: string[] = [];
  readonly #unreadablePaths = new Set<string>();
  /** Those that the last reading has found. */
  folders: readonly Folder[] = [];
  readonly #maildirs: readonly AccountMaildir[];

  /** Maildirs that do not exist have no messages. */
  constructor(maildirs: readonly AccountMaildir[]) {
    this.#maildirs = maildirs;
  }

  get unreadableCount(): number {
    return this.#unreadablePaths.size;
  }

  /** Maildirs come before the folders in them, because .Sent is both. Two names of a directory are one folder. */
  async #findFolders(): Promise<readonly Folder[]> {
    const found: Folder[] = [...this.#maildirs];
    for (const { path, direction, isShared } of this.#maildirs) {
      const inner = isShared ? [] : await this.#foldersIn(path);
      found.push(...inner.map((folder) => ({ path: folder, direction, isShared })));
    }
    const folders = new Map<string, Folder>();
    for (const folder of found) {
      const real = await this.#realPath(folder.path);
      if (real !== undefined && !folders.has(real)) folders.set(real, folder);
    }
    return [...folders.values()];
  }

  /** Undefined if there is no such directory, or if it cannot be reached. */
  async #realPath(path: string): Promise<string | undefined> {
    try {
      return await realpath(path);
    } catch (error) {
      this.#cannotRead(path, error);
      return undefined;
    }
  }

  /** Maildir++: the folders of a Maildir are directories in it whose names begin with a dot. */
  async #foldersIn(maildir: string): Promise<string[]> {
    const found: string[] = [];
    try {
      for await (const entry of await opendir(maildir)) {
        const isFolder = entry.isDirectory() || entry.isSymbolicLink();
        if (isFolder && entry.name.startsWith(".")) found.push(join(maildir, entry.name));
      }
    } catch (error) {
      this.#cannotRead(maildir, error);
    }
    return found;
  }

  /** Calls `read` for each message whose time is wanted. */
  async messages(
    isWanted: (time: number) => boolean,
    read: (message: ArchiveMessage) => void,
  ): Promise<void> {
    this.folders = await this.#findFolders();
    for (const folder of this.folders) {
      /** The unique parts of the names that were read. */
      const done = new Set<string>();
      for (let round = 0, hasVanished = true; hasVanished && round < ROUNDS; round++) {
        hasVanished = false;
        for (const box of ["new", "cur"]) {
          await inLanes(this.#names(join(folder.path, box)), LANES, async (name) => {
            const unique = uniqueName(name);
            if (done.has(unique)) return;
            const found = await this.#message(folder, join(box, name), isWanted);
            if (found === "vanished") hasVanished = true;
            else if (found !== "unwanted") done.add(unique);
            if (typeof found === "object") read(found);
          });
        }
      }
    }
  }

  async *#names(directory: string): AsyncIterable<string> {
    try {
      for await (const { name } of await opendir(directory, { bufferSize: 1024 })) {
        if (!name.startsWith(".")) yield name;
      }
    } catch (error) {
      this.#cannotRead(directory, error);
    }
  }

  async #message(
    folder: Folder,
    name: string,
    isWanted: (time: number) => boolean,
  ): Promise<ArchiveMessage | "vanished" | "unwanted" | "unreadable"> {
    const path = join(folder.path, name);
    try {
      const found = await lstat(path);
      if (!found.isFile() || !isWanted(found.mtimeMs)) return "unwanted";
      const identity = identityIn(await headOf(path));
      if (identity !== undefined) return { ...identity, time: found.mtimeMs, folder, name };
      this.#unreadable(path, `${path}: its header section cannot be read`);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return "vanished";
      this.#cannotRead(path, error);
    }
    return "unreadable";
  }

  #cannotRead(path: string, error: unknown): void {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR") this.#unreadable(path, cannotRead(path, error));
  }

  #unreadable(path: string, what: string): void {
    if (this.#unreadablePaths.has(path)) return;
    this.#unreadablePaths.add(path);
    if (this.unreadable.length < UNREADABLE_SHOWN) this.unreadable.push(what);
  }
}

/** The part of a file's name that stays when its flags or its folder change. */
export function uniqueName(name: string): string {
  return basename(name).split(":", 1)[0] ?? name;
}

/** The header section, one character for each octet. */
async function headOf(path: string): Promise<string> {
  await using file = await open(path);
  let head = "";
  while (head.length < HEAD_MAX) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE), 0, PIECE, head.length);
    const from = Math.max(0, head.length - 3);
    head += buffer.toString("latin1", 0, bytesRead);
    const end = /\n\r?\n/.exec(head.slice(from));
    if (end !== null) return head.slice(0, from + end.index + 1);
    if (bytesRead === 0) break;
  }
  return head;
}

/** Undefined if the text is no header section of a message. */
function identityIn(head: string): Identity | undefined {
  const section = Buffer.from(head.replaceAll(/\r?\n/g, "\r\n"), "latin1");
  const fields = parseHeaderFields(section);
  if (fields === undefined || !fields.some(({ wellFormed }) => wellFormed)) return undefined;
  const valuesOf = (wanted: string) =>
    fields.filter(({ name }) => name === wanted).map(({ value }) => value);
  return {
    ids: messageIdsIn(valuesOf("message-id")),
    ...given({ signature: signatureOf(valuesOf("date")[0], valuesOf("from")[0]) }),
  };
}

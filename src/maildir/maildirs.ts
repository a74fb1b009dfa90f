// Writes one message into one Maildir: tmp/, sync, rename into new/, fsync of new/. Only then is it delivered.
// Invariant: `write` resolves when the message is on disk under its final name, or rejects and leaves no file.
// A failed fsync is final for its file: the kernel may have dropped the pages, and a second fsync would report
// success. The next attempt writes a new file.

import { constants } from "node:fs";
import { dirname, join } from "node:path";
import type { Body } from "../mail/envelope.ts";
import { EarlierCopies } from "./earlier-copies.ts";
import { Directories, directoryMode } from "./directories.ts";
import { DirectorySyncs } from "../base/durable/directory-syncs.ts";
import { errorCode } from "../base/error-code.ts";
import { type FileCalls, SYNCED_WRITES } from "../base/durable/file-calls.ts";
import type { FileNames } from "./file-names.ts";
import { LfStream, writeWithLf } from "./line-ends.ts";

export interface MaildirOptions {
  /** The directory above every Maildir of the transport. */
  readonly root: string;
  /** The mode of the files. */
  readonly mode: number;
  /** False: a missing Maildir is an error. */
  readonly createDirectory: boolean;
  /** The end of the name of a file of `size` bytes: ",S=4711". */
  tag(size: number): string;
  /** Gets the error if cleaning up after an error fails. */
  report(error: unknown): void;
}

/** A copy to write. */
export interface Copy {
  /** The key of the delivery, from {@link FileNames}. */
  readonly key: string;
  /** The headers above the message. */
  readonly head: Buffer;
  readonly body: Body;
}

/** The message itself could not be read; `cause` says why. The Maildir is in order. */
export class UnreadableBody extends Error {}

/** The Maildir, and the system calls for it. */
export interface Target {
  readonly maildir: string;
  readonly calls: FileCalls;
  readonly signal: AbortSignal;
}

interface NewFile {
  readonly calls: FileCalls;
  readonly fd: number;
  isOpen: boolean;
  /** The current path: in tmp/, then in new/. */
  path: string;
  readonly name: string;
}

const EXCLUSIVE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
const NAMES_TRIED_MAX = 10;
/** Errors that mean: the Maildir has been removed, or replaced. */
const GONE = new Set(["ENOENT", "ESTALE"]);

export class Maildirs {
  readonly #options: MaildirOptions;
  readonly #names: FileNames;
  readonly #syncs: DirectorySyncs;
  readonly #directories: Directories;
  readonly #earlier = new EarlierCopies();

  constructor(options: MaildirOptions, names: FileNames) {
    this.#options = options;
    this.#names = names;
    this.#syncs = new DirectorySyncs();
    this.#directories = new Directories(this.#syncs, options.root, directoryMode(options.mode));
  }

  /** The file that an earlier attempt wrote before it was killed, durable now; undefined if it wrote none. */
  async find({ maildir, calls }: Target, key: string): Promise<string | undefined> {
    const path = await this.#earlier.find(maildir, key, calls);
    if (path === undefined) return undefined;
    if (this.#options.createDirectory) await this.#directories.ready(maildir, calls);
    await this.#syncs.sync(dirname(path), calls);
    return path;
  }

  /** Writes the copy, and returns the path of the new file. `signal` stops it until the message is in new/. */
  async write(target: Target, copy: Copy): Promise<string> {
    if (!this.#options.createDirectory) return this.#deliver(target, copy);
    const { maildir, calls } = target;
    await this.#directories.ready(maildir, calls);
    try {
      return await this.#deliver(target, copy);
    } catch (error) {
      if (!GONE.has(errorCode(error) ?? "")) throw error;
      calls.end?.(error);
    }
    this.#directories.forget(maildir);
    await this.#directories.ready(maildir, calls);
    return this.#deliver(target, copy);
  }

  /** Call it when the file system hangs: the next delivery then does not wait for the same call. */
  forget(maildir: string): void {
    this.#directories.forget(maildir);
  }

  async #deliver({ maildir, calls, signal }: Target, copy: Copy): Promise<string> {
    signal.throwIfAborted();
    if (calls.place !== undefined && copy.body.inline !== undefined) {
      return this.#deliverAtOnce(maildir, calls, copy, copy.body.inline);
    }
    const syncs = copy.body.inline === undefined ? undefined : SYNCED_WRITES;
    const file = await this.#create(join(maildir, "tmp"), copy.key, calls, syncs);
    try {
      const size = await this.#fill(file, copy, signal);
      if (syncs === undefined) await calls.fsync(file.fd);
      await this.#close(file);
      signal.throwIfAborted();
      const path = join(maildir, "new", file.name + this.#options.tag(size));
      await calls.rename(file.path, path);
      file.path = path;
      await this.#syncs.sync(join(maildir, "new"), calls);
      return path;
    } catch (error) {
      // If the sync after a rename failed, the state of the disk is unknown: a second copy later is better than none.
      await this.#abandon(file);
      throw error;
    }
  }

  /** Makes a message in memory a file in one request. */
  async #deliverAtOnce(
    maildir: string,
    calls: FileCalls,
    { key, head }: Copy,
    body: Buffer,
  ): Promise<string> {
    const { mode } = this.#options;
    const directory = `${maildir}/new`;
    let path = "";
    try {
      await this.#withName(key, async (name) => {
        const room = new Uint8Array(head.length + body.length);
        const buffer = Buffer.from(room.buffer);
        const bytes = room.subarray(0, writeWithLf(body, buffer, head.copy(buffer)));
        const from = `${maildir}/tmp/${name}`;
        path = `${directory}/${name}${this.#options.tag(bytes.length)}`;
        await calls.place?.({ from, to: path, directory, mode, flags: 0, bytes });
      });
      return path;
    } catch (error) {
      if (error instanceof Error && "left" in error) this.#options.report(error.left);
      if (error instanceof Error && "unsynced" in error) await this.#remove(path, calls);
      throw error;
    }
  }

  #create(directory: string, key: string, calls: FileCalls, flags = 0): Promise<NewFile> {
    return this.#withName(key, async (name) => {
      const path = join(directory, name);
      const fd = await calls.open(path, EXCLUSIVE | flags, this.#options.mode);
      return { calls, fd, isOpen: true, path, name };
    });
  }

  /** Calls `make` with new names until one is not taken. */
  async #withName<T>(key: string, make: (name: string) => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await make(this.#names.next(key));
      } catch (error) {
        if (errorCode(error) !== "EEXIST" || tried === NAMES_TRIED_MAX) throw error;
      }
    }
  }

  /** Writes the copy and returns the size of the file. A body in memory is written in one piece. */
  async #fill(file: NewFile, { head, body }: Copy, signal: AbortSignal): Promise<number> {
    let size = 0;
    if (body.inline !== undefined) {
      const bytes = Buffer.allocUnsafe(head.length + body.inline.length);
      size = writeWithLf(body.inline, bytes, head.copy(bytes));
      await writeAll(file, bytes.subarray(0, size));
    } else {
      for await (const bytes of withLf(head, body)) {
        signal.throwIfAborted();
        await writeAll(file, bytes);
        size += bytes.length;
      }
    }
    return size;
  }

  /** Closes once only, also after an error: the number may belong to another file by then. */
  async #close(file: NewFile): Promise<void> {
    if (!file.isOpen) return;
    file.isOpen = false;
    await file.calls.close(file.fd);
  }

  async #abandon(file: NewFile): Promise<void> {
    try {
      await this.#close(file);
    } catch (error) {
      this.#options.report(error);
    }
    await this.#remove(file.path, file.calls);
  }

  async #remove(path: string, calls: FileCalls): Promise<void> {
    try {
      await calls.unlink(path);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") this.#options.report(error);
    }
  }
}

async function writeAll({ calls, fd }: NewFile, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await calls.write(fd, bytes, at, bytes.length - at);
    if (bytesWritten === 0) throw new Error("the system wrote nothing and gave no error");
    at += bytesWritten;
  }
}

async function* withLf(head: Buffer, body: Body): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  const lines = new LfStream();
  try {
    for await (const piece of body.chunks()) yield lines.convert(piece);
  } catch (error) {
    throw new UnreadableBody("the body cannot be read", { cause: error });
  }
  yield lines.end();
}

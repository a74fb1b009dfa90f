// Writes one message into one Maildir: tmp/, sync, rename into new/, fsync of new/. Only then is it delivered.
//
// Invariant: `write` resolves when the message is on disk under its final name, or rejects and leaves nothing
// behind. A failed fsync is final for its file: the kernel may have dropped the pages, and a second fsync would
// call them safe. The file is written anew at the next attempt.
//
// Doors: delivery-headers.ts, directories.ts, events.ts, executors.ts, file-names.ts, lane.ts, maildir-disks.ts, own-calls.ts,
// own-directories.ts, placeholders.ts, thread-calls.ts, written-directories.ts.

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
  /** Holds every Maildir that will be asked for. */
  readonly root: string;
  /** Of the files. */
  readonly mode: number;
  /** False: a Maildir that is not there is an error. */
  readonly createDirectory: boolean;
  /** What follows the name of a file of this many bytes: ",S=4711". */
  tag(size: number): string;
  /** Told of what could not be cleaned up after an error. */
  report(error: unknown): void;
}

/** What is to be written. */
export interface Copy {
  /** Of the delivery, as {@link FileNames} makes it. */
  readonly key: string;
  /** What stands above the message. */
  readonly head: Buffer;
  readonly body: Body;
}

/** The message itself could not be read; `cause` says why. Nothing is wrong with the Maildir. */
export class UnreadableBody extends Error {}

/** Where to, and by which system calls. */
export interface Target {
  readonly maildir: string;
  readonly calls: FileCalls;
  readonly signal: AbortSignal;
}

interface NewFile {
  readonly calls: FileCalls;
  readonly fd: number;
  isOpen: boolean;
  /** Where it is now: in tmp/, then in new/. */
  path: string;
  readonly name: string;
}

const EXCLUSIVE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
const NAMES_TRIED_MAX = 10;
/** The Maildir has been removed, or another is in its place. */
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

  /** The file that an attempt wrote before it could say so, durable now; undefined when it got not so far. */
  async find({ maildir, calls }: Target, key: string): Promise<string | undefined> {
    const path = await this.#earlier.find(maildir, key, calls);
    if (path === undefined) return undefined;
    if (this.#options.createDirectory) await this.#directories.ready(maildir, calls);
    await this.#syncs.sync(dirname(path), calls);
    return path;
  }

  /** The path of the new file. The signal is obeyed until the message stands in new/. */
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

  /** Its file system hangs: the next delivery does not wait for what this one waits for. */
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
      // After a rename whose sync failed, nobody knows what is on disk: a second copy later is the lesser evil.
      await this.#abandon(file);
      throw error;
    }
  }

  /** What is in memory becomes a file in one call. */
  async #deliverAtOnce(
    maildir: string,
    calls: FileCalls,
    { key, head }: Copy,
    body: Buffer,
  ): Promise<string> {
    const { mode } = this.#options;
    const flags = SYNCED_WRITES ?? 0;
    const directory = join(maildir, "new");
    let path = "";
    try {
      await this.#withName(key, async (name) => {
        const room = new Uint8Array(head.length + body.length);
        const buffer = Buffer.from(room.buffer);
        const bytes = room.subarray(0, writeWithLf(body, buffer, head.copy(buffer)));
        const from = join(maildir, "tmp", name);
        path = join(directory, name + this.#options.tag(bytes.length));
        await calls.place?.({ from, to: path, directory, mode, flags, bytes });
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

  /** One that is not taken. */
  async #withName<T>(key: string, make: (name: string) => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await make(this.#names.next(key));
      } catch (error) {
        if (errorCode(error) !== "EEXIST" || tried === NAMES_TRIED_MAX) throw error;
      }
    }
  }

  /** Gives the size of the file. What is in memory already is written in one piece. */
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

  /** Once only, error or not: the number may belong to another file by then. */
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

// Writes one message into one Maildir: tmp/, sync, rename into new/, fsync of new/. Only then is it delivered.
//
// Invariant: `write` resolves when the message is on disk under its final name, or rejects and leaves nothing
// behind. A failed fsync is final for its file: the kernel may have dropped the pages, and a second fsync would
// call them safe. The file is written anew at the next attempt.

import { constants } from "node:fs";
import { dirname, join } from "node:path";
import type { Body } from "../envelope.ts";
import { EarlierCopies } from "./earlier-copies.ts";
import { Directories, directoryMode } from "./directories.ts";
import { DirectorySyncs } from "./directory-syncs.ts";
import { errorCode } from "../error-code.ts";
import { type FileCalls, nodeFileCalls, SYNCED_WRITES } from "./file-calls.ts";
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

interface NewFile {
  readonly fd: number;
  isOpen: boolean;
  /** Where it is now: in tmp/, then in new/. */
  path: string;
  readonly name: string;
}

const EXCLUSIVE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
const NAMES_TRIED_MAX = 10;

export class Maildirs {
  readonly #options: MaildirOptions;
  readonly #names: FileNames;
  readonly #calls: FileCalls;
  readonly #syncs: DirectorySyncs;
  readonly #directories: Directories;
  readonly #earlier: EarlierCopies;

  constructor(options: MaildirOptions, names: FileNames, calls: FileCalls = nodeFileCalls) {
    this.#options = options;
    this.#names = names;
    this.#calls = calls;
    this.#syncs = new DirectorySyncs(calls);
    const mode = directoryMode(options.mode);
    this.#directories = new Directories(calls, this.#syncs, options.root, mode);
    this.#earlier = new EarlierCopies(calls);
  }

  /** The file that an attempt wrote before it could say so, durable now; undefined when it got not so far. */
  async find(maildir: string, key: string): Promise<string | undefined> {
    const path = await this.#earlier.find(maildir, key);
    if (path === undefined) return undefined;
    if (this.#options.createDirectory) await this.#directories.ready(maildir);
    await this.#syncs.sync(dirname(path));
    return path;
  }

  /** The path of the new file. The signal is obeyed until the message stands in new/. */
  async write(maildir: string, copy: Copy, signal: AbortSignal): Promise<string> {
    if (!this.#options.createDirectory) return this.#deliver(maildir, copy, signal);
    await this.#directories.ready(maildir);
    try {
      return await this.#deliver(maildir, copy, signal);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
    this.#directories.forget(maildir);
    await this.#directories.ready(maildir);
    return this.#deliver(maildir, copy, signal);
  }

  async #deliver(maildir: string, copy: Copy, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const syncs = copy.body.inline === undefined ? undefined : SYNCED_WRITES;
    const file = await this.#create(join(maildir, "tmp"), copy.key, syncs);
    try {
      const size = await this.#fill(file, copy, signal);
      if (syncs === undefined) await this.#calls.fsync(file.fd);
      this.#close(file);
      signal.throwIfAborted();
      const path = join(maildir, "new", file.name + this.#options.tag(size));
      await this.#calls.rename(file.path, path);
      file.path = path;
      await this.#syncs.sync(join(maildir, "new"));
      return path;
    } catch (error) {
      // After a rename whose sync failed, nobody knows what is on disk: a second copy later is the lesser evil.
      await this.#abandon(file);
      throw error;
    }
  }

  async #create(directory: string, key: string, flags = 0): Promise<NewFile> {
    for (let tried = 1; ; tried++) {
      const name = this.#names.next(key);
      const path = join(directory, name);
      try {
        const fd = await this.#calls.open(path, EXCLUSIVE | flags, this.#options.mode);
        return { fd, isOpen: true, path, name };
      } catch (error) {
        if (errorCode(error) !== "EEXIST" || tried === NAMES_TRIED_MAX) throw error;
      }
    }
  }

  /** Gives the size of the file. What is in memory already is written in one piece. */
  async #fill({ fd }: NewFile, { head, body }: Copy, signal: AbortSignal): Promise<number> {
    let size = 0;
    if (body.inline !== undefined) {
      const bytes = Buffer.allocUnsafe(head.length + body.inline.length);
      size = writeWithLf(body.inline, bytes, head.copy(bytes));
      await this.#writeAll(fd, bytes.subarray(0, size));
    } else {
      for await (const bytes of withLf(head, body)) {
        signal.throwIfAborted();
        await this.#writeAll(fd, bytes);
        size += bytes.length;
      }
    }
    return size;
  }

  async #writeAll(fd: number, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#calls.write(fd, bytes, at, bytes.length - at);
      if (bytesWritten === 0) throw new Error("the system wrote nothing and gave no error");
      at += bytesWritten;
    }
  }

  /** Once only, error or not: the number may belong to another file by then. */
  #close(file: NewFile): void {
    if (!file.isOpen) return;
    file.isOpen = false;
    this.#calls.close(file.fd);
  }

  async #abandon(file: NewFile): Promise<void> {
    try {
      this.#close(file);
    } catch (error) {
      this.#options.report(error);
    }
    try {
      await this.#calls.unlink(file.path);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") this.#options.report(error);
    }
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

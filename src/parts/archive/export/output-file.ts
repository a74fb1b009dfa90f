// The file that an export writes: PATH.partial until it is whole, then PATH.
//
// Invariants: PATH is whole and on disk from the moment that it exists. No file that exists is written over.

import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, rm, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "../../../base/durable/directory.ts";
import { errorCode } from "../../../base/error-code.ts";
import { OutputTaken } from "./output-taken.ts";

const FLUSH_AT = 1024 * 1024;
const NEW = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;

export class OutputFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #pieces: Buffer[] = [];
  #waiting = 0;
  #written = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** What an export that was cut off has left is replaced. Throws OutputTaken. */
  static async create(path: string): Promise<OutputFile> {
    if (await exists(path)) throw new OutputTaken(path);
    const partial = partialOf(path);
    await rm(partial, { force: true });
    return new OutputFile(path, await open(partial, NEW, 0o600));
  }

  /** A file without a name beside the output, for what must wait. */
  async scratch(): Promise<FileHandle> {
    const name = `${partialOf(this.#path)}.directory`;
    await rm(name, { force: true });
    const file = await open(name, NEW, 0o600);
    await unlink(name);
    return file;
  }

  /** Octets so far. */
  get length(): number {
    return this.#written + this.#waiting;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#pieces.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting >= FLUSH_AT) await this.#flush();
  }

  async truncate(length: number): Promise<void> {
    await this.#flush();
    await this.#file.truncate(length);
    this.#written = length;
  }

  async finish(): Promise<void> {
    await this.#flush();
    await this.#file.sync();
    const partial = partialOf(this.#path);
    const own = await this.#file.stat();
    const named = await lstat(partial);
    if (named.ino !== own.ino) throw new OutputTaken(partial);
    try {
      await link(partial, this.#path);
    } catch (error) {
      throw errorCode(error) === "EEXIST" ? new OutputTaken(this.#path) : error;
    }
    await unlink(partial);
    await this.#file.close();
    await syncDirectory(dirname(this.#path));
  }

  /** The octets are useless without their end, and are removed. */
  async abandon(): Promise<void> {
    await this.#file.close();
    await rm(partialOf(this.#path), { force: true });
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces.length = 0;
    this.#waiting = 0;
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#written);
      at += bytesWritten;
      this.#written += bytesWritten;
    }
  }
}

/** Where an export lies until it is whole. */
export function partialOf(path: string): string {
  return `${path}.partial`;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

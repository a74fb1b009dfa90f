// The relay reaches Maildirs by the descriptors of their directories. It opens a directory first, and then asks the
// kernel for its real path. Calls in the directory go through /proc/self/fd. So a user who may write
// into a Maildir cannot lead the relay elsewhere by a symbolic link, at whatever moment the link appears.
//
// Rules for links: tmp, new and cur are never followed as links. Another directory may be a link if the link, and the
// directory that contains it, belong to root or to the relay's own user, and no other user may write to that
// directory. The root itself and all directories above it are the postmaster's, and may be links.

import { closeSync, constants, existsSync, readlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "../base/error-code.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Look } from "./disk-request.ts";
import type { FileCalls } from "../base/durable/file-calls.ts";
import type { Clock } from "../base/clock.ts";
import type { DiskTurn } from "./maildir-disks.ts";
import { type Directory, OwnDirectories } from "./own-directories.ts";
import { ThreadCalls } from "./thread-calls.ts";

const DESCRIPTORS = "/proc/self/fd";
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
/** The bits by which group or others may write. */
const SHARED = 0o022;
/** Errors that mean: the name leads to another place now. */
const MOVED = new Set(["ENOENT", "ENOTDIR", "ESTALE"]);

/** A user may have put a symbolic link here. */
class LinkRefused extends Error {
  constructor(path: string, why: string) {
    super(`${path} is a symbolic link, and not followed: ${why}`);
  }
}

/** False outside of Linux: descriptors have no names there, and paths are used directly. */
function hasDescriptorNames(): boolean {
  return process.platform === "linux" && existsSync(DESCRIPTORS);
}

/**
 * The calls of a delivery into a Maildir below `root`. They go by descriptors if `mayUseDescriptors` and descriptors have
 * names.
 */
export function callsBelow(
  root: string,
  clock: Pick<Clock, "monotonic" | "after">,
  mayUseDescriptors: boolean,
): (maildir: string, turn: DiskTurn) => FileCalls {
  if (!mayUseDescriptors || !hasDescriptorNames()) return (_, turn) => new ThreadCalls(turn);
  const directories = new OwnDirectories(root, clock);
  return (maildir, turn) => new OwnCalls(maildir, new ThreadCalls(turn), directories);
}

/** Calls that can look at a file, and follow no link. */
interface LookingCalls extends FileCalls {
  lstat(path: string): Promise<Look>;
  fstat(fd: number): Promise<Look>;
}

/** The calls of one delivery into one Maildir. The directories that it uses stay open until its end. */
class OwnCalls implements FileCalls {
  readonly #maildir: string;
  readonly #calls: LookingCalls;
  readonly #directories: OwnDirectories;
  readonly #used: Directory[] = [];

  constructor(maildir: string, calls: LookingCalls, directories: OwnDirectories) {
    this.#maildir = maildir;
    this.#calls = calls;
    this.#directories = directories;
  }

  open(path: string, flags: number, mode?: number): Promise<number> {
    if ((flags & O_DIRECTORY) === 0) {
      return this.#in(path, (name) => this.#calls.open(name, flags | O_NOFOLLOW, mode));
    }
    const directory = this.#use(path);
    return directory instanceof Promise
      ? directory.then(({ fd }) => fd)
      : Promise.resolve(directory.fd);
  }

  get place(): FileCalls["place"] {
    const { place } = this.#calls;
    if (place === undefined) return undefined;
    return ({ from, to, ...file }) => {
      const flags = file.flags | O_NOFOLLOW;
      return this.#in(from, (source) =>
        this.#in(to, (name, directory) =>
          place({
            ...file,
            flags,
            from: source,
            to: name,
            directory: directory?.fd ?? dirname(to),
          }),
        ),
      );
    };
  }

  write(fd: number, bytes: Buffer, offset: number, length: number) {
    return this.#calls.write(fd, bytes, offset, length);
  }

  fsync(fd: number): Promise<void> {
    return this.#calls.fsync(fd);
  }

  /** Closes a file. A directory stays open until `end`. */
  close(fd: number) {
    return this.#used.some((directory) => directory.fd === fd) ? undefined : this.#calls.close(fd);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#in(from, (source) => this.#in(to, (name) => this.#calls.rename(source, name)));
  }

  unlink(path: string): Promise<void> {
    return this.#in(path, (name) => this.#calls.unlink(name));
  }

  mkdir(path: string, mode: number): Promise<void> {
    return this.#in(path, (name) => this.#calls.mkdir(name, mode));
  }

  async *names(path: string): AsyncIterable<string> {
    yield* this.#calls.names(nameOf(await this.#use(path)));
  }

  end(error?: unknown): void {
    if (MOVED.has(errorCode(error) ?? "")) this.#directories.forgetAll();
    for (const directory of this.#used) {
      if (error instanceof Error) speakOf(directory, error);
      this.#directories.release(directory);
    }
    this.#used.length = 0;
  }

  /** Runs `work` with the name of `path` in its open directory. */
  #in<T>(path: string, work: (name: string, directory?: Directory) => Promise<T>): Promise<T> {
    if (!this.#directories.isBelow(path)) return work(path);
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash);
    const directory = this.#use(path.slice(0, slash));
    return directory instanceof Promise
      ? directory.then((late) => work(nameOf(late) + name, late))
      : work(nameOf(directory) + name, directory);
  }

  #use(path: string): MaybePromise<Directory> {
    const used = this.#used.find((directory) => directory.path === path);
    if (used !== undefined) return used;
    const known = this.#directories.known(path);
    if (known !== undefined) {
      this.#used.push(known);
      return known;
    }
    return this.#directories
      .take(path, () => this.#open(path))
      .then((directory) => {
        this.#used.push(directory);
        return directory;
      });
  }

  async #open(path: string): Promise<number> {
    if (!this.#directories.isBelow(path)) return this.#calls.open(path, O_RDONLY | O_DIRECTORY);
    let fd: number;
    try {
      fd = await this.#calls.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } catch (error) {
      if (errorCode(error) !== "ENOTDIR" && errorCode(error) !== "ELOOP") throw error;
      return this.#walk(path);
    }
    if (await this.#isThere(fd, path)) return fd;
    closeSync(fd);
    return this.#walk(path);
  }

  /** Whether the directory was opened without a link. The kernel knows its path without a disk access. */
  async #isThere(fd: number, path: string): Promise<boolean> {
    const root = await this.#use(this.#directories.root);
    const real = readlinkSync(nameOf(root)) + path.slice(root.path.length);
    return readlinkSync(`${DESCRIPTORS}/${fd}`) === real;
  }

  /** Opens `path` from its parent directory, which was reached in the same way; follows a link if the rules allow it. */
  async #walk(path: string): Promise<number> {
    const parent = await this.#use(dirname(path));
    const name = join(nameOf(parent), basename(path));
    const found = await this.#calls.lstat(name);
    if (!found.isLink) {
      return this.#calls.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }
    await this.#judge(path, found, parent);
    return this.#calls.open(name, O_RDONLY | O_DIRECTORY);
  }

  /** Throws if a user may have put the link there. In a directory that only we may write to, no user can change it. */
  async #judge(path: string, link: { readonly uid: number }, parent: Directory): Promise<void> {
    if (["tmp", "new", "cur"].some((name) => path === join(this.#maildir, name))) {
      throw new LinkRefused(path, "a part of a Maildir must be a directory");
    }
    const { uid, mode } = await this.#calls.fstat(parent.fd);
    if (!isOurs(link.uid)) throw new LinkRefused(path, `it belongs to uid ${link.uid}`);
    if (!isOurs(uid)) throw new LinkRefused(path, `its directory belongs to uid ${uid}`);
    if ((mode & SHARED) !== 0) throw new LinkRefused(path, "others may write to its directory");
  }
}

function isOurs(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

function nameOf({ fd }: Directory): string {
  return `${DESCRIPTORS}/${fd}`;
}

/** Replaces the descriptor in the error's text by the path that the postmaster knows. */
function speakOf(directory: Directory, error: Error): void {
  error.message = error.message.replaceAll(`${nameOf(directory)}/`, `${directory.path}/`);
}

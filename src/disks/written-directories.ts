// The directories of Maildirs at the start of the relay. Their system calls are made in the threads for Maildirs, so a
// directory that does not answer does not hold up the start; the log names it.

import { constants } from "node:fs";
import { dirname, join } from "node:path";
import { DirectoryMaker } from "../base/durable/directory-maker.ts";
import { DirectorySyncs } from "../base/durable/directory-syncs.ts";
import { errorCode } from "../base/error-code.ts";
import type { WrittenDirectory } from "../base/durable/directory.ts";
import { FileSystemHangs } from "./maildir-disks.ts";
import type { Lanes } from "./lanes.ts";
import { ThreadCalls } from "./thread-calls.ts";

/** Directories that are checked at the same time: at most this many threads are lost if all of them hang. */
const LOOKS_AT_ONCE = 4;
const { S_IFDIR, S_IFMT, W_OK, X_OK } = constants;

/** Makes the directory and all missing ones above it. Rejects with FileSystemHangs, or the error of the system. */
export async function makeWritten(lanes: Lanes, { path, mode }: WrittenDirectory): Promise<void> {
  const maker = new DirectoryMaker(new DirectorySyncs(), path, mode);
  await inLane(lanes, path, (calls) => maker.make(path, calls));
}

/** `path` if this process cannot write into it, else the directories in it that belong to root and cannot be written. */
export async function shutBelow(lanes: Lanes, path: string): Promise<string[]> {
  const names: string[] = [];
  let isShut = false;
  await inLane(lanes, path, async (calls) => {
    isShut = !(await mayWrite(calls, path));
    if (isShut) return;
    try {
      for await (const name of calls.names(path)) names.push(name);
    } catch (error) {
      // A directory that is missing or cannot be read gives no names.
      if (error instanceof FileSystemHangs) throw error;
    }
  });
  if (isShut) return [path];
  // "lost+found" is at the top of a file system, and belongs to that.
  const paths = names.filter((name) => name !== "lost+found").toSorted();
  const shut: string[] = [];
  while (paths.length > 0) {
    const looks = paths.splice(0, LOOKS_AT_ONCE).map(async (name) => {
      const below = join(path, name);
      await inLane(lanes, below, async (calls) => {
        const isRoots = await isRootsDirectory(calls, below);
        if (isRoots && !(await mayWrite(calls, below))) shut.push(below);
      });
    });
    await Promise.all(looks);
  }
  return shut.toSorted();
}

/** False if the path cannot be checked. */
async function isRootsDirectory(calls: ThreadCalls, path: string): Promise<boolean> {
  try {
    const { uid, mode } = await calls.lstat(path);
    return uid === 0 && (mode & S_IFMT) === S_IFDIR;
  } catch (error) {
    if (error instanceof FileSystemHangs) throw error;
    return false;
  }
}

/** Whether this process may write into the directory, or the path does not exist yet. */
async function mayWrite(calls: ThreadCalls, path: string): Promise<boolean> {
  try {
    await calls.access(path, W_OK | X_OK);
    return true;
  } catch (error) {
    if (error instanceof FileSystemHangs) throw error;
    return errorCode(error) === "ENOENT";
  }
}

async function inLane(
  lanes: Lanes,
  path: string,
  work: (calls: ThreadCalls) => Promise<void>,
): Promise<void> {
  const lane = lanes.lane(path, dirname(path));
  await lane.run(async (turn) => {
    await work(new ThreadCalls(turn));
    return path;
  });
}

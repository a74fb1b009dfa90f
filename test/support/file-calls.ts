// The real system calls, with one that fails, and a count of open descriptors. For tests of what a fault leaves on
// disk.

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { type FileCalls, nodeFileCalls, SYNCED_WRITES } from "../../src/base/durable/file-calls.ts";

export interface FaultyCalls extends FileCalls {
  /** Names of the calls so far, in order; "open synced" for an open by which every write is synced. */
  readonly made: readonly string[];
  /** Descriptors that have been opened and not closed. */
  readonly descriptors: ReadonlySet<number>;
}

/** `before(name, index)` makes the call fail by throwing. */
export function faultyCalls(before: (name: string, index: number) => void): FaultyCalls {
  const made: string[] = [];
  const descriptors = new Set<number>();
  function enter(name: string): void {
    made.push(name);
    before(name, made.length - 1);
  }
  return {
    made,
    descriptors,
    async open(path, flags, mode) {
      enter((flags & (SYNCED_WRITES ?? 0)) === 0 ? "open" : "open synced");
      const fd = await nodeFileCalls.open(path, flags, mode);
      descriptors.add(fd);
      return fd;
    },
    async write(fd, bytes, offset, length) {
      enter("write");
      return nodeFileCalls.write(fd, bytes, offset, length);
    },
    async fsync(fd) {
      enter("fsync");
      await nodeFileCalls.fsync(fd);
    },
    async close(fd) {
      // A close that fails has closed the descriptor, as on Linux. Its number must not be used again.
      const wasOpen = descriptors.delete(fd);
      if (wasOpen) await nodeFileCalls.close(fd);
      enter(wasOpen ? "close" : "close again");
    },
    async rename(from, to) {
      enter("rename");
      await nodeFileCalls.rename(from, to);
    },
    async unlink(path) {
      enter("unlink");
      await nodeFileCalls.unlink(path);
    },
    async mkdir(path, mode) {
      enter("mkdir");
      await nodeFileCalls.mkdir(path, mode);
    },
    names(path) {
      enter("names");
      return nodeFileCalls.names(path);
    },
  };
}

/** An error in the form of node:fs: where libuv has no name for the number, Node writes the number. */
export function systemError(code: string): Error {
  const numbers: Readonly<Record<string, number>> = constants.errno;
  const errno = -(numbers[code] ?? 0);
  const name = getSystemErrorMap().has(errno) ? code : `Unknown system error ${errno}`;
  return Object.assign(new Error(`${name}: injected`), { code: name, errno });
}

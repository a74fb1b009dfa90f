// The program of a thread that makes the system calls of Maildirs, one after the other, and waits for each. If a call
// hangs, only this thread hangs. Requests come in batches, so that one sync of a directory covers a whole batch.
//
// It is JavaScript, because stripping types in Node would make each such thread cost 18 MB instead of 8.

import fs from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

/**
 * @import { MessagePort } from "node:worker_threads"
 * @import { BatchReply, DiskError, DiskReply, DiskRequest, Look } from "./disk-request.ts"
 * @import { NewFile } from "../base/durable/file-calls.ts"
 */

/** @typedef {Exclude<DiskRequest, { op: "place" }>} Call One system call. */

const { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } = fs.constants;
const NAMES_AT_ONCE = 1000;

/** @type {(port: MessagePort, progress: Int32Array) => void} */
function serve(port, progress) {
  const goesOn = () => void Atomics.add(progress, 0, 1);
  port.on("message", (/** @type {readonly DiskRequest[]} */ requests) => {
    // All new files are written before the first is synced: together they take fewer writes of the disk.
    const begun = requests.map((request) => {
      const one = request.op === "place" ? new PlacedFile(request) : answer(request, port);
      // The octets are the thread's own. It makes too little garbage for V8 to give them back soon.
      if ("bytes" in request) request.bytes.buffer.transfer(0);
      goesOn();
      return one;
    });
    for (const one of begun) {
      if (!(one instanceof PlacedFile)) continue;
      one.sync();
      goesOn();
    }
    const all = begun.map((one) => (one instanceof PlacedFile ? one.move() : one));
    tell(port, { all: synced(requests, all) });
  });
}

/** A whole file on its way to its place. If a step fails, the file is removed and no other step follows. */
class PlacedFile {
  /** @type {NewFile} */
  #file;
  /** @type {number | undefined} */
  #fd;
  /** Whether this thread has made the file. A file of the same name that was there before stays. */
  #isMade = false;
  /** @type {DiskError | undefined} */
  #error;

  /**
   * Writes the file.
   *
   * @param {NewFile} file
   */
  constructor(file) {
    this.#file = file;
    this.#step(() => {
      const { from, flags, mode, bytes } = file;
      const fd = fs.openSync(from, O_CREAT | O_EXCL | O_WRONLY | flags, mode);
      this.#fd = fd;
      this.#isMade = true;
      for (let at = 0; at < bytes.length;) {
        const written = fs.writeSync(fd, bytes, at);
        if (written === 0) throw new Error("the system wrote nothing and gave no error");
        at += written;
      }
    });
  }

  /** Syncs its octets, and closes it. */
  sync() {
    this.#step(() => {
      const fd = this.#fd;
      if (fd === undefined) return;
      fs.fdatasyncSync(fd);
      this.#fd = undefined;
      fs.closeSync(fd);
    });
  }

  /**
   * Moves it to its place.
   *
   * @type {() => DiskReply}
   */
  move() {
    this.#step(() => fs.renameSync(this.#file.from, this.#file.to));
    return this.#error === undefined ? { value: undefined } : { error: this.#error };
  }

  /** @type {(step: () => void) => void} */
  #step(step) {
    if (this.#error !== undefined) return;
    try {
      step();
    } catch (error) {
      const left = this.#isMade ? putAway(this.#fd, this.#file.from) : undefined;
      this.#fd = undefined;
      this.#error = left === undefined ? plain(error) : { ...plain(error), left };
    }
  }
}

/** @type {(port: MessagePort, reply: BatchReply) => void} */
function tell(port, reply) {
  port.postMessage(reply);
}

/** @type {(request: Call, port: MessagePort) => DiskReply} */
function answer(request, port) {
  try {
    const value = call(request, port);
    return { value: value ?? undefined };
  } catch (error) {
    return { error: plain(error) };
  }
}

/**
 * The replies, after each directory that files were moved to has been synced once.
 *
 * @type {(requests: readonly DiskRequest[], replies: readonly DiskReply[]) => DiskReply[]}
 */
function synced(requests, replies) {
  /** @type {Map<number | string, DiskError | undefined>} */
  const errors = new Map();
  return replies.map((reply, index) => {
    const request = requests[index];
    if (request?.op !== "place" || "error" in reply) return reply;
    const { directory } = request;
    if (!errors.has(directory)) errors.set(directory, syncError(directory));
    const error = errors.get(directory);
    return error === undefined ? reply : { error: { ...error, unsynced: true } };
  });
}

/** @type {(directory: number | string) => DiskError | undefined} */
function syncError(directory) {
  try {
    const fd = typeof directory === "number" ? directory : fs.openSync(directory, O_RDONLY);
    try {
      fs.fsyncSync(fd);
    } finally {
      if (typeof directory === "string") fs.closeSync(fd);
    }
    return undefined;
  } catch (error) {
    return plain(error);
  }
}

/** @type {(error: unknown) => DiskError} */
function plain(error) {
  return { message: messageOf(error), ...codesOf(error) };
}

/** @type {(request: Call, port: MessagePort) => number | Look | void} */
function call(request, port) {
  switch (request.op) {
    case "open":
      return fs.openSync(request.path, request.flags, request.mode);
    case "write":
      return fs.writeSync(request.fd, request.bytes);
    case "fsync":
      return fs.fsyncSync(request.fd);
    case "close":
      return fs.closeSync(request.fd);
    case "fstat":
      return lookOf(fs.fstatSync(request.fd));
    case "lstat":
      return lookOf(fs.lstatSync(request.path));
    case "access":
      return fs.accessSync(request.path, request.mode);
    case "unlink":
      return fs.unlinkSync(request.path);
    case "mkdir":
      fs.mkdirSync(request.path, { mode: request.mode });
      return undefined;
    case "rename":
      return fs.renameSync(request.from, request.to);
    case "names":
      return tellNames(request.path, port);
  }
}

/** @type {(stats: fs.Stats) => Look} */
function lookOf(stats) {
  return { uid: stats.uid, mode: stats.mode, isLink: stats.isSymbolicLink() };
}

/**
 * Closes and removes the file. Returns the error if that fails.
 *
 * @type {(fd: number | undefined, path: string) => string | undefined}
 */
function putAway(fd, path) {
  try {
    if (fd !== undefined) fs.closeSync(fd);
    fs.rmSync(path, { force: true });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** @type {(path: string, port: MessagePort) => void} */
function tellNames(path, port) {
  const directory = fs.opendirSync(path, { bufferSize: NAMES_AT_ONCE });
  try {
    /** @type {string[]} */
    let names = [];
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      names.push(entry.name);
      if (names.length < NAMES_AT_ONCE) continue;
      tell(port, { names });
      names = [];
    }
    tell(port, { names });
  } finally {
    directory.closeSync();
  }
}

/** @type {(error: unknown) => string} */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @type {(error: unknown) => Partial<DiskError>} */
function codesOf(error) {
  /** @type {Partial<DiskError>} */
  const codes = error instanceof Error ? error : {};
  /** @type {Partial<DiskError>} */
  const found = {};
  if (codes.code !== undefined) Object.assign(found, { code: codes.code });
  if (codes.errno !== undefined) Object.assign(found, { errno: codes.errno });
  if (codes.syscall !== undefined) Object.assign(found, { syscall: codes.syscall });
  if (codes.left !== undefined) Object.assign(found, { left: codes.left });
  return found;
}

if (parentPort !== null) serve(parentPort, new Int32Array(workerData));

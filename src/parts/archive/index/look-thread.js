// The program of a thread that looks at directories and files: it makes no change. If the file system hangs, only this
// thread hangs.
//
// It is JavaScript, because stripping types in Node would make the thread cost 24 MB instead of 6.

import fs from "node:fs";
import { parentPort } from "node:worker_threads";

/**
 * @import { MessagePort } from "node:worker_threads"
 * @import { Look, LookError, LookReply, LookRequest } from "./looks.ts"
 */

const NAMES_AT_ONCE = 500;

/** @type {fs.Dir | undefined} */
let directory;

/** @type {(port: MessagePort) => void} */
function serve(port) {
  port.on("message", (/** @type {LookRequest} */ request) => {
    /** @type {LookReply} */
    let reply;
    try {
      reply = answer(request);
    } catch (error) {
      reply = { error: plain(error) };
    }
    port.postMessage(reply);
  });
}

/** @type {(request: LookRequest) => LookReply} */
function answer(request) {
  switch (request.op) {
    case "look":
      return { looks: request.paths.map(look) };
    case "open":
      closeDirectory();
      directory = fs.opendirSync(request.path, { bufferSize: NAMES_AT_ONCE });
      return nextNames();
    case "next":
      return nextNames();
  }
}

/** @type {(path: string) => Look} */
function look(path) {
  try {
    const stats = fs.lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other";
    return { kind, mtime: stats.mtimeMs, ctime: stats.ctimeMs, size: stats.size };
  } catch (error) {
    const { code, message } = plain(error);
    return code === "ENOTDIR" ? undefined : { kind: "unreadable", message };
  }
}

/** @type {() => LookReply} */
function nextNames() {
  /** @type {string[]} */
  const names = [];
  while (directory !== undefined && names.length < NAMES_AT_ONCE) {
    const entry = directory.readSync();
    if (entry === null) closeDirectory();
    else names.push(entry.name);
  }
  return { names, isLast: directory === undefined };
}

function closeDirectory() {
  const open = directory;
  directory = undefined;
  open?.closeSync();
}

/** @type {(error: unknown) => LookError} */
function plain(error) {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message } = error;
  return "code" in error && typeof error.code === "string"
    ? { message, code: error.code }
    : { message };
}

if (parentPort !== null) serve(parentPort);

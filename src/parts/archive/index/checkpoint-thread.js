// The program of a thread that copies the write-ahead log into the database. It waits for the disk, so that the thread
// of the archive's process does not.
//
// It is JavaScript, because stripping types in Node would make the thread cost 24 MB instead of 6.

import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/** @import { CheckpointReply } from "./checkpoints.ts" */

const database = new DatabaseSync(String(workerData), { timeout: 100 });

/** @type {(isThorough: boolean) => CheckpointReply} */
function checkpoint(isThorough) {
  try {
    database.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_checkpoint(PASSIVE)");
    // The log is in the database now, so the truncation keeps no writer waiting.
    if (isThorough) database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return {};
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on("message", (/** @type {{ isThorough: boolean } | "close"} */ request) => {
  if (request === "close") {
    database.close();
    parentPort?.close();
  } else parentPort?.postMessage(checkpoint(request.isThorough));
});

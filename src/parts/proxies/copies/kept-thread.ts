// The thread of the database of kept messages: see kept.ts.

import { parentPort, workerData } from "node:worker_threads";
import { describeError } from "../../../observe/log.ts";
import type { Answer, Question } from "./kept.ts";
import { KeptDatabase } from "./kept-database.ts";

/** Milliseconds until it is written down at the latest that a copy is done. */
const FLUSH_AFTER = 1000;

const database = new KeptDatabase(String(workerData));
let timer: NodeJS.Timeout | undefined;

function answer(question: Question): Answer["answer"] {
  switch (question.op) {
    case "claim":
      return database.claim(question.claim);
    case "done":
      database.done(question.claim);
      timer ??= setTimeout(flush, FLUSH_AFTER);
      return true;
    case "release":
      database.release(question.id);
      return true;
    case "counts":
      return database.counts();
    case "close":
      clearTimeout(timer);
      database.close();
      return true;
  }
}

/** If it fails, the copies are looked for in their Maildirs after the next start. */
function flush(): void {
  timer = undefined;
  try {
    database.flush();
  } catch (error) {
    parentPort?.postMessage({ number: 0, error: describeError(error) });
  }
}

parentPort?.on("message", (question: Question) => {
  const { number } = question;
  try {
    parentPort?.postMessage({ number, answer: answer(question) });
  } catch (error) {
    parentPort?.postMessage({ number, error: describeError(error) });
  }
});

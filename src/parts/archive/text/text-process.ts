// The program of a text process: reads the files that it is given, in their order, and answers in batches.
//
// Invariant: a message that takes long is the first one without an answer, so that the archive knows which message was
// read when this process dies.

import { flushCompileCache } from "node:module";
import { errorCode } from "../../../base/error-code.ts";
import type { Answer, Order } from "./child-words.ts";
import { extractFile, extractPlainly } from "./extract-file.ts";

/** Milliseconds that an answer may wait for others. */
const LATEST = 10;
/** Characters of text in one batch. */
const BATCH_CHARACTERS = 1 << 20;

const orders: Order[] = [];
let answers: Answer[] = [];
let isRunning = false;
let sentAt = 0;
let characters = 0;
let aliveAt = 0;

const readsAttachments = process.argv[2] !== "without-attachments";

process.on("message", (further: Order[]) => {
  orders.push(...further);
  if (!isRunning) void run();
});
process.on("disconnect", () => process.exit());
// The archive decides when its processes end: a Ctrl-C on the terminal reaches all of them.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
answer({ kind: "ready" });
send();

async function run(): Promise<void> {
  isRunning = true;
  sentAt = performance.now();
  for (let order = orders.shift(); order !== undefined; order = orders.shift()) {
    const result = await answerTo(order);
    answer(result);
    if (orders.length > 0 && performance.now() - sentAt < LATEST && characters < BATCH_CHARACTERS)
      continue;
    send();
    // Lets the pipe take the answers, and the next orders in.
    await new Promise(setImmediate);
  }
  isRunning = false;
  // Now, because a process that is killed would leave no compiled code.
  flushCompileCache();
}

async function answerTo({ id, path, plainly }: Order): Promise<Answer> {
  try {
    const extract = await (plainly
      ? extractPlainly(path, alive)
      : extractFile(path, {
          attachments: readsAttachments,
          alive,
          partly: (known) => {
            answer({ kind: "partly", id, extract: known });
            send();
          },
        }));
    return extract === "gone" ? { kind: "gone", id } : { kind: "extract", id, extract };
  } catch (error) {
    const code = errorCode(error);
    // A fault of ours: the message is read plainly, by the process after this one.
    if (code === undefined || code.startsWith("ERR_")) throw error;
    return { kind: "failed", id, code, text: String(error) };
  }
}

function alive(): void {
  if (performance.now() - aliveAt < 100) return;
  aliveAt = performance.now();
  answer({ kind: "alive" });
  send();
}

function answer(one: Answer): void {
  answers.push(one);
  if (one.kind === "extract") characters += one.extract.body.length;
}

function send(): void {
  const batch = answers;
  answers = [];
  characters = 0;
  sentAt = performance.now();
  process.send?.(batch);
}

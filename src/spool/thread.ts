// The spool's own thread: answers one call after the other on the engine. A throw is an answer too; only a
// broken thread is fatal to the relay.

import { parentPort, workerData } from "node:worker_threads";
import type { MessageId } from "../envelope.ts";
import type { Change, Selection } from "../spool.ts";
import type { HostHint } from "../hints.ts";
import { Engine, type Recovery } from "./engine.ts";
import type { CommitResult, StoredRow, Transaction } from "./rows.ts";

export type Call =
  | { readonly name: "commit"; readonly transactions: readonly Transaction[] }
  | { readonly name: "take"; readonly now: number; readonly limit: number }
  | { readonly name: "nextDue" | "count" | "hints" | "close" }
  | { readonly name: "retry"; readonly selection: Selection; readonly now: number }
  | { readonly name: "remove"; readonly ids: readonly MessageId[] }
  | { readonly name: "recover"; readonly now: number };

export interface Answers {
  commit: CommitResult[];
  take: StoredRow[];
  nextDue: number | undefined;
  count: number;
  hints: [key: string, hint: HostHint][];
  retry: Change[];
  remove: Change[];
  close: void;
  recover: Recovery;
}

export interface Request {
  readonly number: number;
  readonly call: Call;
}

/** `answer` is what Answers has for the call; `never` lets the asker, who knows which it was, take it as that. */
export type Response =
  | { readonly number: number; readonly answer: never }
  | { readonly number: number; readonly error: string };

function answerTo(engine: Engine, call: Call): Answers[keyof Answers] {
  switch (call.name) {
    case "commit":
      return engine.commit(call.transactions);
    case "take":
      return engine.take(call.now, call.limit);
    case "nextDue":
      return engine.nextDue();
    case "hints":
      return engine.hints();
    case "count":
      return engine.count();
    case "retry":
      return engine.retry(call.selection, call.now);
    case "remove":
      return engine.remove(call.ids);
    case "recover":
      return engine.recover(call.now);
    case "close":
      return engine.close();
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const engine = new Engine(String(workerData));
  port.on("message", ({ number, call }: Request) => {
    try {
      port.postMessage({ number, answer: answerTo(engine, call) });
    } catch (error) {
      port.postMessage({ number, error: error instanceof Error ? error.message : String(error) });
    }
    if (call.name === "close") port.close();
  });
}

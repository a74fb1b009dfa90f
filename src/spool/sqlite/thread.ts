// The spool's own thread: carries out one call after the other on the engine. An exception is sent back as an answer;
// only a broken thread is fatal to the relay. A damaged database is replaced, and the call is repeated.

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { MessageId } from "../../mail/envelope.ts";
import type { Change, ListedWhy, PostmasterList } from "../spool.ts";
import type { HostHint } from "../../mail/host.ts";
import type { Wanted } from "./changes.ts";
import { isDamage } from "../../base/durable/database.ts";
import type { ClaimedRows, Engine, Recovery } from "./engine.ts";
import type { StoredHold } from "./hold-table.ts";
import type { CommitResult, StoredRow, Transaction } from "./rows.ts";
import { openSpool, replaceDamaged, type Salvage } from "./salvage.ts";
import type { StoredReleased, StoredWithheld, StoredWithheldKey } from "./withheld.ts";

export type Call =
  | {
      readonly name: "commit";
      readonly transactions: readonly Transaction[];
      readonly now: number;
    }
  | { readonly name: "take"; readonly now: number; readonly limit: number }
  | { readonly name: "load"; readonly id: number }
  | {
      readonly name: "bodyPart";
      readonly id: number;
      readonly from: number;
      readonly length: number;
    }
  | { readonly name: "nextDue" | "count" | "hints" | "holds" | "close" }
  | { readonly name: "releasedWithheld"; readonly most: number }
  | { readonly name: "listed"; readonly whys: readonly ListedWhy[] }
  | {
      readonly name: "withheld";
      readonly most: number;
      readonly after: number;
      readonly position: number;
    }
  | {
      readonly name: "releaseWithheld";
      readonly which: readonly StoredWithheldKey[];
      readonly forced: boolean;
      readonly now: number;
    }
  | {
      readonly name: "hasten";
      readonly most: number;
      readonly after: number;
      readonly now: number;
    }
  | {
      readonly name: "release";
      readonly domain: string;
      readonly most: number;
      readonly now: number;
    }
  | {
      readonly name: "wake";
      readonly waitsFor: string;
      readonly most: number;
      readonly now: number;
    }
  | {
      readonly name: "change";
      readonly ids: readonly MessageId[];
      readonly wanted: Omit<Wanted, "remove">;
    }
  | {
      readonly name: "ageFrozen";
      readonly elapsed: number;
      readonly after: number;
      readonly most: number;
    }
  | { readonly name: "awaited"; readonly most: number }
  | { readonly name: "claim"; readonly ids: readonly MessageId[] }
  | { readonly name: "recover"; readonly now: number }
  | { readonly name: "mendTimes"; readonly now: number; readonly after: number };

export interface Answers {
  commit: CommitResult[];
  take: StoredRow[];
  load: StoredRow | undefined;
  bodyPart: Uint8Array | undefined;
  nextDue: number | undefined;
  count: number;
  hints: [key: string, hint: HostHint][];
  awaited: string[];
  holds: StoredHold[];
  listed: PostmasterList;
  withheld: StoredWithheld[];
  releaseWithheld: void;
  releasedWithheld: StoredReleased;
  hasten: number | undefined;
  ageFrozen: MessageId[];
  release: number;
  wake: number;
  change: Change[];
  claim: ClaimedRows;
  close: void;
  recover: Recovery;
  mendTimes: number | undefined;
}

export interface Request {
  readonly number: number;
  readonly call: Call;
}

/**
 * `answer` has the type in Answers for the call. `never` lets the caller, which knows its call, use it as that type.
 */
export type Response =
  | { readonly number: number; readonly answer: never }
  | { readonly number: number; readonly error: string };

/** A message without a request: a damaged database was replaced, or background work failed. */
export type Notice = { readonly salvaged: Salvage } | { readonly failed: string };

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function answerTo(engine: Engine, call: Call): Answers[keyof Answers] {
  switch (call.name) {
    case "commit":
      return engine.commit(call.transactions, call.now);
    case "take":
      return engine.take(call.now, call.limit);
    case "load":
      return engine.load(call.id);
    case "bodyPart":
      return engine.bodyPart(call.id, call.from, call.length);
    case "nextDue":
      return engine.nextDue();
    case "hints":
      return engine.hints();
    case "awaited":
      return engine.awaited(call.most);
    case "holds":
      return engine.holds();
    case "ageFrozen":
      return engine.ageFrozen(call.elapsed, call.after, call.most);
    case "listed":
      return engine.listed(call.whys);
    case "withheld":
      return engine.withheld.page(call.most, call.after, call.position);
    case "releaseWithheld":
      return engine.withheld.release(call.which, call.forced, call.now);
    case "releasedWithheld":
      return engine.withheld.released(call.most);
    case "hasten":
      return engine.withheld.hasten(call.most, call.after, call.now);
    case "release":
      return engine.release(call.domain, call.most, call.now);
    case "count":
      return engine.count();
    case "wake":
      return engine.wake(call.waitsFor, call.most, call.now);
    case "change":
      return engine.change(call.ids, call.wanted);
    case "claim":
      return engine.claim(call.ids);
    case "recover":
      return engine.recover(call.now);
    case "mendTimes":
      return engine.mendTimes(call.now, call.after);
    case "close":
      return engine.close();
  }
}

/** Returns the buffers of bodies, which are transferred instead of copied. */
function bodiesIn(answer: Answers[keyof Answers]): ArrayBuffer[] {
  if (answer instanceof Uint8Array) return bufferOf(answer);
  if (!Array.isArray(answer)) return [];
  return answer.flatMap((one) =>
    typeof one === "object" && "body" in one ? bufferOf(one.body) : [],
  );
}

function bufferOf(bytes: unknown): ArrayBuffer[] {
  const isBytes = bytes instanceof Uint8Array && bytes.buffer instanceof ArrayBuffer;
  return isBytes ? [bytes.buffer] : [];
}

/**
 * Frees the bodies of a commit at once. V8 would wait for tens of megabytes of them. Reports of one settlement may share
 * a buffer.
 */
function freeBodies(transactions: readonly Transaction[]): void {
  for (const write of transactions.flat()) {
    const buffer = write.kind === "insert" ? write.body?.buffer : undefined;
    if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
  }
}

/** Milliseconds after a salvage in which new damage means a broken disk, so that there is no further salvage. */
const SALVAGE_PAUSE = 60_000;
/** Milliseconds without a commit after which the thread tidies up. */
const IDLE = 100;
/** Milliseconds until tidying up is tried again after a failure. */
const TIDY_PAUSE = 1000;

function serve(port: MessagePort, directory: string): void {
  const onSalvage = (salvaged: Salvage) => port.postMessage({ salvaged });
  let engine: Engine | undefined = openSpool(directory, onSalvage);
  let salvagedAt = Number.NEGATIVE_INFINITY;
  const idle = setTimeout(() => {
    try {
      if (engine?.tidy() === true) idle.refresh();
    } catch (error) {
      port.postMessage({ failed: messageOf(error) });
      setTimeout(() => idle.refresh(), TIDY_PAUSE).unref();
    }
  }, IDLE).unref();

  const answer = (call: Call) => {
    try {
      engine ??= openSpool(directory, onSalvage);
      return answerTo(engine, call);
    } catch (error) {
      if (!isDamage(error) || performance.now() - salvagedAt < SALVAGE_PAUSE) throw error;
      salvagedAt = performance.now();
      engine?.close();
      engine = undefined;
      engine = replaceDamaged(directory, error, onSalvage);
      return answerTo(engine, call);
    }
  };
  port.on("message", ({ number, call }: Request) => {
    try {
      const given = answer(call);
      port.postMessage({ number, answer: given }, bodiesIn(given));
    } catch (error) {
      port.postMessage({ number, error: messageOf(error) });
    }
    if (call.name === "commit") {
      freeBodies(call.transactions);
      idle.refresh();
    }
    if (call.name === "close") port.close();
  });
}

if (parentPort !== null) serve(parentPort, String(workerData));

// The text of messages: the file of one message becomes an Extract, in processes of their own with limits.
//
// Invariants: a message that ends a process costs its own text only: it is indexed by its headers and raw text and
// marked. Deliveries go before walks. A disk that hangs costs the messages on it a time limit each, and nothing else.
// Idle processes end.
//
// Doors: extract.ts, transfer-decoder.ts, view.ts.

import { availableParallelism } from "node:os";
import { type Clock, systemClock, type Timer } from "../../../base/clock.ts";
import type { Answer } from "./child-words.ts";
import type { Extract } from "./extract.ts";
import {
  type ChildLimits,
  type ChildProgram,
  type ChildWatcher,
  type End,
  TextChild,
} from "./text-child.ts";

export type Urgency = "delivery" | "walk";

export interface ExtractorOptions {
  /** Whether the text of attachments is read. Their names always are. */
  readonly attachments: boolean;
  /** At most as many processes; as many as cores if absent. */
  readonly processes?: number;
  readonly limits?: Partial<ChildLimits>;
  /** Milliseconds after which an idle process ends. */
  readonly idle?: number;
  readonly clock?: Clock;
  /** A folder for compiled code, which may be lost at any time. It makes processes smaller. */
  readonly cache?: string;
  /** The program of the processes, for tests. */
  readonly program?: ChildProgram;
}

const LIMITS: ChildLimits = { cpu: 2000, time: 20_000, memory: 140 << 20 };
const IDLE = 15_000;
/** Milliseconds between two looks at processes at work. */
const LOOK = 100;
/** Orders that one process has at most, so that a delivery waits for few messages of a walk. */
const WINDOW = 32;
/** A process that answers a whole window faster than this gets a larger one, in milliseconds. */
const FAST = 60;
/** Processes that hang in calls to a file system and cannot be killed. Beyond these, nothing is read until one ends. */
const HANGING_MAX = 8;

interface Request {
  readonly path: string;
  readonly urgency: Urgency;
  plainly: boolean;
  partly: Extract | undefined;
  isSettled: boolean;
  readonly resolve: (result: Extract | "gone") => void;
  readonly reject: (error: unknown) => void;
}

/** A process with the orders that it has not answered, in their order. */
interface Worker {
  readonly child: TextChild;
  readonly orders: Map<number, Request>;
  window: number;
  sentAt: number;
  idle: Timer | undefined;
  isRetired: boolean;
}

/** A message could not be read. `code`: of the system; "ETIMEDOUT" if the file system does not answer. */
export class UnreadableMessage extends Error {
  readonly code: string;

  constructor(path: string, code: string, text: string) {
    super(`cannot read ${path}: ${text}`);
    this.code = code;
  }
}

export class Extractor implements ChildWatcher {
  readonly #options: ExtractorOptions;
  readonly #clock: Clock;
  readonly #limits: ChildLimits;
  readonly #program: ChildProgram;
  readonly #queues: Record<Urgency, Request[]> = { delivery: [], walk: [] };
  readonly #workers = new Map<TextChild, Worker>();
  readonly #hanging = new Set<TextChild>();
  #look: Timer | undefined;
  #lastId = 0;
  #isClosed = false;

  constructor(options: ExtractorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#program = options.program ?? {
      module: new URL("./text-process.ts", import.meta.url),
      args: options.attachments ? [] : ["without-attachments"],
      cache: options.cache,
    };
  }

  /**
   * "gone" if there is no regular file of this name. Rejects with UnreadableMessage if the file cannot be read now, and
   * with the reason of `signal`.
   */
  extract(path: string, urgency: Urgency, signal?: AbortSignal): Promise<Extract | "gone"> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new Error("the extractor is closed");
      signal?.throwIfAborted();
      const request: Request = {
        path,
        urgency,
        plainly: false,
        partly: undefined,
        isSettled: false,
        resolve: (result) => {
          signal?.removeEventListener("abort", abort);
          request.isSettled = true;
          resolve(result);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          request.isSettled = true;
          reject(error);
        },
      };
      const abort = () => request.reject(signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      this.#queues[urgency].push(request);
      this.#dispatch();
    });
  }

  /** Ends all processes. What has not been answered is rejected. */
  close(): void {
    this.#isClosed = true;
    this.#look?.cancel();
    const closed = new Error("the extractor is closed");
    for (const worker of this.#workers.values()) {
      worker.idle?.cancel();
      for (const request of worker.orders.values()) request.reject(closed);
      worker.child.release();
      worker.child.kill("closed");
    }
    this.#workers.clear();
    for (const request of this.#takeAll()) request.reject(closed);
  }

  /** Ids of the processes that run now. */
  get pids(): readonly number[] {
    return [...this.#workers.keys()].flatMap((child) => child.pid ?? []);
  }

  /** Called by a process. */
  answers(child: TextChild, answers: readonly Answer[]): void {
    const worker = this.#workers.get(child);
    if (worker === undefined) return;
    for (const answer of answers) this.#settle(worker, answer);
    if (worker.orders.size === 0) {
      const isFast = this.#clock.monotonic() - worker.sentAt < FAST;
      worker.window = isFast ? Math.min(WINDOW, worker.window * 2) : Math.max(1, worker.window / 2);
      this.#rest(worker);
    }
    this.#dispatch();
  }

  /** Called by a process that has ended or hangs. Its first order without an answer is the one that it was at. */
  ended(child: TextChild, end: End, why: string): void {
    const worker = this.#workers.get(child);
    this.#workers.delete(child);
    if (worker === undefined) return;
    worker.idle?.cancel();
    if (end === "hangs") this.#hanging.add(child);
    const [first, ...others] = worker.orders.values();
    if (first !== undefined) this.#costs(first, end, why);
    for (const request of others.toReversed()) this.#queues[request.urgency].unshift(request);
    this.#dispatch();
  }

  /** Called by a process that is gone. */
  left(child: TextChild): void {
    if (this.#hanging.delete(child)) this.#dispatch();
  }

  #costs(request: Request, end: End, why: string): void {
    if (end === "never started") {
      request.reject(new UnreadableMessage(request.path, "ECHILD", `no text process: ${why}`));
    } else if (end === "hangs") {
      request.reject(
        new UnreadableMessage(request.path, "ETIMEDOUT", "the file system gives no answer"),
      );
    } else if (request.partly !== undefined) request.resolve(request.partly);
    else if (request.plainly) {
      request.reject(
        new UnreadableMessage(request.path, "ECHILD", `its text process ended: ${why}`),
      );
    } else {
      request.plainly = true;
      this.#queues[request.urgency].unshift(request);
    }
  }

  #settle(worker: Worker, answer: Answer): void {
    if (answer.kind === "ready" || answer.kind === "alive") return;
    const request = worker.orders.get(answer.id);
    if (request === undefined) return;
    if (answer.kind === "partly") {
      request.partly = answer.extract;
      return;
    }
    worker.orders.delete(answer.id);
    if (answer.kind === "extract") request.resolve(answer.extract);
    else if (answer.kind === "gone") request.resolve("gone");
    else request.reject(new UnreadableMessage(request.path, answer.code, answer.text));
  }

  #rest(worker: Worker): void {
    worker.child.rest();
    if (worker.isRetired) return this.#release(worker);
    const idle = this.#options.idle ?? IDLE;
    worker.idle = this.#clock.after(idle, () => this.#release(worker));
  }

  #release(worker: Worker): void {
    this.#workers.delete(worker.child);
    worker.child.release();
  }

  #dispatch(): void {
    if (this.#isClosed) return;
    if (this.#hanging.size >= HANGING_MAX) {
      for (const { path, reject } of this.#takeAll()) {
        reject(new UnreadableMessage(path, "ETIMEDOUT", "the file system gives no answer"));
      }
    }
    for (;;) {
      const urgency = this.#queues.delivery.length > 0 ? "delivery" : "walk";
      if (this.#queues[urgency].length === 0) break;
      const worker = this.#freeWorker();
      if (worker === undefined) break;
      this.#give(worker, urgency);
    }
    this.#lookLater();
  }

  /** An idle process, a new one, or the one with the fewest orders that takes more. */
  #freeWorker(): Worker | undefined {
    let best: Worker | undefined;
    for (const worker of this.#workers.values()) {
      const hasRoom = !worker.isRetired && worker.orders.size < worker.window;
      if (hasRoom && worker.orders.size < (best?.orders.size ?? Infinity)) best = worker;
    }
    if (best?.orders.size === 0) return best;
    const most = this.#options.processes ?? availableParallelism();
    return this.#workers.size < most ? this.#start() : best;
  }

  #start(): Worker {
    const child = new TextChild(this.#program, this.#limits, this.#clock, this);
    const orders = new Map<number, Request>();
    const worker: Worker = {
      child,
      orders,
      window: 2,
      sentAt: 0,
      idle: undefined,
      isRetired: false,
    };
    this.#workers.set(child, worker);
    return worker;
  }

  #give(worker: Worker, urgency: Urgency): void {
    if (worker.orders.size === 0) {
      worker.idle?.cancel();
      worker.sentAt = this.#clock.monotonic();
      worker.child.begin();
    }
    const given = this.#queues[urgency]
      .splice(0, worker.window - worker.orders.size)
      .filter((request) => !request.isSettled);
    const orders = given.map((request) => {
      const id = ++this.#lastId;
      worker.orders.set(id, request);
      return { id, path: request.path, plainly: request.plainly };
    });
    if (orders.length > 0) worker.child.send(orders);
    else if (worker.orders.size === 0) this.#rest(worker);
  }

  #lookLater(): void {
    if (this.#look !== undefined || this.#isClosed) return;
    if ([...this.#workers.values()].every((worker) => worker.orders.size === 0)) return;
    this.#look = this.#clock.after(LOOK, () => {
      this.#look = undefined;
      for (const worker of this.#workers.values()) {
        if (worker.orders.size === 0) continue;
        worker.child.watch();
        if (worker.child.isWorn) worker.isRetired = true;
      }
      this.#lookLater();
    });
  }

  #takeAll(): Request[] {
    return [...this.#queues.delivery.splice(0), ...this.#queues.walk.splice(0)];
  }
}

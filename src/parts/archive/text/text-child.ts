// One text process, as the archive sees it: started with limits, watched, ended.
//
// Invariant: a process that takes more than its CPU, memory or time is killed, and its end is reported once.

import { type ChildProcess, execFile, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../../base/clock.ts";
import { given } from "../../../base/given.ts";
import type { Answer, Order } from "./child-words.ts";

export interface ChildLimits {
  /** Milliseconds of CPU between two answers. */
  readonly cpu: number;
  /** Milliseconds between two answers, by the clock: a disk may hang. */
  readonly time: number;
  /** Octets of memory (RSS). */
  readonly memory: number;
}

export type End = "died" | "hangs" | "never started";

export interface ChildWatcher {
  answers(child: TextChild, answers: readonly Answer[]): void;
  /** Called once. A process whose file system hangs may live on after that: `left` is called when it is gone. */
  ended(child: TextChild, end: End, why: string): void;
  left(child: TextChild): void;
}

export interface ChildProgram {
  readonly module: URL;
  readonly args: readonly string[];
  /** Folder for compiled code: with it, a process needs 25 MB less, because it does not load Node's type stripper. */
  readonly cache?: string | undefined;
}

/** Octets of memory for data beyond those that a fresh process has: the kernel refuses more, and V8 then gives up. */
const DATA_GROWTH = 90 << 20;
/** Seconds of CPU in the life of a process: one that the archive's end has left in a loop ends by itself. */
const LIFE_CPU = 900;
/** Milliseconds of CPU after which a process is replaced when it has no orders. */
const LONG_CPU = 600_000;
/** A process that has grown beyond this, in octets, is replaced when it has no orders. */
const GROWN = 112 << 20;
const HEAP_MEGABYTES = 44;
const YOUNG_MEGABYTES = 2;
const STDERR_KEPT = 2000;
/** Milliseconds of CPU in one tick of /proc. */
const TICK = 10;

export class TextChild {
  readonly #process: ChildProcess;
  readonly #limits: ChildLimits;
  readonly #clock: Clock;
  readonly #watcher: ChildWatcher;
  #stderr = "";
  #isReady = false;
  #isEnded = false;
  #hasLeft = false;
  /** Answers have come since the last look. */
  #hasAnswered = true;
  #cpuThen = 0;
  #answeredAt: number;
  /** It has grown or worked so much that another process should take its place. */
  isWorn = false;

  constructor(program: ChildProgram, limits: ChildLimits, clock: Clock, watcher: ChildWatcher) {
    this.#limits = limits;
    this.#clock = clock;
    this.#watcher = watcher;
    this.#answeredAt = clock.monotonic();
    this.#process = fork(fileURLToPath(program.module), program.args, {
      execArgv: [
        `--max-old-space-size=${HEAP_MEGABYTES}`,
        `--max-semi-space-size=${YOUNG_MEGABYTES}`,
        "--v8-pool-size=1",
      ],
      env: { UV_THREADPOOL_SIZE: "1", ...given({ NODE_COMPILE_CACHE: program.cache }) },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#process.stderr?.on("data", (piece: Buffer) => {
      this.#stderr = (this.#stderr + piece.toString()).slice(0, STDERR_KEPT);
    });
    this.#process.on("message", (answers: Answer[]) => this.#answered(answers));
    this.#process.on("error", (error) => this.#end(error.message));
    this.#process.on("exit", (code, signal) => this.#end(signal ?? `exit ${code}`));
    // Only orders without an answer keep the archive's process alive.
    if (this.#process.stderr instanceof Socket) this.#process.stderr.unref();
    this.rest();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  send(orders: readonly Order[]): void {
    this.#process.send(orders, (error) => {
      if (error !== null) this.#process.kill("SIGKILL");
    });
  }

  /** Looks whether the process is within its limits; it has orders without an answer. */
  watch(): void {
    const used = usageOf(this.pid);
    if (used === undefined || this.#isEnded) return;
    this.isWorn ||= used.memory > GROWN || used.cpu > LONG_CPU;
    const now = this.#clock.monotonic();
    if (this.#hasAnswered) {
      this.#hasAnswered = false;
      this.#cpuThen = used.cpu;
      this.#answeredAt = now;
    } else if (now - this.#answeredAt > this.#limits.time) this.#hangs();
    else if (this.#isReady && used.cpu - this.#cpuThen > this.#limits.cpu)
      this.kill("too much CPU");
    if (used.memory > this.#limits.memory) this.kill("too much memory");
  }

  /** Notes that the process has answered all orders. */
  rest(): void {
    this.#process.unref();
    this.#process.channel?.unref();
  }

  /** Notes that orders are given to an idle process: its time begins now. */
  begin(): void {
    this.#process.ref();
    this.#process.channel?.ref();
    this.#hasAnswered = true;
    this.#answeredAt = this.#clock.monotonic();
  }

  kill(why: string): void {
    this.#stderr ||= why;
    this.#process.kill("SIGKILL");
  }

  /** Lets an idle process end by itself. */
  release(): void {
    this.#isEnded = true;
    if (this.#process.connected) this.#process.disconnect();
  }

  #answered(answers: readonly Answer[]): void {
    this.#hasAnswered = true;
    if (!this.#isReady) {
      this.#isReady = true;
      limitData(this.pid);
    }
    if (!this.#isEnded) this.#watcher.answers(this, answers);
  }

  #hangs(): void {
    this.kill("no answer");
    this.#isEnded = true;
    this.#watcher.ended(this, "hangs", "no answer");
  }

  #end(how: string): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    if (!this.#isEnded) {
      this.#isEnded = true;
      const why = `${how} ${this.#stderr}`.trim();
      this.#watcher.ended(this, this.#isReady ? "died" : "never started", why);
    }
    this.#watcher.left(this);
  }
}

interface Usage {
  /** Milliseconds. */
  readonly cpu: number;
  /** Octets. */
  readonly memory: number;
}

/** Undefined once the process is gone. */
function usageOf(pid: number | undefined): Usage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // After the name in brackets, which may contain anything: utime and stime are the fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const cpu = (Number(fields[11]) + Number(fields[12])) * TICK;
    return { cpu, memory: kilobytesIn(status, "VmRSS") * 1024 };
  } catch {
    return undefined;
  }
}

function kilobytesIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
}

/** Has the kernel refuse data beyond the limit. Where there is no prlimit, only the watch holds. */
function limitData(pid: number | undefined): void {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const data = kilobytesIn(status, "VmData") * 1024 + DATA_GROWTH;
    execFile(
      "prlimit",
      ["--pid", String(pid), `--data=${data}`, `--cpu=${LIFE_CPU}`, "--core=0"],
      () => {},
    );
  } catch {
    // The process is gone already.
  }
}

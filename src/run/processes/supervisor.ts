// The process of one part: started, watched, started again when it has died, ended with the relay.
//
// Invariants: a process that dies at once is not started in a circle: each time the relay waits twice as long, up to a
// minute. One that does not end in time is killed.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { FrontDoor } from "./front-door.ts";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
/** A process that has served for so long, in ms, has not died of its beginning. */
const SETTLED_AFTER = 60_000;

/** What is run: a module of Node, and its arguments. */
export interface Program {
  readonly module: string;
  readonly args: readonly string[];
}

export interface SupervisorMeans {
  readonly clock: Clock;
  readonly log: Log;
}

export class Supervisor {
  readonly #part: string;
  readonly #program: Program;
  readonly #doors: readonly FrontDoor[];
  readonly #means: SupervisorMeans;
  #child: ChildProcess | undefined;
  #isServing = false;
  #begunAt = 0;
  #pause = FIRST_PAUSE;
  #timer: Timer | undefined;
  #isStopping = false;
  /** Clients on their way to the process. */
  readonly #underWay = new Set<Socket>();

  /** `doors` are the part's addresses, in its own order. */
  constructor(part: string, program: Program, doors: readonly FrontDoor[], means: SupervisorMeans) {
    this.#part = part;
    this.#program = program;
    this.#doors = doors;
    this.#means = means;
  }

  start(): void {
    const { module, args } = this.#program;
    this.#timer = undefined;
    this.#begunAt = this.#means.clock.monotonic();
    // Its log goes where ours goes.
    const child = fork(module, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child = child;
    child.on("message", () => this.#serves(child));
    child.on("error", (error) => {
      const failed = { where: this.#part, error: describeError(error) };
      this.#means.log.event("relay.error", failed);
      // One that could not be started has no exit.
      if (child.pid === undefined) this.#ended(child, "it cannot be started");
    });
    child.on("exit", (code, signal) => this.#ended(child, signal ?? `exit ${code}`));
  }

  /** Resolves when the process has ended: by itself in `grace` ms, or killed. */
  async stop(grace: number): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    const child = this.#child;
    if (child === undefined) return;
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    const late = this.#means.clock.after(grace, () => child.kill("SIGKILL"));
    await exit;
    late.cancel();
  }

  #serves(child: ChildProcess): void {
    if (child !== this.#child || this.#isServing) return;
    this.#isServing = true;
    this.#means.log.event("part.started", { part: this.#part, pid: child.pid ?? 0 });
    for (const [door, frontDoor] of this.#doors.entries()) {
      frontDoor.follow((socket) => this.#handOver(child, door, socket));
    }
  }

  #handOver(child: ChildProcess, door: number, socket: Socket): boolean {
    if (child !== this.#child || !child.connected) return false;
    // The copy here is closed when the process has its own; what it has not got when it ends is closed with it.
    this.#underWay.add(socket);
    child.send({ door }, socket, { keepOpen: true }, () => this.#handedOver(socket));
    return true;
  }

  #handedOver(socket: Socket): void {
    this.#underWay.delete(socket);
    socket.destroy();
  }

  #ended(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    const { clock, log } = this.#means;
    this.#child = undefined;
    this.#isServing = false;
    for (const socket of this.#underWay) this.#handedOver(socket);
    for (const door of this.#doors) door.follow(() => false);
    if (this.#isStopping) return;
    if (clock.monotonic() - this.#begunAt >= SETTLED_AFTER) this.#pause = FIRST_PAUSE;
    log.event("part.ended", { part: this.#part, how, seconds: this.#pause / 1000 });
    this.#timer = clock.after(this.#pause, () => this.start());
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }
}

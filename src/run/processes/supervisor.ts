// Supervises the process of one part: starts it, restarts it when it dies, and ends it with the relay.
//
// Invariants: a process that keeps dying is restarted ever more slowly: the pause doubles each time, up to a minute. A
// process that does not end in time is killed.

import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { FrontDoor } from "./front-door.ts";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
/** Milliseconds after which a process counts as started well, so that the pause is short again. */
const SETTLED_AFTER = 60_000;

/** The program to run: a module of Node, and its arguments. */
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
  #whenEnded: (() => void) | undefined;
  /** Clients that are being handed to the process. */
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
    // The child's log goes to the same place as the relay's.
    const child = fork(module, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child = child;
    child.on("message", () => this.#serves(child));
    child.on("error", (error) => {
      const failed = { where: this.#part, error: describeError(error) };
      this.#means.log.event("relay.error", failed);
      // A process that could not be started emits no "exit".
      if (child.pid === undefined) this.#ended(child, "it cannot be started");
    });
    child.on("exit", (code, signal) => this.#ended(child, signal ?? `exit ${code}`));
  }

  /** Resolves when the process has ended, by itself within `grace` ms or killed, or could not be started. */
  async stop(grace: number): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => (this.#whenEnded = resolve));
    child.kill("SIGTERM");
    const late = this.#means.clock.after(grace, () => child.kill("SIGKILL"));
    await ended;
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
    // The socket here is closed when the process has its own copy, or when the process ends without having received it.
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
    this.#whenEnded?.();
    if (this.#isStopping) return;
    if (clock.monotonic() - this.#begunAt >= SETTLED_AFTER) this.#pause = FIRST_PAUSE;
    log.event("part.ended", { part: this.#part, how, seconds: this.#pause / 1000 });
    this.#timer = clock.after(this.#pause, () => this.start());
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }
}

// One Maildir's lane: its system calls, and the deliveries that they belong to.

import { FileSystemHangs } from "./maildir-disks.ts";
import type { DiskReply, DiskRequest, DiskValue } from "./disk-request.ts";

/** A call that waits for a thread, or for its answer. */
export interface Job {
  readonly turn: Turn;
  readonly request: DiskRequest;
  /** Jobs are numbered in the order of their requests. */
  readonly number: number;
  readonly onNames: ((names: readonly string[]) => void) | undefined;
  resolve(value: DiskValue): void;
  reject(error: unknown): void;
}

/** A thread that makes calls of a lane, seen from the lane. */
interface LaneThread {
  readonly state: "running" | "slow" | "hung";
}

/** The part of {@link Lanes} that a lane and its turns use. */
interface LaneKeeper {
  /** Whether `place` is offered: a whole file in one request. */
  readonly places: boolean;
  ask(
    turn: Turn,
    request: DiskRequest,
    onNames?: (names: readonly string[]) => void,
  ): Promise<DiskValue>;
  admits(lane: Lane): boolean;
}

/** A delivery under way. */
export class Turn {
  readonly lane: Lane;
  /** Whether one of its calls was made. */
  isBegun = false;
  /** Whether it has made a file: from then on none of its calls is refused. */
  hasFile = false;
  giveUp: () => void = () => undefined;
  readonly #lanes: LaneKeeper;

  constructor(lane: Lane, lanes: LaneKeeper) {
    this.lane = lane;
    this.#lanes = lanes;
  }

  get places(): boolean {
    return this.#lanes.places;
  }

  ask(request: DiskRequest, onNames?: (names: readonly string[]) => void): Promise<DiskValue> {
    return this.#lanes.ask(this, request, onNames);
  }
}

export class Lane {
  readonly directory: string;
  readonly root: string;
  readonly #lanes: LaneKeeper;
  readonly #onAnswer = new Map<string, () => void>();
  /** From here on, only {@link Lanes} uses the fields. */
  readonly turns = new Set<Turn>();
  /** The threads that make its calls now. */
  readonly threads = new Set<LaneThread>();
  jobs: Job[] = [];
  /** The number of its threads that hang. */
  hung = 0;
  /** By the monotonic clock, in ms. */
  begunAt = -Infinity;
  probedAt = -Infinity;
  closedAt: number | undefined;
  /** The number of failed syncs of its directories, and the reply of the last one. */
  failures = 0;
  failure: DiskReply | undefined;
  /** Numbers of jobs: the last one that hangs, and the last one that was answered. */
  lastHung = -1;
  lastGood: number | undefined;

  constructor(directory: string, root: string, lanes: LaneKeeper) {
    this.directory = directory;
    this.root = root;
    this.#lanes = lanes;
  }

  get isIdle(): boolean {
    return this.turns.size === 0 && this.#onAnswer.size === 0;
  }

  get isHung(): boolean {
    return this.closedAt !== undefined;
  }

  /** Whether a delivery may begin now. Call it once for each delivery, because it counts probes. */
  admits(): boolean {
    return this.#lanes.admits(this);
  }

  /** Settles as `deliver` does. Rejects with {@link FileSystemHangs} if `deliver` waits for a file system that hangs. */
  run(deliver: (turn: Turn) => Promise<string>): Promise<string> {
    return new Promise((resolve, reject) => {
      const turn = new Turn(this, this.#lanes);
      this.turns.add(turn);
      const underWay = deliver(turn);
      turn.giveUp = () =>
        reject(new FileSystemHangs(this.directory, turn.isBegun ? underWay : undefined));
      const over = () => this.turns.delete(turn);
      underWay.then(over, over);
      underWay.then(resolve, reject);
    });
  }

  /** Calls `callback` once, when the Maildir has answered again. A later callback with the same `key` replaces it. */
  onceAnswered(key: string, callback: () => void): void {
    this.#onAnswer.set(key, callback);
  }

  tellAnswered(): void {
    const callbacks = [...this.#onAnswer.values()];
    this.#onAnswer.clear();
    for (const callback of callbacks) callback();
  }
}

// One Maildir's lane: its system calls, and the deliveries that they belong to.

import type { DiskReply, DiskRequest, Look } from "./disk-request.ts";

export type DiskValue = number | Look | undefined;

/** The file system of a Maildir does not answer, or is not to be asked now. */
export class FileSystemHangs extends Error {
  readonly code = "ETIMEDOUT";
  /** The delivery, if it has begun: it goes on. */
  readonly underWay: Promise<string> | undefined;

  constructor(directory: string, underWay?: Promise<string>) {
    super(`the file system of ${directory} does not answer`);
    this.underWay = underWay;
  }
}

/** A call that waits for a thread, or for its answer. */
export interface Job {
  readonly turn: Turn;
  readonly request: DiskRequest;
  /** Jobs are counted: what was asked for later has a higher number. */
  readonly number: number;
  readonly onNames: ((names: readonly string[]) => void) | undefined;
  resolve(value: DiskValue): void;
  reject(error: unknown): void;
}

/** A thread, as the lane sees whose calls it makes. */
interface LaneThread {
  readonly state: "running" | "slow" | "hung";
}

/** All lanes together: what one lane leaves to them. */
interface LaneKeeper {
  /** A whole file can be made at once. */
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
  /** A call of it was made. */
  isBegun = false;
  /** It has made a file: from here on it is not refused a call. */
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
  /** The rest is the business of the keeper. */
  readonly turns = new Set<Turn>();
  /** That make its calls now. */
  readonly threads = new Set<LaneThread>();
  jobs: Job[] = [];
  /** Threads that hang. */
  hung = 0;
  /** By the monotonic clock, in ms. */
  begunAt = -Infinity;
  probedAt = -Infinity;
  closedAt: number | undefined;
  /** Syncs of its directories that have failed, and how the last one did. */
  failures = 0;
  failure: DiskReply | undefined;
  /** Numbers of jobs. */
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

  /** Whether a delivery may begin now; to be asked once for each. */
  admits(): boolean {
    return this.#lanes.admits(this);
  }

  /** As the delivery ends. Rejects with {@link FileSystemHangs} when it has to wait for a file system that hangs. */
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

  /** Called once, when the Maildir has answered again; of several of one `key`, the last is. */
  onceAnswered(key: string, callback: () => void): void {
    this.#onAnswer.set(key, callback);
  }

  tellAnswered(): void {
    const callbacks = [...this.#onAnswer.values()];
    this.#onAnswer.clear();
    for (const callback of callbacks) callback();
  }
}

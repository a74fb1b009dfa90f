// Knows which file systems of Maildirs answer. Each Maildir has a lane for its system calls. They are made in threads of
// their own, in batches of one lane each. A thread that hangs is lost, and another replaces it, up to a limit.
//
// Invariants:
// - A call that has not returned after two seconds hangs. Its lane is closed: no delivery begins there until that call or
//   a probe returns.
// - A call of a delivery that has a file is never refused. It only waits, so the delivery ends as it would have ended.
// - Node cannot cancel a system call: a thread hangs until the file system answers.

import { dirname } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";
import { DiskThread, errorOf } from "./disk-threads.ts";
import type { DiskReply, DiskRequest, DiskValue } from "./disk-request.ts";
import type { Executors } from "./executors.ts";
import { type Job, Lane, type Turn } from "./lane.ts";
import { FileSystemHangs } from "./maildir-disks.ts";

/** Threads that run: neither slow nor hung. */
const THREADS_MAX = 4;
/** Threads of one Maildir among them. */
const LANE_THREADS_MAX = 3;
/** Calls in a batch, all of one Maildir. */
const BATCH_MAX = 8;
/** Threads that may be slow or hung, beside those that run. */
const LOST_MAX = 16;
/** Hung threads of one Maildir, at most. */
const LANE_LOST_MAX = 4;
/** Hung threads below a directory from which its other Maildirs are suspect, and from which they get no probe. */
const SUSPECT_FROM = 4;
const SUSPECT_MAX = 8;
/** Milliseconds between two looks at the threads. */
const LOOK_EVERY = 250;
/** After this number of looks in the same call a thread is slow: another thread may start in its place. */
const SLOW_AFTER_LOOKS = 2;
/** After this number of looks it hangs: two seconds, or more if this process was stopped meanwhile. */
const HUNG_AFTER_LOOKS = 8;
/** Milliseconds after which a closed lane lets one more delivery try. */
const PROBE_AFTER = 60_000;
/** Milliseconds between two probes of suspect Maildirs below one directory. */
const SIBLING_PROBE_AFTER = 10_000;
/** Milliseconds after which an idle thread ends, unless it is the last. */
const IDLE_MAX = 30_000;
/** Lanes in memory; beyond that idle ones are dropped. */
const REMEMBERED_MAX = 10_000;

export interface LaneEvents {
  /** From now on no delivery into this Maildir begins. */
  hung(directory: string): void;
  /** The Maildir has answered, after `after` ms. */
  answered(directory: string, after: number): void;
}

/** Hung and answered jobs of the Maildirs below a directory, while some of them hang. */
interface Evidence {
  /** The number of threads that hang. */
  hung: number;
  /** The number of the last job that hangs. */
  lastHung: number;
  /** The number of the last job that was answered. */
  lastGood: number;
  probedAt: number;
}

export class Lanes {
  readonly #clock: Pick<Clock, "monotonic" | "after">;
  readonly #executors: Executors;
  readonly #events: LaneEvents;
  readonly #lanes = new Map<string, Lane>();
  readonly #threads = new Set<DiskThread>();
  /** The lanes with a waiting job, in the order of their turns. */
  readonly #queue = new Set<Lane>();
  readonly #evidence = new Map<string, Evidence>();
  #timer: Timer | undefined;
  #idle: Timer | undefined;
  #gathering: NodeJS.Immediate | undefined;
  #looks = 0;
  #jobs = 0;
  #running = 0;

  constructor(
    clock: Pick<Clock, "monotonic" | "after">,
    executors: Executors,
    events: LaneEvents = { hung: () => undefined, answered: () => undefined },
  ) {
    this.#clock = clock;
    this.#executors = executors;
    this.#events = events;
  }

  get places(): boolean {
    return this.#executors.places;
  }

  /** The lane of a Maildir, which is at `root` or below it. */
  lane(maildir: string, root: string): Lane {
    const known = this.#lanes.get(maildir);
    if (known !== undefined) return known;
    const lane = new Lane(maildir, root, this);
    this.#lanes.set(maildir, lane);
    for (const [path, oldest] of this.#lanes) {
      if (this.#lanes.size <= REMEMBERED_MAX) break;
      this.#lanes.delete(path);
      if (!oldest.isIdle) this.#lanes.set(path, oldest);
    }
    return lane;
  }

  /** Whether a delivery may begin; otherwise it waits until the Maildir answers. */
  admits(lane: Lane): boolean {
    if (this.#evidence.size === 0) return true;
    if (!lane.isHung) return !this.#isSuspect(lane);
    const now = this.#clock.monotonic();
    if (this.#isClosed(lane) || now - lane.probedAt < PROBE_AFTER) return false;
    lane.probedAt = now;
    return true;
  }

  ask(
    turn: Turn,
    request: DiskRequest,
    onNames?: (names: readonly string[]) => void,
  ): Promise<DiskValue> {
    const { lane } = turn;
    if (lane.isHung && !turn.hasFile && this.#isClosed(lane)) {
      return Promise.reject(new FileSystemHangs(lane.directory));
    }
    return new Promise((resolve, reject) => {
      lane.jobs.push({ turn, request, number: ++this.#jobs, onNames, resolve, reject });
      this.#queue.add(lane);
      this.#gathering ??= setImmediate(this.#proceed);
    });
  }

  /** Sends the jobs of one turn of the event loop in batches, a lane after the other. */
  readonly #proceed = (): void => {
    clearImmediate(this.#gathering);
    this.#gathering = undefined;
    for (const lane of this.#queue) {
      const thread = this.#threadFor(lane);
      if (thread === undefined) continue;
      this.#queue.delete(lane);
      this.#post(thread, lane, this.#batchOf(lane));
      if (lane.jobs.length > 0) this.#queue.add(lane);
    }
  };

  /** A share of the waiting jobs, so that the next thread gets some too. A request for names is a batch of its own. */
  #batchOf(lane: Lane): readonly Job[] {
    const { jobs } = lane;
    const free = LANE_THREADS_MAX - this.#working(lane);
    let size = Math.min(BATCH_MAX, Math.ceil(jobs.length / Math.max(1, free)));
    if (lane.lastGood === undefined) size = 1;
    const alone = jobs.findIndex(({ onNames }) => onNames !== undefined);
    if (alone !== -1) size = Math.min(size, Math.max(1, alone));
    return jobs.splice(0, size);
  }

  #working(lane: Lane): number {
    let working = 0;
    for (const { state } of lane.threads) if (state !== "hung") working++;
    return working;
  }

  #threadFor(lane: Lane): DiskThread | undefined {
    if (lane.jobs.length === 0 || this.#isClosed(lane)) return undefined;
    const working = this.#working(lane);
    if (lane.lastGood === undefined && (working > 0 || this.#lost >= LOST_MAX)) return undefined;
    return working < LANE_THREADS_MAX ? this.#free() : undefined;
  }

  /** An idle thread, or a new one if the limit allows it. */
  #free(): DiskThread | undefined {
    for (const thread of this.#threads) if (thread.lane === undefined) return thread;
    const most = Math.min(THREADS_MAX, LOST_MAX + 2 * THREADS_MAX - this.#lost);
    if (this.#running >= most) return undefined;
    const thread = new DiskThread(this.#executors, this.#answered, this.#ended);
    this.#threads.add(thread);
    this.#running++;
    return thread;
  }

  #post(thread: DiskThread, lane: Lane, jobs: readonly Job[]): void {
    thread.lane = lane;
    thread.look = this.#looks;
    thread.failures = lane.failures;
    lane.threads.add(thread);
    lane.begunAt = this.#clock.monotonic();
    for (const { turn } of jobs) turn.isBegun = true;
    thread.post(jobs);
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#timer === undefined) this.#timer = this.#clock.after(LOOK_EVERY, this.#look);
  }

  readonly #answered = (
    thread: DiskThread,
    jobs: readonly Job[],
    replies: readonly DiskReply[],
  ): void => {
    const { lane } = thread;
    if (lane === undefined) return;
    // A thread that hung shows that the file system answers now, so its answer gets a new number.
    const number = thread.state === "hung" ? ++this.#jobs : (jobs.at(-1)?.number ?? 0);
    if (thread.state === "hung") this.#returned(lane);
    if (thread.state !== "running") this.#running++;
    thread.state = "running";
    this.#rest(thread, lane);
    this.#heard(lane, number);
    const failed = replies.find((reply) => "error" in reply && reply.error.unsynced === true);
    if (failed !== undefined) {
      lane.failures++;
      lane.failure = failed;
    }
    const isSafe = thread.failures === lane.failures;
    for (const [index, job] of jobs.entries()) {
      const reply = replies[index];
      const isMoved = job.request.op === "place" && reply !== undefined && !("error" in reply);
      settle(job, isMoved && !isSafe ? lane.failure : reply);
    }
    if (this.#queue.size > 0) this.#proceed();
  };

  #rest(thread: DiskThread, lane: Lane): void {
    lane.threads.delete(thread);
    thread.lane = undefined;
    if (this.#running > THREADS_MAX) return this.#close(thread);
    if (this.#idle === undefined) this.#idle = this.#clock.after(IDLE_MAX, this.#endIdle);
  }

  /** Ends all idle threads, but keeps one thread. */
  readonly #endIdle = (): void => {
    this.#idle = undefined;
    for (const thread of this.#threads) {
      if (thread.lane === undefined && this.#threads.size > 1) this.#close(thread);
    }
  };

  #close(thread: DiskThread): void {
    this.#threads.delete(thread);
    this.#running--;
    thread.close();
  }

  /** The thread has died: its jobs have failed. */
  readonly #ended = (thread: DiskThread, error: unknown): void => {
    if (!this.#threads.delete(thread)) return;
    if (thread.state === "running") this.#running--;
    if (thread.state === "hung" && thread.lane !== undefined) this.#returned(thread.lane);
    thread.lane?.threads.delete(thread);
    for (const job of thread.jobs) job.reject(error);
    this.#proceed();
  };

  #returned(lane: Lane): void {
    lane.hung--;
    for (const directory of above(lane)) {
      const evidence = this.#evidence.get(directory);
      if (evidence !== undefined && --evidence.hung === 0) this.#evidence.delete(directory);
    }
  }

  #heard(lane: Lane, number: number): void {
    if (number > (lane.lastGood ?? 0)) lane.lastGood = number;
    if (this.#evidence.size > 0) {
      for (const directory of above(lane)) {
        const evidence = this.#evidence.get(directory);
        if (evidence !== undefined) evidence.lastGood = Math.max(evidence.lastGood, number);
      }
    }
    if (lane.isHung && !this.#hangs(lane)) this.#open(lane);
  }

  /** The number of threads that are slow or hung. */
  get #lost(): number {
    return this.#threads.size - this.#running;
  }

  /** Whether no job was answered since the last hung job was requested. */
  #hangs(lane: Lane): boolean {
    return lane.hung > 0 && (lane.lastGood ?? -1) < lane.lastHung;
  }

  #isClosed(lane: Lane): boolean {
    if (lane.hung === 0) return false;
    if (lane.hung >= LANE_LOST_MAX || this.#lost >= LOST_MAX) return true;
    return this.#hangs(lane) && this.#clock.monotonic() - lane.begunAt < PROBE_AFTER;
  }

  /** Whether many Maildirs beside it hang, or too many threads are lost, and this lane has not answered since. */
  #isSuspect(lane: Lane): boolean {
    const evidence = this.#nearest(lane);
    if (evidence !== undefined && (lane.lastGood ?? -1) >= evidence.lastHung) return false;
    const most = lane.lastGood === undefined ? LOST_MAX : LOST_MAX + THREADS_MAX;
    if (this.#lost >= most) return true;
    if (evidence === undefined || evidence.lastGood >= evidence.lastHung) return false;
    if (evidence.hung < SUSPECT_FROM) return false;
    const now = this.#clock.monotonic();
    if (evidence.hung >= SUSPECT_MAX || now - evidence.probedAt < SIBLING_PROBE_AFTER) return true;
    evidence.probedAt = now;
    return false;
  }

  /** The evidence of the lowest directory above the lane that has a hung thread below it. */
  #nearest(lane: Lane): Evidence | undefined {
    for (const directory of above(lane)) {
      const evidence = this.#evidence.get(directory);
      if (evidence !== undefined) return evidence;
    }
    return undefined;
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    this.#looks++;
    let waiting = false;
    for (const thread of this.#threads) {
      if (thread.lane === undefined || thread.state === "hung") continue;
      if (thread.goesOn()) thread.look = this.#looks;
      const age = this.#looks - thread.look;
      if (age >= SLOW_AFTER_LOOKS && thread.state === "running") {
        thread.state = "slow";
        this.#running--;
      }
      if (age >= HUNG_AFTER_LOOKS) this.#declare(thread, thread.lane);
      else waiting = true;
    }
    this.#proceed();
    if (waiting) this.#lookLater();
  };

  #declare(thread: DiskThread, lane: Lane): void {
    const number = thread.jobs[0]?.number ?? 0;
    thread.state = "hung";
    lane.hung++;
    lane.lastHung = Math.max(lane.lastHung, number);
    for (const directory of above(lane)) {
      const evidence = this.#evidence.get(directory) ?? UNHEARD();
      evidence.hung++;
      evidence.lastHung = Math.max(evidence.lastHung, number);
      this.#evidence.set(directory, evidence);
    }
    for (const { turn } of thread.jobs) turn.giveUp();
    if (!lane.isHung && this.#hangs(lane)) this.#shut(lane);
  }

  #shut(lane: Lane): void {
    lane.closedAt = this.#clock.monotonic() - HUNG_AFTER_LOOKS * LOOK_EVERY;
    const refused = lane.jobs.filter(({ turn }) => !turn.hasFile);
    lane.jobs = lane.jobs.filter(({ turn }) => turn.hasFile);
    if (lane.jobs.length === 0) this.#queue.delete(lane);
    this.#events.hung(lane.directory);
    for (const turn of lane.turns) turn.giveUp();
    for (const job of refused) job.reject(new FileSystemHangs(lane.directory));
  }

  #open(lane: Lane): void {
    const after = this.#clock.monotonic() - (lane.closedAt ?? 0);
    lane.closedAt = undefined;
    this.#events.answered(lane.directory, after);
    lane.tellAnswered();
  }
}

/** Ends a job. If a sync of a directory fails, all jobs that asked before its end fail: the system reports it once. */
function settle(job: Job, reply: DiskReply | undefined): void {
  if (reply === undefined) job.reject(new Error("the thread gave no reply"));
  else if ("error" in reply) job.reject(errorOf(reply.error));
  else job.resolve(reply.value);
}

const UNHEARD = (): Evidence => ({ hung: 0, lastHung: -1, lastGood: -1, probedAt: -Infinity });

/** The directories that hold the Maildir, from its own up to the root. */
function* above({ directory, root }: Lane): Iterable<string> {
  let at = directory;
  while (at.length > root.length) yield (at = dirname(at));
}

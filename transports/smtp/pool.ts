// Connections that outlive a message. Who finds none free waits in line and is served in order. A lease is the
// right to one connection: it may hold one from before, and it may have to open one itself. Whoever takes a lease
// releases it, whatever happens. A connection serves only who asks for the very TLS policy that it was made under.
//
// How many at a time is learnt for each target: it begins with a few, one more for each message that got through,
// half for each failure. All lines of all transports together have a bound, and a line gets a part of what is left of
// it: so hosts that do not answer, however many, hold up some messages and never all of the queue; and there is always
// room for a host that works. Messages that are still coming in, whose clients may be slow, never hold the last
// connection.

import type { Conversation } from "../../src/smtp/client/client.ts";
import type { Room, Standing } from "../../src/base/room.ts";
import type { Target } from "./targets.ts";

/** A conversation from before, or the right to open one. Undefined: there will be none. */
type Grant = { readonly conversation: Conversation | undefined } | undefined;

interface Idle {
  readonly conversation: Conversation;
  readonly policy: string;
}

interface Parked extends Idle {
  readonly key: string;
  readonly pooled: PooledTarget;
}

interface Waiting {
  readonly policy: string;
  readonly granted: (grant: Grant) => void;
}

/** All that is known of one target. */
interface PooledTarget {
  readonly idle: Parked[];
  leased: number;
  /** Of these, for messages that are still coming in. */
  passing: number;
  /** How many may be leased now. */
  limit: number;
  /** A message has got through, and nothing failed since. */
  proven: boolean;
  failures: number;
  /** First come, first served: a Set keeps the order and lets one leave the line. */
  readonly waiting: Set<Waiting>;
}

/** Postfix begins with as many (initial_destination_concurrency). */
const INITIAL_LIMIT = 5;
/** What one target may have of the room that is left. */
const SHARE = 1 / 2;
const SHARE_UNPROVEN = 1 / 8;
/** Targets that have taken mail and are remembered for that, when nobody is connected to them. */
const PROVEN_MAX = 1000;
/** Unused connections that are kept, to all targets. */
const IDLE_MAX = 200;

interface LeaseManner {
  /** The message is still coming in. */
  readonly passing?: boolean;
  /** The postmaster has written the host down. */
  readonly isOwn?: boolean;
}

export class Pool {
  readonly #most: number;
  readonly #messagesEach: number;
  readonly #idleTime: number;
  readonly #room: Room;
  readonly #targets = new Map<string, PooledTarget>();
  /** Labels of targets that have taken mail; the last one to do so stands at the end. */
  readonly #proven = new Set<string>();
  /** The one that has lain idle for longest stands at the head. */
  readonly #idle = new Set<Parked>();
  #closed = false;

  /** `idleTime` in milliseconds; 0 keeps nothing. Leases and lines take places of the room. */
  constructor(most: number, messagesEach: number, idleTime: number, room: Room) {
    this.#most = most;
    this.#messagesEach = messagesEach;
    this.#idleTime = idleTime;
    this.#room = room;
  }

  /**
   * Whether one more may join the line: "busy" when it is too long, "in doubt" when nobody knows yet whether the
   * host answers, and enough are finding out. One is enough to find out about a host that failed the last time.
   * `isOwn`: the postmaster has written it down.
   */
  room(target: Target, failedLastTime: boolean, isOwn = false): "free" | "busy" | "in doubt" {
    const pooled = this.#targets.get(target.label);
    const left = this.#room.left(this.#standing(target, isOwn));
    const hasRoom = left > 0;
    if (pooled === undefined) return hasRoom ? "free" : "in doubt";
    const share = failedLastTime ? 1 : shareOf(pooled, left);
    if (occupied(pooled) < share && (hasRoom || pooled.proven)) return "free";
    return pooled.proven ? "busy" : "in doubt";
  }

  /** A host that failed has to prove itself again. */
  #standing({ label }: Target, isOwn: boolean): Standing {
    if (isOwn) return "own";
    return this.#proven.has(label) ? "proven" : "unknown";
  }

  /** How many more may come when the delivery that asks is done. 0 as long as enough are there. */
  vacancies(target: Target): number {
    const pooled = this.#targets.get(target.label);
    if (pooled === undefined) return 1;
    const share = shareOf(pooled, this.#room.left(this.#standing(target, false)));
    const free = share - occupied(pooled) + 1;
    return free < share / 2 ? 0 : Math.floor(free);
  }

  /** One more place stays free when a message that is still coming in gets one. */
  hasSpare(target: Target): boolean {
    const { leased, limit } = this.#targets.get(target.label) ?? {
      leased: 0,
      limit: this.#firstLimit,
    };
    return leased + 1 < limit;
  }

  /**
   * Undefined when the signal came before the turn, or the pool was closed. A message that is passing while it comes
   * in asks `hasSpare` at the same moment.
   */
  async lease(
    target: Target,
    signal: AbortSignal,
    { passing = false, isOwn = false }: LeaseManner = {},
  ): Promise<Lease | undefined> {
    const key = target.label;
    const policy = target.policy.key;
    const pooled = this.#pooled(key);
    const leave = this.#room.enter(this.#standing(target, isOwn));
    const { failures } = pooled;
    if (passing) pooled.passing++;
    const grant = await this.#grant(pooled, policy, signal);
    if (grant === undefined) {
      leave();
      if (passing) pooled.passing--;
      this.#forget(key, pooled);
      return undefined;
    }
    return new Lease(
      grant.conversation,
      pooled.failures > failures,
      (conversation) => {
        if (passing) pooled.passing--;
        leave();
        this.#release(key, pooled, conversation && { conversation, policy });
      },
      (worked) => this.#learn(key, pooled, worked),
    );
  }

  #learn(key: string, pooled: PooledTarget, worked: boolean): void {
    this.#proven.delete(key);
    if (worked) this.#proven.add(key);
    const [oldest] = this.#proven;
    if (this.#proven.size > PROVEN_MAX && oldest !== undefined) this.#proven.delete(oldest);
    pooled.limit = worked
      ? Math.min(this.#most, pooled.limit + 1)
      : Math.max(1, Math.floor(pooled.limit / 2));
    pooled.proven = worked;
    if (!worked) pooled.failures++;
    if (worked) this.#admit(pooled, undefined);
  }

  /** Serves the next in line, if there is room; what was left is handed on. True when somebody was served. */
  #admit(pooled: PooledTarget, left: Idle | undefined): boolean {
    const [next] = pooled.waiting;
    if (next === undefined || isFull(pooled)) return false;
    pooled.waiting.delete(next);
    pooled.leased++;
    const isGood = left?.policy === next.policy;
    if (left !== undefined && !isGood) void left.conversation.close();
    next.granted({ conversation: isGood ? left.conversation : undefined });
    return true;
  }

  /** Ends what is idle with QUIT, sends away who waits; what is on lease ends when it is released. */
  async close(): Promise<void> {
    this.#closed = true;
    const idle: Conversation[] = [];
    this.#idle.clear();
    for (const pooled of this.#targets.values()) {
      for (const { conversation } of pooled.idle.splice(0)) idle.push(conversation);
      for (const { granted } of pooled.waiting) granted(undefined);
      pooled.waiting.clear();
    }
    await Promise.all(idle.map((conversation) => conversation.close()));
  }

  #grant(pooled: PooledTarget, policy: string, signal: AbortSignal): Grant | Promise<Grant> {
    if (this.#closed || signal.aborted) return undefined;
    if (isFull(pooled)) return wait(pooled, policy, signal);
    pooled.leased++;
    const index = pooled.idle.findLastIndex((one) => one.policy === policy);
    // One that is no good for this makes room for one that is.
    const found = pooled.idle[Math.max(index, 0)];
    if (found === undefined) return { conversation: undefined };
    this.#takeUp(found).conversation.unpark();
    if (index >= 0) return found;
    void found.conversation.close();
    return { conversation: undefined };
  }

  get #firstLimit(): number {
    return Math.min(INITIAL_LIMIT, this.#most);
  }

  #pooled(key: string): PooledTarget {
    const known = this.#targets.get(key);
    if (known !== undefined) return known;
    const pooled: PooledTarget = {
      idle: [],
      leased: 0,
      passing: 0,
      limit: this.#firstLimit,
      proven: this.#proven.has(key),
      failures: 0,
      waiting: new Set(),
    };
    this.#targets.set(key, pooled);
    return pooled;
  }

  #release(key: string, pooled: PooledTarget, left: Idle | undefined): void {
    pooled.leased--;
    const kept = left && this.#isKept(left.conversation) ? left : undefined;
    if (this.#admit(pooled, kept)) return;
    if (kept !== undefined) this.#park(key, pooled, kept);
    this.#forget(key, pooled);
  }

  /** It is good for another message; it is closed if not. */
  #isKept(conversation: Conversation): boolean {
    if (!conversation.alive) return false;
    const spent = conversation.transactions >= this.#messagesEach;
    if (!this.#closed && !spent && this.#idleTime > 0) return true;
    void conversation.close();
    return false;
  }

  #park(key: string, pooled: PooledTarget, left: Idle): void {
    const parked = { ...left, key, pooled };
    pooled.idle.push(parked);
    this.#idle.add(parked);
    left.conversation.park(this.#idleTime, () => this.#drop(parked));
    const [oldest] = this.#idle;
    if (this.#idle.size > IDLE_MAX && oldest !== undefined) this.#drop(oldest);
  }

  /** It is idle no longer. */
  #takeUp(parked: Parked): Parked {
    const { idle } = parked.pooled;
    const at = idle.indexOf(parked);
    if (at >= 0) idle.splice(at, 1);
    this.#idle.delete(parked);
    return parked;
  }

  #drop(parked: Parked): void {
    const { key, pooled, conversation } = this.#takeUp(parked);
    this.#forget(key, pooled);
    void conversation.close();
  }

  #forget(key: string, pooled: PooledTarget): void {
    const unused = pooled.leased === 0 && pooled.idle.length === 0 && pooled.waiting.size === 0;
    if (unused) this.#targets.delete(key);
  }
}

/** However few places are left, one is not for messages whose clients may be slow. */
function isFull({ leased, passing, limit }: PooledTarget): boolean {
  return leased >= Math.max(limit, passing + 1);
}

/** Of what is left of the room. */
function shareOf({ proven, limit }: PooledTarget, left: number): number {
  return proven ? Math.max(limit, left * SHARE) : Math.max(1, left * SHARE_UNPROVEN);
}

function occupied({ leased, waiting }: PooledTarget): number {
  return leased + waiting.size;
}

function wait(pooled: PooledTarget, policy: string, signal: AbortSignal): Promise<Grant> {
  const { promise, resolve } = Promise.withResolvers<Grant>();
  const leave = () => {
    pooled.waiting.delete(waiting);
    resolve(undefined);
  };
  const granted = (grant: Grant) => {
    signal.removeEventListener("abort", leave);
    resolve(grant);
  };
  const waiting = { policy, granted };
  pooled.waiting.add(waiting);
  signal.addEventListener("abort", leave, { once: true });
  return promise;
}

/** The right to one connection to one target, until it is released. */
export class Lease {
  /** What is connected now; whoever opens a connection puts it here. */
  conversation: Conversation | undefined;
  /** The host failed somebody else while this one was in line. */
  readonly failedMeanwhile: boolean;
  /** A message got through, or the host could not be used: how many may try at a time depends on it. */
  readonly worked: (worked: boolean) => void;
  readonly #release: (conversation: Conversation | undefined) => void;

  constructor(
    conversation: Conversation | undefined,
    failedMeanwhile: boolean,
    release: (conversation: Conversation | undefined) => void,
    worked: (worked: boolean) => void,
  ) {
    this.conversation = conversation;
    this.failedMeanwhile = failedMeanwhile;
    this.#release = release;
    this.worked = worked;
  }

  [Symbol.dispose](): void {
    this.#release(this.conversation);
  }
}

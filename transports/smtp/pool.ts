// Connections that outlive a message. A lease is the right to one connection to a target. It may come with an idle
// connection, or its holder opens a new one. The holder must release it, whatever happens. If no lease is free, a
// delivery waits in line, and the line is served in order. A connection serves only deliveries under one TLS policy.
//
// The number of leases at a time is learnt for each target. It begins with 5, grows by one for each message that got
// through, and halves at each failure. All lines of all transports share one bounded room, and a line gets a share of
// its free places. So hosts that do not answer, however many, hold up some messages and never the whole queue, and a
// host that works always has room. Messages that are still coming in, whose clients may be slow, never hold the last
// connection.

import type { Conversation } from "../../src/smtp/client/client.ts";
import type { Room, Standing } from "../../src/base/room.ts";
import type { Target } from "./targets.ts";

/** An idle conversation, or the right to open one. Undefined: the delivery gets neither. */
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

/** The connections, line and limits of one target. */
interface PooledTarget {
  readonly idle: Parked[];
  leased: number;
  /** Leases held or awaited by messages that are still coming in. */
  passing: number;
  /** Most leases at a time. */
  limit: number;
  /** A message has got through, and the host has not failed since. */
  proven: boolean;
  failures: number;
  /** First come, first served. A Set keeps the order and lets a delivery leave the line. */
  readonly waiting: Set<Waiting>;
}

/** Postfix begins with the same number (initial_destination_concurrency). */
const INITIAL_LIMIT = 5;
/** Part of the free room that one target may have. */
const SHARE = 1 / 2;
const SHARE_UNPROVEN = 1 / 8;
/** Most targets that are remembered for having taken mail, connected or not. */
const PROVEN_MAX = 1000;
/** Most idle connections to all targets together. */
const IDLE_MAX = 200;

interface LeaseManner {
  /** The message is still coming in. */
  readonly passing?: boolean;
  /** The configuration names the host. */
  readonly isOwn?: boolean;
}

export class Pool {
  readonly #most: number;
  readonly #messagesEach: number;
  readonly #idleTime: number;
  readonly #room: Room;
  readonly #targets = new Map<string, PooledTarget>();
  /** Labels of targets that have taken mail, the most recent last. */
  readonly #proven = new Set<string>();
  /** Idle connections, the one that has been idle for longest first. */
  readonly #idle = new Set<Parked>();
  #closed = false;

  /** `idleTime` is in milliseconds; 0 keeps no connection. Leases and lines take places of `room`. */
  constructor(most: number, messagesEach: number, idleTime: number, room: Room) {
    this.#most = most;
    this.#messagesEach = messagesEach;
    this.#idleTime = idleTime;
    this.#room = room;
  }

  /**
   * Whether one more delivery may join the line. "busy": the line is too long. "in doubt": it is unknown whether the
   * host answers, and enough deliveries are testing it. For a host that failed the last time, one delivery is enough.
   * `isOwn`: the configuration names the host.
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

  /** The standing of a target in the room. After a failure it is unknown until the host takes mail again. */
  #standing({ label }: Target, isOwn: boolean): Standing {
    if (isOwn) return "own";
    return this.#proven.has(label) ? "proven" : "unknown";
  }

  /** Returns how many more deliveries may come once the asking one is done. 0 while over half the share is in use. */
  vacancies(target: Target): number {
    const pooled = this.#targets.get(target.label);
    if (pooled === undefined) return 1;
    const share = shareOf(pooled, this.#room.left(this.#standing(target, false)));
    const free = share - occupied(pooled) + 1;
    return free < share / 2 ? 0 : Math.floor(free);
  }

  /** Whether a lease stays free if a message that is still coming in gets one. */
  hasSpare(target: Target): boolean {
    const { leased, limit } = this.#targets.get(target.label) ?? {
      leased: 0,
      limit: this.#firstLimit,
    };
    return leased + 1 < limit;
  }

  /**
   * Waits in line for a lease. Undefined if `signal` aborts first or the pool is closed. For a message that is still
   * coming in, the caller asks `hasSpare` immediately before.
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

  /** Serves the next delivery in line if a lease is free, and hands `left` on. Returns whether one was served. */
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

  /** Ends idle connections with QUIT and sends waiting deliveries away. A leased connection ends at its release. */
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
    // An idle connection under another policy is closed and makes room for a new one.
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

  /** Whether the conversation can serve another message. If not, it is closed. */
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

  /** Takes a connection out of the idle ones. */
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

/** Whether no lease is free. However low the limit, one lease is kept for messages that are complete. */
function isFull({ leased, passing, limit }: PooledTarget): boolean {
  return leased >= Math.max(limit, passing + 1);
}

/** The places of the room that a target may have, of the `left` free ones. */
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
  /** The open connection, if any. The holder stores a connection here when it opens one. */
  conversation: Conversation | undefined;
  /** The host failed for another delivery while this one was in line. */
  readonly failedMeanwhile: boolean;
  /** Reports whether a message got through or the host could not be used. The number of leases depends on it. */
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

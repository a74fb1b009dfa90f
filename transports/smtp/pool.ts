// Connections that outlive a message. For each target at most so many at a time; who finds none free waits in
// line and is served in order. A lease is the right to one connection: it may hold one from before, and it may
// have to open one itself. Whoever takes a lease releases it, whatever happens.

import type { Conversation } from "../../src/smtp/client.ts";
import type { Target } from "./targets.ts";

/** A conversation from before, or the right to open one. Undefined: there will be none. */
type Grant = { readonly conversation: Conversation | undefined } | undefined;

/** All that is known of one target. */
interface Place {
  readonly idle: Conversation[];
  leased: number;
  /** First come, first served: a Set keeps the order and lets one leave the line. */
  readonly waiting: Set<(grant: Grant) => void>;
}

export class Pool {
  readonly #most: number;
  readonly #messagesEach: number;
  readonly #idleTime: number;
  readonly #places = new Map<string, Place>();
  #closed = false;

  /** `idleTime` in milliseconds; 0 keeps nothing. */
  constructor(most: number, messagesEach: number, idleTime: number) {
    this.#most = most;
    this.#messagesEach = messagesEach;
    this.#idleTime = idleTime;
  }

  /** Undefined when the signal came before the turn, or the pool was closed. */
  async lease(target: Target, signal: AbortSignal): Promise<Lease | undefined> {
    const key = `${target.name} ${target.address} ${target.port}`;
    const grant = await this.#grant(key, signal);
    return (
      grant && new Lease(grant.conversation, (conversation) => this.#release(key, conversation))
    );
  }

  /** Ends what is idle with QUIT, sends away who waits; what is on lease ends when it is released. */
  async close(): Promise<void> {
    this.#closed = true;
    const idle: Conversation[] = [];
    for (const place of this.#places.values()) {
      idle.push(...place.idle.splice(0));
      for (const grant of place.waiting) grant(undefined);
      place.waiting.clear();
    }
    await Promise.all(idle.map((conversation) => conversation.close()));
  }

  #grant(key: string, signal: AbortSignal): Grant | Promise<Grant> {
    if (this.#closed || signal.aborted) return undefined;
    const place = this.#place(key);
    const conversation = place.idle.pop();
    if (conversation === undefined && place.leased >= this.#most) return wait(place, signal);
    conversation?.unpark();
    place.leased++;
    return { conversation };
  }

  #place(key: string): Place {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place: Place = { idle: [], leased: 0, waiting: new Set() };
    this.#places.set(key, place);
    return place;
  }

  #release(key: string, conversation: Conversation | undefined): void {
    const place = this.#place(key);
    const kept = this.#keep(conversation);
    const [next] = place.waiting;
    if (next !== undefined) {
      place.waiting.delete(next);
      next({ conversation: kept });
      return;
    }
    place.leased--;
    if (kept !== undefined) this.#park(key, place, kept);
    this.#forget(key, place);
  }

  /** The conversation, if it is good for another message. */
  #keep(conversation: Conversation | undefined): Conversation | undefined {
    if (!conversation?.alive) return undefined;
    const spent = conversation.transactions >= this.#messagesEach;
    if (!this.#closed && !spent && this.#idleTime > 0) return conversation;
    void conversation.close();
    return undefined;
  }

  #park(key: string, place: Place, conversation: Conversation): void {
    place.idle.push(conversation);
    conversation.park(this.#idleTime, () => {
      place.idle.splice(place.idle.indexOf(conversation), 1);
      this.#forget(key, place);
      void conversation.close();
    });
  }

  #forget(key: string, place: Place): void {
    if (place.leased === 0 && place.idle.length === 0) this.#places.delete(key);
  }
}

function wait(place: Place, signal: AbortSignal): Promise<Grant> {
  const { promise, resolve } = Promise.withResolvers<Grant>();
  const leave = () => {
    place.waiting.delete(granted);
    resolve(undefined);
  };
  const granted = (grant: Grant) => {
    signal.removeEventListener("abort", leave);
    resolve(grant);
  };
  place.waiting.add(granted);
  signal.addEventListener("abort", leave, { once: true });
  return promise;
}

/** The right to one connection to one target, until it is released. */
export class Lease {
  /** What is connected now; whoever opens a connection puts it here. */
  conversation: Conversation | undefined;
  readonly #release: (conversation: Conversation | undefined) => void;

  constructor(
    conversation: Conversation | undefined,
    release: (conversation: Conversation | undefined) => void,
  ) {
    this.conversation = conversation;
    this.#release = release;
  }

  [Symbol.dispose](): void {
    this.#release(this.conversation);
  }
}

// Holds: mail that nothing of ours deletes, whatever rule asks for it.
//
// Invariants:
// - What a hold has once covered stays covered until its release, wherever it moves and whatever becomes of the index.
//   It is known by the SHA-256 of its file.
// - In doubt a message is covered: if its text could not be read whole, or a hold's query cannot be asked.
// - When `add` has resolved, nothing that the query matches is deleted. A deletion that was under way has ended.

import { setImmediate as nextTurn } from "node:timers/promises";
import { isTable } from "../../../base/table.ts";
import type { ArchivedMessage } from "../model/message.ts";
import type { Condition } from "../search/condition.ts";
import type { Messages } from "./messages.ts";
import type { RetentionStore, StoredHold } from "./store.ts";

interface Hold extends StoredHold {
  /** Undefined if this program does not understand it: then the hold covers everything. */
  readonly asked: Condition | undefined;
}

export interface NewHold {
  readonly name: string;
  readonly query: string;
  readonly condition: Condition;
  readonly why: string;
  readonly by: string;
  readonly now: number;
}

/** Messages that are asked for at once. */
const PAGE = 500;

export class Holds {
  readonly #store: RetentionStore;
  readonly #messages: Messages;
  #holds: readonly Hold[];

  constructor(store: RetentionStore, messages: Messages) {
    this.#store = store;
    this.#messages = messages;
    this.#holds = store.holds().map(readHold);
  }

  get isEmpty(): boolean {
    return this.#holds.length === 0;
  }

  list(): (StoredHold & { readonly covers: number })[] {
    return this.#holds.map((hold) => ({ ...hold, covers: this.#store.coveredBy(hold) }));
  }

  /** False if there is a hold with this name. */
  async add(
    { name, query, condition, why, by, now }: NewHold,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const stored = { name, query, condition: JSON.stringify(condition), why, by, since: now };
    // It counts from here on, for messages that come while the index is asked.
    if (!this.#store.addHold(stored)) return false;
    this.#holds = this.#store.holds().map(readHold);
    const hold = this.#holds.find((each) => each.name === name);
    if (hold !== undefined) await this.#coverAll(hold, signal);
    return true;
  }

  /** False if there is none with this name. */
  release(name: string): boolean {
    const isReleased = this.#store.removeHold(name);
    this.#holds = this.#store.holds().map(readHold);
    return isReleased;
  }

  /** Asks all queries for the whole index: messages may have come while nobody asked. */
  async askAll(signal?: AbortSignal): Promise<void> {
    for (const hold of this.#holds) await this.#coverAll(hold, signal);
  }

  /** Asks all queries again, and returns the messages that no hold covers. */
  async uncovered(messages: readonly ArchivedMessage[]): Promise<ArchivedMessage[]> {
    await this.cover(messages);
    return messages.filter(({ sha256 }) => !this.#store.isCovered(sha256));
  }

  /** Notes which of the messages the holds cover. Called for new messages too. */
  async cover(messages: readonly ArchivedMessage[]): Promise<void> {
    for (const hold of this.#holds) {
      const matching = await this.#matching(hold, messages);
      const isMatch = ({ id, isParsed }: ArchivedMessage) => !isParsed || matching.has(id);
      this.#store.cover(hold, messages.filter(isMatch));
    }
  }

  /** The ids of those that the query matches. */
  async #matching(
    { asked }: Hold,
    messages: readonly ArchivedMessage[],
  ): Promise<ReadonlySet<number>> {
    const ids = messages.map(({ id }) => id);
    const wanted = new Set(ids);
    if (asked === undefined || messages.length === 0) return wanted;
    const least = Math.min(...ids);
    const times = messages.map(({ deliveredAt }) => deliveredAt);
    const range = { from: Math.min(...times), before: Math.max(...times) + 1 };
    const condition: Condition = { kind: "all", of: [asked, { kind: "delivered", range }] };
    const found = new Set<number>();
    for await (const page of this.#pages(condition, Math.max(...ids) + 1)) {
      for (const { id } of page) if (wanted.has(id)) found.add(id);
      if ((page.at(-1)?.id ?? 0) <= least) break;
    }
    return found;
  }

  async #coverAll(hold: Hold, signal?: AbortSignal): Promise<void> {
    if (hold.asked === undefined) return;
    for await (const page of this.#pages(hold.asked, undefined, signal))
      this.#store.cover(hold, page);
  }

  async *#pages(
    condition: Condition,
    first: number | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly ArchivedMessage[], void, undefined> {
    let before = first;
    for (;;) {
      const page = await this.#messages.find(condition, {
        limit: PAGE,
        ...(before !== undefined && { before }),
        ...(signal !== undefined && { signal }),
      });
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      if (page.length < PAGE) return;
      before = last.id;
      await nextTurn();
    }
  }
}

function readHold(stored: StoredHold): Hold {
  return { ...stored, asked: conditionIn(stored.condition) };
}

/** The kinds of conditions that this program knows. */
const KINDS: Readonly<Record<Condition["kind"], true>> = {
  all: true,
  any: true,
  not: true,
  words: true,
  delivered: true,
  sent: true,
  size: true,
  account: true,
  folder: true,
  messageId: true,
  hasAttachment: true,
};

/** Undefined if this program does not know it. */
function conditionIn(json: string): Condition | undefined {
  const condition: unknown = JSON.parse(json);
  return isCondition(condition) ? condition : undefined;
}

/** A program has written it, so a condition of a known kind has its fields. */
function isCondition(value: unknown): value is Condition {
  if (!isTable(value)) return false;
  const { kind, of } = value;
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) return false;
  return of === undefined || [of].flat().every(isCondition);
}

// The spool in memory. It keeps the promises of ../spool.ts, except those about the disk.
//
// Invariant: a method makes all its changes in one turn of the event loop, so no caller sees half of them.

import type { Clock } from "../../base/clock.ts";
import { inlineBody, withHead } from "../../mail/body.ts";
import type { Body, MessageId } from "../../mail/envelope.ts";
import type { HostHint } from "../../mail/host.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { isAhead, isImpossiblyLate } from "../engine/clock-ahead.ts";
import { newlyStored } from "../engine/new-message.ts";
import {
  type Action,
  type AddressFilter,
  type Change,
  type Claim,
  type IncomingMessage,
  type JournalEntry,
  LISTED_WHYS,
  type ListedWhy,
  type NewMessage,
  type NewReport,
  type PostmasterList,
  type ReleasedWithheld,
  type Settlement,
  type Spool,
  SpoolError,
  type StoredMessage,
  type StoredRecipient,
  type Withheld,
  type WithheldKey,
} from "../spool.ts";
import { carryOut } from "./orders.ts";
import { settledRow, withJournal } from "./settling.ts";
import {
  idOf,
  inState,
  isPending,
  mendTimes,
  newRow,
  notAheadOf,
  type Row,
  type Tables,
} from "./tables.ts";
import { hasten, isLater, releasedIn, releaseWithheld, withheldIn } from "./withheld.ts";

export class MemorySpool implements Spool {
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #onClose: () => void;
  #lastId: number;

  constructor(tables: Tables, clock: Clock, onClose: () => void) {
    this.#tables = tables;
    this.#clock = clock;
    this.#onClose = onClose;
    this.#lastId = [...tables.rows.keys()].map(idNumber).reduce((a, b) => Math.max(a, b), 0);
  }

  /** All its messages, oldest first. */
  get messages(): readonly StoredMessage[] {
    return this.#tables.inOrder().map(({ message }) => message);
  }

  /** Stores a message unchanged, as if it had been there before. It replaces a message with the same id. */
  put(message: StoredMessage): void {
    this.#tables.set(newRow(message, message.envelope.receivedAt));
  }

  async hints(): Promise<ReadonlyMap<string, HostHint>> {
    return new Map(this.#tables.hints);
  }

  async saveHint(key: string, hint: HostHint | undefined): Promise<void> {
    if (hint === undefined) this.#tables.hints.delete(key);
    else this.#tables.hints.set(key, hint);
  }

  async awaited(most: number): Promise<readonly string[]> {
    const recipients = this.#tables.inOrder().flatMap(({ message }) => message.recipients);
    const keys = recipients.flatMap(({ waitsFor }) => (waitsFor === undefined ? [] : waitsFor.key));
    return [...new Set(keys)].toSorted().slice(0, most);
  }

  async wake(key: string, most: number): Promise<number> {
    return this.#wakeWaiting(({ waitsFor }) => waitsFor?.key === key, most, withoutHint);
  }

  /**
   * Makes the oldest recipients for which `waits` is true due, changed by `awake`, at most `most`. Returns their
   * number.
   */
  #wakeWaiting(
    waits: (recipient: StoredRecipient) => boolean,
    most: number,
    awake: (recipient: StoredRecipient) => StoredRecipient,
  ): number {
    const now = this.#clock.now();
    let count = 0;
    for (const row of this.#tables.inOrder()) {
      const { message } = row;
      const before = count;
      const recipients = message.recipients.map((one) => {
        if (count === most || !isPending(one) || !waits(one)) return one;
        count += 1;
        return { ...awake(one), nextAttempt: Math.min(one.nextAttempt, now) };
      });
      if (count === before) continue;
      const isDue = message.state === "queued";
      const nextAttempt = isDue ? Math.min(row.nextAttempt, now) : row.nextAttempt;
      this.#tables.set({ ...row, message: { ...message, recipients }, nextAttempt });
    }
    return count;
  }

  nextId(): MessageId {
    this.#lastId = Math.max(this.#lastId + 1, this.#clock.now() * 1000);
    return idText(this.#lastId);
  }

  receive(): IncomingMessage {
    let pieces: Buffer[] | undefined = [];
    return {
      write: (piece) => void pieces?.push(piece),
      abort: () => (pieces = undefined),
      commit: async (message, active) => {
        if (pieces === undefined) throw new SpoolError("the message was given up", false);
        const body = inlineBody(Buffer.concat(pieces));
        pieces = undefined;
        return this.#insert(message, active ? "active" : "queued", body);
      },
    };
  }

  #insert(message: NewMessage, state: "active" | "queued", bytes: Body): StoredMessage {
    const { id, head, receivedAt } = message.envelope;
    this.#requireNew(id);
    const stored = newlyStored(message, state, withHead(head, bytes));
    this.#tables.set(this.#mended(newRow(stored, receivedAt)));
    return stored;
  }

  #requireNew(id: MessageId): void {
    if (this.#tables.rows.has(id)) throw new SpoolError(`there is a message ${id} already`, false);
  }

  #mended(row: Row): Row {
    const now = this.#clock.now();
    return isAhead(row.scheduledAt, now) ? notAheadOf(now, row) : row;
  }

  async take(now: number, limit: number): Promise<readonly StoredMessage[]> {
    const queued = this.#tables.inOrder().filter(({ message }) => message.state === "queued");
    const due = queued.filter(({ nextAttempt }) => nextAttempt <= now);
    const late = queued.filter(({ nextAttempt }) => isImpossiblyLate(nextAttempt, now));
    const inTurn = due.toSorted((a, b) => a.nextAttempt - b.nextAttempt);
    const taken = [...inTurn, ...late.map((row) => notAheadOf(now, row))].slice(0, limit);
    return taken.map((row) => this.#taken(row));
  }

  #taken(row: Row): StoredMessage {
    const active = inState(row, "active");
    this.#tables.set(active);
    return active.message;
  }

  async clockSet(): Promise<void> {
    mendTimes(this.#tables, this.#clock.now());
  }

  async nextDue(): Promise<number | undefined> {
    const queued = this.#tables.inOrder().filter(({ message }) => message.state === "queued");
    return queued.map(({ nextAttempt }) => nextAttempt).toSorted((a, b) => a - b)[0];
  }

  note(id: MessageId, entry: JournalEntry): void {
    const row = this.#tables.rows.get(id);
    if (row !== undefined) this.#tables.set({ ...row, message: withJournal(row.message, [entry]) });
  }

  async settle(settlement: Settlement): Promise<void> {
    const { id, state, reports, listed = [] } = settlement;
    for (const report of reports) this.#requireNew(report.envelope.id);
    for (const report of reports) this.#insert(report, "queued", inlineBody(report.bytes));
    this.#tables.list.add(listed);
    const row = this.#tables.rows.get(id);
    if (state === "completed") this.#tables.rows.delete(id);
    else if (row !== undefined) {
      this.#tables.set(this.#mended(settledRow(row, settlement, state)));
    }
  }

  async count(): Promise<number> {
    return this.#tables.rows.size;
  }

  async change(
    action: Action,
    ids: readonly MessageId[],
    only?: AddressFilter,
  ): Promise<readonly Change[]> {
    const means = { tables: this.#tables, now: this.#clock.now() };
    return this.#changeEach(ids, (row) => carryOut(action, only, row, means));
  }

  #changeEach(
    ids: readonly MessageId[],
    change: (row: Row) => Change["result"],
  ): readonly Change[] {
    return ids.map((id): Change => {
      const row = this.#tables.rows.get(id);
      if (row === undefined) return { id, result: "unknown" };
      return { id, result: row.message.state === "active" ? "active" : change(row) };
    });
  }

  async claim(ids: readonly MessageId[]): Promise<Claim> {
    const messages: StoredMessage[] = [];
    const changes = this.#changeEach(ids, (row) => {
      messages.push(this.#taken(row));
      return "done";
    });
    return { changes, messages };
  }

  async listed(whys: readonly ListedWhy[] = LISTED_WHYS): Promise<PostmasterList> {
    return this.#tables.list.read(whys);
  }

  async withheld(most: number, after?: WithheldKey): Promise<readonly Withheld[]> {
    return withheldIn(this.#tables)
      .filter((one) => after === undefined || isLater(one, after))
      .slice(0, most);
  }

  async releaseWithheld(which: readonly WithheldKey[], forced?: true): Promise<void> {
    releaseWithheld(this.#tables, which, { forced, now: this.#clock.now() });
  }

  async releasedWithheld(most: number): Promise<ReleasedWithheld> {
    return releasedIn(this.#tables, most);
  }

  async hasten(most: number, after?: MessageId): Promise<MessageId | undefined> {
    return hasten(this.#tables, most, after, this.#clock.now());
  }

  async sendList(message: NewReport, list: PostmasterList): Promise<void> {
    this.#insert(message, "queued", inlineBody(message.bytes));
    this.#tables.list.forget(list);
  }

  async ageFrozen(elapsed: number, after: number, most: number): Promise<readonly MessageId[]> {
    const untold = this.#tables.inOrder().filter(({ message }) => isUntold(message));
    const aged = untold.map((row) => ({ ...row, frozenFor: row.frozenFor + Math.max(elapsed, 0) }));
    for (const row of aged) this.#tables.set(row);
    return aged
      .filter(({ frozenFor }) => frozenFor >= after)
      .slice(0, most)
      .map(idOf);
  }

  async holds(): Promise<readonly string[]> {
    return [...this.#tables.holds.keys()].toSorted();
  }

  async hold(domain: string): Promise<void> {
    const { holds } = this.#tables;
    if (!holds.has(domain)) holds.set(domain, this.#clock.now());
  }

  async release(domain: string, most: number): Promise<number> {
    this.#tables.holds.delete(domain);
    return this.#wakeWaiting(({ heldDomain }) => heldDomain === domain, most, withoutHold);
  }

  async close(): Promise<void> {
    this.#onClose();
  }
}

function withoutHint(recipient: StoredRecipient): StoredRecipient {
  const { waitsFor: _, waitsBecause: __, ...rest } = recipient;
  return rest;
}

/** The wait was not a failure, so the retry rules begin at the next failure. */
function withoutHold(recipient: StoredRecipient): StoredRecipient {
  const { heldDomain: _, waitsBecause: __, firstFailure: ___, lastStatus, ...rest } = recipient;
  return rest.attempts === 0 || lastStatus === undefined ? rest : { ...rest, lastStatus };
}

/** Whether the message is frozen only because no sender can be told. */
function isUntold({ state, recipients }: StoredMessage): boolean {
  const frozen = recipients.filter((one) => one.state === "frozen");
  const untold = frozen.filter(({ frozenWhy }) => frozenWhy === "nobody-to-tell");
  return state === "frozen" && frozen.length > 0 && untold.length === frozen.length;
}

// The spool, with its engine in a thread. Transactions that arrive during a commit share the next one. Under load a
// hundred sessions cost one fsync; a single message waits for no other.
//
// Invariants: see src/spool/spool.ts. If a message leaves the spool before its noted journal entries are committed,
// they are dropped: none of its deliveries can be repeated any more.

import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../base/clock.ts";
import { withHead } from "../../mail/body.ts";
import type { Body, MessageId } from "../../mail/envelope.ts";
import type { HostHint } from "../../mail/host.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { describeError, type Log } from "../../observe/log.ts";
import {
  type Action,
  type AddressFilter,
  type Change,
  type Claim,
  type IncomingMessage,
  type JournalEntry,
  type NewMessage,
  type NewReport,
  type PostmasterList,
  type Settlement,
  type Spool,
  SpoolError,
  type StoredMessage,
} from "../spool.ts";
import { newlyStored } from "../engine/new-message.ts";
import { DirectorySyncs } from "../../base/durable/directory-syncs.ts";
import { type FileCalls, nodeFileCalls } from "../../base/durable/file-calls.ts";
import type { CorruptBody } from "./body.ts";
import { makeDirectory } from "../../base/durable/directory.ts";
import type { Recovery } from "./engine.ts";
import { type BodyStore, IncomingBody } from "./incoming.ts";
import { lockSpool, type SpoolLock } from "./lock.ts";
import { JournalNotes } from "./notes.ts";
import {
  insertion,
  messageOf,
  reportInsertion,
  settlementWrites,
  type StoredRow,
  type Transaction,
  type Write,
} from "./rows.ts";
import { corruptDirectory, keepRemains } from "./set-aside.ts";
import type { Answers, Call, Request, Response, Notice } from "./thread.ts";

/** Milliseconds until a damaged message is tried again if its remains cannot be written to corrupt/. */
const SET_ASIDE_PAUSE = 300_000;

/** Most transactions in one commit. All their callers are resolved in the same turn of the event loop. */
const COMMITTED_AT_ONCE = 50;
/** Rows are short-lived, so the thread needs little memory for garbage. */
const MEMORY = { maxYoungGenerationSizeMb: 8 };

interface Waiting {
  readonly transaction: Transaction;
  readonly resolve: () => void;
  readonly reject: (error: SpoolError) => void;
}

export class SqliteSpool implements Spool {
  readonly #directory: string;
  readonly #bodies: BodyStore;
  /** Messages under attempt whose body turned out to be damaged. */
  readonly #damaged = new Map<MessageId, CorruptBody>();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lock: SpoolLock;
  readonly #thread: Worker;
  readonly #answers = new Map<number, (response: Response) => void>();
  readonly #notes: JournalNotes;
  readonly #waiting: Waiting[] = [];
  #committing = false;
  #closed: Promise<void> | undefined;
  #calls = 0;
  #lastId = 0;

  private constructor(
    directory: string,
    clock: Clock,
    log: Log,
    lock: SpoolLock,
    calls: FileCalls,
  ) {
    this.#directory = directory;
    this.#bodies = {
      spoolDirectory: directory,
      calls,
      syncs: new DirectorySyncs(calls),
      onDamage: (id, damage) => this.#damaged.set(id, damage),
    };
    this.#clock = clock;
    this.#log = log;
    this.#lock = lock;
    this.#notes = new JournalNotes(clock, (id, journal) => {
      const rest = { warnings: 0, recipients: [], journal, at: clock.now() };
      void this.#commitUnasked(id, { kind: "settle", id: idNumber(id), ...rest });
    });
    this.#thread = new Worker(new URL("thread.ts", import.meta.url), {
      workerData: directory,
      resourceLimits: MEMORY,
    });
    this.#thread.on("message", (response: Response | Notice) => {
      if ("salvaged" in response) return log.event("spool.salvaged", response.salvaged);
      if ("failed" in response) return log.event("spool.failed", { error: response.failed });
      const answer = this.#answers.get(response.number);
      this.#answers.delete(response.number);
      answer?.(response);
    });
  }

  /**
   * Opens the spool. Creates missing files and recovers from a crash.
   * Throws SpoolInUse if another relay has it, and SpoolError if it cannot be read.
   * `calls` are the file calls for large bodies.
   */
  static async open(
    directory: string,
    clock: Clock,
    log: Log,
    calls: FileCalls = nodeFileCalls,
  ): Promise<SqliteSpool> {
    await makeDirectory(directory);
    const lock = lockSpool(directory);
    const spool = new SqliteSpool(directory, clock, log, lock, calls);
    try {
      const recovery = await spool.#recovered();
      spool.#lastId = recovery.lastId;
      log.event("spool.recovered", { messages: recovery.messages, in_flight: recovery.inFlight });
      return spool;
    } catch (error) {
      await spool.#thread.terminate();
      lock.release();
      throw new SpoolError(`cannot open the spool ${directory}`, false, error);
    }
  }

  #recovered(): Promise<Recovery> {
    return new Promise((resolve, reject) => {
      this.#thread.once("error", reject);
      const opened = this.#ask({ name: "recover", now: this.#clock.now() });
      opened
        .finally(() => {
          this.#thread.off("error", reject);
          // If the thread breaks from here on, the relay must end: no promise of the spool can be kept.
          this.#thread.on("error", (error) => {
            throw new Error("the spool's thread died", { cause: error });
          });
        })
        .then(resolve, reject);
    });
  }

  #ask<C extends Call>(call: C): Promise<Answers[C["name"]]> {
    const number = ++this.#calls;
    const request: Request = { number, call };
    return new Promise((resolve, reject) => {
      this.#answers.set(number, (response) => {
        if ("error" in response) reject(new SpoolError(response.error, false));
        else resolve(response.answer);
      });
      this.#thread.postMessage(request);
    });
  }

  nextId(): MessageId {
    this.#lastId = Math.max(this.#lastId + 1, this.#clock.now() * 1000);
    return idText(this.#lastId);
  }

  receive(id: MessageId): IncomingMessage {
    const body = new IncomingBody(id, this.#bodies);
    let isCommitted = false;
    return {
      write: (piece) => body.write(piece),
      // Once a commit has begun, the commit decides about the body.
      abort: () => void (isCommitted || this.#discard(id, body)),
      commit: async (message, active) => {
        if (isCommitted) throw new SpoolError("the message was committed already", false);
        isCommitted = true;
        return this.#commitIncoming(body, message, active);
      },
    };
  }

  async #discard(id: MessageId, body: IncomingBody): Promise<void> {
    try {
      await body.discard();
    } catch (error) {
      this.#log.event("spool.failed", { id, error: describeError(error) });
      // The thread removes the file as soon as the disk allows.
      await this.#commitUnasked(id, { kind: "remove", id: idNumber(id) });
    }
  }

  /** Commits a write that no caller waits for. A failure is logged. */
  async #commitUnasked(id: MessageId, write: Write): Promise<void> {
    try {
      await this.#commit([write]);
    } catch (error) {
      this.#log.event("spool.failed", { id, error: describeError(error) });
    }
  }

  async #commitIncoming(
    incoming: IncomingBody,
    message: NewMessage,
    active: boolean,
  ): Promise<StoredMessage> {
    const state = active ? "active" : "queued";
    let body: Body;
    try {
      const stored = await incoming.finish();
      const { size, checksum } = incoming;
      await this.#commit([insertion(message, state, size, checksum, stored.inline)]);
      body = withHead(message.envelope.head, stored);
    } catch (error) {
      await this.#discard(message.envelope.id, incoming);
      throw error;
    }
    return newlyStored(message, state, body);
  }

  #commit(transaction: Transaction): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transaction, resolve, reject });
      this.#startCommitting();
    });
  }

  #startCommitting(): void {
    if (this.#committing) return;
    this.#committing = true;
    // Other transactions of this turn of the event loop join the commit.
    setImmediate(() => void this.#commitWaiting());
  }

  async #commitWaiting(): Promise<void> {
    do {
      const batch = this.#waiting.splice(0, COMMITTED_AT_ONCE);
      try {
        const transactions = batch.map(({ transaction }) => transaction);
        const results = await this.#ask({ name: "commit", transactions, now: this.#clock.now() });
        for (const [index, { resolve, reject }] of batch.entries()) {
          const failure = results[index];
          if (failure === undefined) resolve();
          else reject(new SpoolError(failure.message, failure.full));
        }
      } catch (error) {
        for (const { reject } of batch) reject(new SpoolError("commit failed", false, error));
      }
      if (batch.length === COMMITTED_AT_ONCE) await nextTurn();
    } while (this.#waiting.length > 0);
    this.#committing = false;
  }

  async take(now: number, limit: number): Promise<readonly StoredMessage[]> {
    return this.#readable(await this.#ask({ name: "take", now, limit }));
  }

  /** Returns the messages of rows that can be read. The others are set aside. */
  async #readable(rows: readonly StoredRow[]): Promise<readonly StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (const row of rows) {
      try {
        messages.push(messageOf(row, this.#directory, this.#bodies.onDamage));
      } catch (error) {
        await this.#setAside(idText(Number(row.message["id"])), error);
      }
    }
    return messages;
  }

  /**
   * Moves a damaged message from the queue to corrupt/. If the disk refuses that, the message is postponed, so that
   * other messages need not wait. Never throws.
   */
  async #setAside(id: MessageId, error: unknown): Promise<void> {
    const number = idNumber(id);
    try {
      const row = await this.#ask({ name: "load", id: number });
      if (row !== undefined) await keepRemains(this.#directory, id, row);
      await this.#commit([{ kind: "remove", id: number }]);
      const kept = corruptDirectory(this.#directory);
      this.#log.event("spool.corrupt", { id, error: describeError(error), kept_in: kept });
    } catch (failure) {
      this.#log.event("spool.failed", { id, error: describeError(failure) });
      const wait = { at: this.#clock.now(), delay: SET_ASIDE_PAUSE };
      await this.#commitUnasked(id, { kind: "postpone", id: number, ...wait });
    }
  }

  nextDue(): Promise<number | undefined> {
    return this.#ask({ name: "nextDue" });
  }

  count(): Promise<number> {
    return this.#ask({ name: "count" });
  }

  change(
    action: Action,
    ids: readonly MessageId[],
    only?: AddressFilter,
  ): Promise<readonly Change[]> {
    const wanted = { action, only, now: this.#clock.now() };
    return this.#ask({ name: "change", ids, wanted });
  }

  async claim(ids: readonly MessageId[]): Promise<Claim> {
    const { changes, rows } = await this.#ask({ name: "claim", ids });
    return { changes, messages: await this.#readable(rows) };
  }

  ageFrozen(elapsed: number, after: number, most: number): Promise<readonly MessageId[]> {
    return this.#ask({ name: "ageFrozen", elapsed, after, most });
  }

  listed(): Promise<PostmasterList> {
    return this.#ask({ name: "listed" });
  }

  sendList(message: NewReport, { more, last }: PostmasterList): Promise<void> {
    return this.#commit([reportInsertion(message), { kind: "forget-list", list: { more, last } }]);
  }

  async holds(): Promise<readonly string[]> {
    return (await this.#ask({ name: "holds" })).map(({ domain }) => domain);
  }

  hold(domain: string): Promise<void> {
    return this.#commit([{ kind: "hold", domain, since: this.#clock.now() }]);
  }

  release(domain: string, most: number): Promise<number> {
    return this.#ask({ name: "release", domain, most, now: this.#clock.now() });
  }

  async hints(): Promise<ReadonlyMap<string, HostHint>> {
    return new Map(await this.#ask({ name: "hints" }));
  }

  saveHint(key: string, hint: HostHint | undefined): Promise<void> {
    return this.#commit([{ kind: "hint", key, hint }]);
  }

  awaited(most: number): Promise<readonly string[]> {
    return this.#ask({ name: "awaited", most });
  }

  wake(waitsFor: string, most: number): Promise<number> {
    return this.#ask({ name: "wake", waitsFor, most, now: this.#clock.now() });
  }

  async clockSet(): Promise<void> {
    const from = (after: number) => this.#ask({ name: "mendTimes", now: this.#clock.now(), after });
    for (let after: number | undefined = 0; after !== undefined;) after = await from(after);
  }

  note(id: MessageId, entry: JournalEntry): void {
    this.#notes.add(id, entry);
  }

  async settle(settlement: Settlement): Promise<void> {
    const { id, state } = settlement;
    const notes = this.#notes.take(id);
    const damage = this.#damaged.get(id);
    const writes = settlementWrites(settlement, notes, damage !== undefined);
    try {
      await this.#commit(writes);
    } catch (error) {
      if (notes.length > 0) this.#notes.add(id, ...notes);
      throw error;
    }
    this.#damaged.delete(id);
    if (damage !== undefined && state !== "completed") await this.#setAside(id, damage);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#notes.flush();
    await this.#commit([]);
    await this.#ask({ name: "close" });
    this.#lock.release();
  }
}

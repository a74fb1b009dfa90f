// The spool behind its thread. Transactions that arrive while one commit runs share the next: under load a
// hundred sessions cost one fsync, alone a message waits for nobody.
//
// Invariants: see src/spool.ts. The journal entries of a message under attempt wait up to NOTE_DELAY for company,
// and are dropped when the message leaves first: then there is nothing left that could be done twice.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { crc32 } from "node:zlib";
import type { Clock, Timer } from "../clock.ts";
import type { MessageId } from "../envelope.ts";
import type { HostHint } from "../hints.ts";
import { describeError, type Log } from "../log.ts";
import {
  type Change,
  type IncomingMessage,
  type JournalEntry,
  type NewMessage,
  type Selection,
  type Settlement,
  type Spool,
  SpoolError,
  type StoredMessage,
} from "../spool.ts";
import { makeDirectory } from "./directory.ts";
import type { Recovery } from "./engine.ts";
import { IncomingBody } from "./incoming.ts";
import { lockSpool, type SpoolLock } from "./lock.ts";
import {
  idNumber,
  idText,
  messageOf,
  type StoredRow,
  type Transaction,
  type Write,
} from "./rows.ts";
import type { Answers, Call, Request, Response } from "./thread.ts";

/** Milliseconds that a journal entry may wait for a commit that goes anyway. */
const NOTE_DELAY = 200;

interface Waiting {
  readonly transaction: Transaction;
  readonly resolve: () => void;
  readonly reject: (error: SpoolError) => void;
}

interface Notes {
  readonly since: number;
  readonly entries: JournalEntry[];
}

export class SqliteSpool implements Spool {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lock: SpoolLock;
  readonly #thread: Worker;
  readonly #answers = new Map<number, (response: Response) => void>();
  readonly #notes = new Map<MessageId, Notes>();
  #noteTimer: Timer | undefined;
  #waiting: Waiting[] = [];
  #committing = false;
  #calls = 0;
  #lastId = 0;

  private constructor(directory: string, clock: Clock, log: Log, lock: SpoolLock) {
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
    this.#lock = lock;
    this.#thread = new Worker(new URL("thread.ts", import.meta.url), { workerData: directory });
    this.#thread.on("message", (response: Response) => {
      const answer = this.#answers.get(response.number);
      this.#answers.delete(response.number);
      answer?.(response);
    });
  }

  /**
   * Opens the spool, creates what is missing and recovers what a crash left.
   * Throws SpoolInUse when another relay has it, and SpoolError when it cannot be read.
   */
  static async open(directory: string, clock: Clock, log: Log): Promise<SqliteSpool> {
    await makeDirectory(directory);
    const lock = lockSpool(directory);
    const spool = new SqliteSpool(directory, clock, log, lock);
    try {
      const recovery = await spool.#recovered();
      spool.#lastId = recovery.lastId;
      log.event("spool.recovered", { messages: recovery.messages, in_flight: recovery.inFlight });
      return spool;
    } catch (error) {
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
          // Whatever breaks the thread from here on leaves nothing that could keep a promise.
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
    const body = new IncomingBody(id, this.#directory);
    return {
      write: (piece) => body.write(piece),
      abort: () => void this.#discard(id, body),
      commit: (message, active) => this.#commitIncoming(body, message, active),
    };
  }

  async #discard(id: MessageId, body: IncomingBody): Promise<void> {
    try {
      await body.discard();
    } catch (error) {
      this.#log.event("spool.failed", { id, error: describeError(error) });
    }
  }

  async #commitIncoming(
    incoming: IncomingBody,
    message: NewMessage,
    active: boolean,
  ): Promise<StoredMessage> {
    const body = await incoming.finish();
    const state = active ? "active" : "queued";
    const { size, checksum } = incoming;
    try {
      await this.#commit([insertion(message, state, size, checksum, body.inline)]);
    } catch (error) {
      await this.#discard(message.envelope.id, incoming);
      throw error;
    }
    const { receivedAt } = message.envelope;
    const recipients = message.recipients.map((request, position) => ({
      ...request,
      position,
      state: "pending" as const,
      attempts: 0,
      nextAttempt: receivedAt,
    }));
    const envelope = { ...message.envelope, size };
    return { envelope, state, recipients, journal: [], warnings: 0, body };
  }

  #commit(transaction: Transaction): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transaction, resolve, reject });
      if (!this.#committing) {
        this.#committing = true;
        // Whoever else is ready in this turn of the event loop comes along.
        setImmediate(() => void this.#commitWaiting());
      }
    });
  }

  async #commitWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const transactions = batch.map(({ transaction }) => transaction);
        const results = await this.#ask({ name: "commit", transactions });
        for (const [index, { resolve, reject }] of batch.entries()) {
          const failure = results[index];
          if (failure === undefined) resolve();
          else reject(new SpoolError(failure.message, failure.full));
        }
      } catch (error) {
        for (const { reject } of batch) reject(new SpoolError("commit failed", false, error));
      }
    }
    this.#committing = false;
  }

  async take(now: number, limit: number): Promise<readonly StoredMessage[]> {
    const rows = await this.#ask({ name: "take", now, limit });
    const messages: StoredMessage[] = [];
    for (const row of rows) {
      try {
        messages.push(messageOf(row, this.#directory));
      } catch (error) {
        await this.#setAside(row, error);
      }
    }
    return messages;
  }

  /** What cannot be read leaves the queue for corrupt/, where a person can look at what is left of it. */
  async #setAside(row: StoredRow, error: unknown): Promise<void> {
    const number = Number(row.message["id"]);
    const id = idText(number);
    const directory = join(this.#directory, "corrupt");
    await makeDirectory(directory);
    const file = await open(join(directory, `${id}.json`), "w", 0o600);
    const { body, ...rest } = row;
    const bytes = body instanceof Uint8Array ? Buffer.from(body).toString("base64") : undefined;
    await file.writeFile(JSON.stringify({ ...rest, body_base64: bytes }, undefined, 2));
    await file.sync();
    await file.close();
    await this.#commit([{ kind: "remove", id: number }]);
    this.#log.event("spool.corrupt", { id, error: describeError(error), kept_in: directory });
  }

  nextDue(): Promise<number | undefined> {
    return this.#ask({ name: "nextDue" });
  }

  count(): Promise<number> {
    return this.#ask({ name: "count" });
  }

  retry(selection: Selection): Promise<readonly Change[]> {
    return this.#ask({ name: "retry", selection, now: this.#clock.now() });
  }

  remove(ids: readonly MessageId[]): Promise<readonly Change[]> {
    return this.#ask({ name: "remove", ids });
  }

  async hints(): Promise<ReadonlyMap<string, HostHint>> {
    return new Map(await this.#ask({ name: "hints" }));
  }

  saveHint(key: string, hint: HostHint | undefined): Promise<void> {
    return this.#commit([{ kind: "hint", key, hint }]);
  }

  wakeHost(host: string): Promise<void> {
    return this.#commit([{ kind: "wake", host, now: this.#clock.now() }]);
  }

  note(id: MessageId, entry: JournalEntry): void {
    const notes = this.#notes.get(id);
    if (notes !== undefined) notes.entries.push(entry);
    else this.#notes.set(id, { since: this.#clock.now(), entries: [entry] });
    this.#noteTimer ??= this.#clock.after(NOTE_DELAY, () => this.#commitNotes());
  }

  #commitNotes(): void {
    this.#noteTimer = undefined;
    const ripe = this.#clock.now() - NOTE_DELAY / 2;
    for (const [id, { since, entries }] of this.#notes) {
      if (since > ripe) break;
      this.#notes.delete(id);
      const write: Write = {
        kind: "settle",
        id: idNumber(id),
        warnings: 0,
        recipients: [],
        journal: entries,
      };
      this.#commit([write]).catch((error: unknown) => {
        this.#log.event("spool.failed", { id, error: describeError(error) });
      });
    }
    if (this.#notes.size > 0) {
      this.#noteTimer = this.#clock.after(NOTE_DELAY / 2, () => this.#commitNotes());
    }
  }

  settle(settlement: Settlement): Promise<void> {
    const { id, state, recipients, warnings, reports } = settlement;
    const noted = this.#notes.get(id)?.entries ?? [];
    this.#notes.delete(id);
    const number = idNumber(id);
    const writes: Write[] = reports.map((report) =>
      insertion(report, "queued", report.bytes.length, crc32(report.bytes), report.bytes),
    );
    if (state === "completed") {
      writes.push({ kind: "remove", id: number });
    } else {
      const journal = [...noted, ...settlement.journal];
      writes.push({ kind: "settle", id: number, state, warnings, recipients, journal });
    }
    return this.#commit(writes);
  }

  async close(): Promise<void> {
    this.#noteTimer?.cancel();
    for (const [id, { entries }] of this.#notes) {
      void this.#commit([
        { kind: "settle", id: idNumber(id), warnings: 0, recipients: [], journal: entries },
      ]);
    }
    this.#notes.clear();
    await this.#commit([]);
    await this.#ask({ name: "close" });
    this.#lock.release();
  }
}

function insertion(
  message: NewMessage,
  state: "active" | "queued",
  size: number,
  checksum: number,
  body: Uint8Array | undefined,
): Write {
  const { id, ...envelope } = message.envelope;
  return {
    kind: "insert",
    id: idNumber(id),
    state,
    receivedAt: envelope.receivedAt,
    size,
    checksum,
    envelope: JSON.stringify(envelope),
    recipients: message.recipients.map((recipient) => JSON.stringify(recipient)),
    ...(body === undefined ? {} : { body }),
  };
}

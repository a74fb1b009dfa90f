// The spool, with its engine in a thread. Transactions that arrive during a commit share the next one. Under load a
// hundred sessions cost one fsync; a single message waits for no other.
//
// Invariants: see src/spool/spool.ts. If a message leaves the spool before its noted journal entries are committed,
// they are dropped: none of its deliveries can be repeated any more.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import type { MessageId } from "../../mail/envelope.ts";
import type { HostHint } from "../../mail/host.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { describeError, type Log } from "../../observe/log.ts";
import {
  type Change,
  type Claim,
  type IncomingMessage,
  type JournalEntry,
  LISTED_WHYS,
  type ListedWhy,
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
import { BodyRoom, type BodyShare } from "./body-room.ts";
import { makeDirectory } from "../../base/durable/directory.ts";
import { EngineThread } from "./engine-thread.ts";
import { type BodyStore, type FinishedBody, IncomingBody } from "./incoming.ts";
import type { ExclusiveLock } from "../../base/durable/exclusive-lock.ts";
import { lockSpool } from "./lock.ts";
import { JournalNotes } from "./notes.ts";
import {
  type BodyAccess,
  insertion,
  messageOf,
  reportInsertion,
  settlementWrites,
  type StoredRow,
  type Transaction,
  type Write,
} from "./rows.ts";
import { corruptDirectory, keepRemains } from "./set-aside.ts";
import { withheldCalls } from "./withheld-calls.ts";

/** Milliseconds until a damaged message is tried again if its remains cannot be written to corrupt/. */
const SET_ASIDE_PAUSE = 300_000;

/** Most transactions in one commit. All their callers are resolved in the same turn of the event loop. */
const COMMITTED_AT_ONCE = 50;

interface Waiting {
  readonly transaction: Transaction;
  /** Buffers of bodies that the thread takes over. */
  readonly moved: readonly ArrayBuffer[];
  readonly resolve: () => void;
  readonly reject: (error: SpoolError) => void;
}

/** The means for bodies, if they are not the usual ones. */
interface BodyMeans {
  /** The file calls for large bodies. */
  readonly calls?: FileCalls;
  readonly room?: BodyRoom;
}

export class SqliteSpool implements Spool {
  readonly #directory: string;
  readonly #bodies: BodyStore;
  readonly #access: BodyAccess;
  /** The shares of large bodies that are in memory for the first attempt of their message. */
  readonly #shares = new Map<MessageId, BodyShare>();
  /** Messages under attempt whose body turned out to be damaged. */
  readonly #damaged = new Map<MessageId, CorruptBody>();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lock: ExclusiveLock;
  readonly #thread: EngineThread;
  readonly #notes: JournalNotes;
  readonly #waiting: Waiting[] = [];
  readonly withheld: Spool["withheld"];
  readonly releaseWithheld: Spool["releaseWithheld"];
  readonly releasedWithheld: Spool["releasedWithheld"];
  readonly hasten: Spool["hasten"];
  #committing = false;
  #closed: Promise<void> | undefined;
  #lastId = 0;

  private constructor(
    directory: string,
    clock: Clock,
    log: Log,
    lock: ExclusiveLock,
    { calls = nodeFileCalls, room = new BodyRoom() }: BodyMeans,
  ) {
    this.#directory = directory;
    const onDamage = (id: MessageId, damage: CorruptBody) => void this.#damaged.set(id, damage);
    const syncs = new DirectorySyncs(calls);
    this.#bodies = { spoolDirectory: directory, calls, syncs, room, onDamage };
    this.#access = {
      read: (id, from, length) => this.#thread.ask({ name: "bodyPart", id, from, length }),
      onDamage,
    };
    this.#clock = clock;
    this.#log = log;
    this.#lock = lock;
    this.#notes = new JournalNotes(clock, (id, journal) => {
      const rest = { warnings: 0, recipients: [], journal, at: clock.now() };
      void this.#commitUnasked(id, { kind: "settle", id: idNumber(id), ...rest });
    });
    this.#thread = new EngineThread(directory, log);
    const withheld = withheldCalls((call) => this.#thread.ask(call), clock);
    this.withheld = withheld.withheld;
    this.releaseWithheld = withheld.releaseWithheld;
    this.releasedWithheld = withheld.releasedWithheld;
    this.hasten = withheld.hasten;
  }

  /**
   * Opens the spool. Creates missing files and recovers from a crash.
   * Throws SpoolInUse if another relay has it, and SpoolError if it cannot be read.
   */
  static async open(
    directory: string,
    clock: Clock,
    log: Log,
    means: BodyMeans = {},
  ): Promise<SqliteSpool> {
    await makeDirectory(directory);
    const lock = lockSpool(directory);
    const spool = new SqliteSpool(directory, clock, log, lock, means);
    try {
      const recovery = await spool.#thread.begin({ name: "recover", now: clock.now() });
      spool.#lastId = recovery.lastId;
      log.event("spool.recovered", { messages: recovery.messages, in_flight: recovery.inFlight });
      return spool;
    } catch (error) {
      await spool.#thread.terminate();
      lock.release();
      throw new SpoolError(`cannot open the spool ${directory}`, false, error);
    }
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
    const { id, head } = message.envelope;
    const { share } = incoming;
    let finished: FinishedBody;
    try {
      finished = await incoming.finish(head);
      const { size, checksum } = incoming;
      const write = insertion(message, state, size, checksum, finished.bytes);
      await this.#commit([write], finished.moved);
    } catch (error) {
      await this.#discard(id, incoming);
      throw error;
    }
    if (active && share.octets > 0) this.#shares.set(id, share);
    else share.giveBack();
    return newlyStored(message, state, finished.body);
  }

  #commit(transaction: Transaction, moved: readonly ArrayBuffer[] = []): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transaction, moved, resolve, reject });
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
        const moved = batch.flatMap((one) => one.moved);
        const call = { name: "commit", transactions, now: this.#clock.now() } as const;
        const results = await this.#thread.ask(call, moved);
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
    return this.#readable(await this.#thread.ask({ name: "take", now, limit }));
  }

  /** Returns the messages of rows that can be read. The others are set aside. */
  async #readable(rows: readonly StoredRow[]): Promise<readonly StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (const row of rows) {
      try {
        messages.push(messageOf(row, this.#directory, this.#access));
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
      const row = await this.#thread.ask({ name: "load", id: number });
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
    return this.#thread.ask({ name: "nextDue" });
  }

  count(): Promise<number> {
    return this.#thread.ask({ name: "count" });
  }

  change(...[action, ids, only]: Parameters<Spool["change"]>): Promise<readonly Change[]> {
    const wanted = { action, only, now: this.#clock.now() };
    return this.#thread.ask({ name: "change", ids, wanted });
  }

  async claim(ids: readonly MessageId[]): Promise<Claim> {
    const { changes, rows } = await this.#thread.ask({ name: "claim", ids });
    return { changes, messages: await this.#readable(rows) };
  }

  ageFrozen(elapsed: number, after: number, most: number): Promise<readonly MessageId[]> {
    return this.#thread.ask({ name: "ageFrozen", elapsed, after, most });
  }

  listed(whys: readonly ListedWhy[] = LISTED_WHYS): Promise<PostmasterList> {
    return this.#thread.ask({ name: "listed", whys });
  }

  sendList(message: NewReport, list: PostmasterList): Promise<void> {
    return this.#commit([reportInsertion(message), { kind: "forget-list", list }]);
  }

  async holds(): Promise<readonly string[]> {
    return (await this.#thread.ask({ name: "holds" })).map(({ domain }) => domain);
  }

  hold(domain: string): Promise<void> {
    return this.#commit([{ kind: "hold", domain, since: this.#clock.now() }]);
  }

  release(domain: string, most: number): Promise<number> {
    return this.#thread.ask({ name: "release", domain, most, now: this.#clock.now() });
  }

  async hints(): Promise<ReadonlyMap<string, HostHint>> {
    return new Map(await this.#thread.ask({ name: "hints" }));
  }

  saveHint(key: string, hint: HostHint | undefined): Promise<void> {
    return this.#commit([{ kind: "hint", key, hint }]);
  }

  awaited(most: number): Promise<readonly string[]> {
    return this.#thread.ask({ name: "awaited", most });
  }

  wake(waitsFor: string, most: number): Promise<number> {
    return this.#thread.ask({ name: "wake", waitsFor, most, now: this.#clock.now() });
  }

  async clockSet(): Promise<void> {
    const from = (after: number) =>
      this.#thread.ask({ name: "mendTimes", now: this.#clock.now(), after });
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
    this.#shares.get(id)?.giveBack();
    this.#shares.delete(id);
    this.#damaged.delete(id);
    if (damage !== undefined && state !== "completed") await this.#setAside(id, damage);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#notes.flush();
    await this.#commit([]);
    await this.#thread.ask({ name: "close" });
    this.#lock.release();
  }
}

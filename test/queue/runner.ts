// A queue with a spool in memory, a chain and transports that answer as a test says.

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/base/clock.ts";
import type { Batch, Outcome, Transport } from "../../src/contract/contract.ts";
import { CutThrough } from "../../src/deliver/cut-through/cut-through.ts";
import { Holds } from "../../src/queue/holds.ts";
import { Queue, type QueueServices } from "../../src/queue/queue.ts";
import { DeliveryRoom } from "../../src/base/room.ts";
import type { RoutedDelivery, Routing } from "../../src/route/route.ts";
import { memorySpool } from "../../src/spool/memory/memory.ts";
import type { MemorySpool } from "../../src/spool/memory/memory-spool.ts";
import type {
  JournalEntry,
  Settlement,
  StoredMessage,
  StoredRecipient,
  WithheldKey,
} from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed, manualClock, ticking } from "../support/clock.ts";
import {
  envelope,
  mailbox,
  storedRecipient,
  storedMessage,
  routedDelivery,
} from "../support/build.ts";
import { outboxOf } from "../support/outbox.ts";
import { routingsOf } from "../support/routings.ts";
import { recordingLog } from "../support/services.ts";

export const START = Date.UTC(2026, 0, 1);
export const MINUTE = 60_000;
export const HOUR = 3_600_000;

export const DONE: Outcome = { kind: "delivered", status: status(250, "0.0", "done") };
export const LATER: Outcome = {
  kind: "deferred",
  status: status(451, "3.0", "later"),
  scope: "host",
};

export function recipient(position: number, address: string, nextAttempt = START): StoredRecipient {
  return storedRecipient({ position, mailbox: mailbox(address), nextAttempt });
}

export function message(id: string, given: Partial<StoredMessage> = {}): StoredMessage {
  const recipients = [recipient(0, `${id}@example.com`)];
  return storedMessage({ envelope: envelope({ id }), state: "queued", recipients, ...given });
}

/** Those in the spool, by their ids. A message that is set stands in it from then on as it is. */
function heldIn(spool: MemorySpool) {
  const find = (id: string) => spool.messages.find((one) => one.envelope.id === id);
  return {
    get size() {
      return spool.messages.length;
    },
    get: find,
    has: (id: string) => find(id) !== undefined,
    keys: () => spool.messages.map((one) => one.envelope.id),
    values: () => spool.messages,
    set: (_: string, one: StoredMessage) => spool.put(one),
  };
}

/** A spool with these messages, in which a test sees what the queue has asked of it, and makes calls fail. */
function spoolWith(messages: readonly StoredMessage[], clock: Clock) {
  const spool = memorySpool(clock);
  for (const one of messages) spool.put(one);
  const held = heldIn(spool);
  const settled: Settlement[] = [];
  const noted: JournalEntry[] = [];
  /** Errors to be thrown by the next calls. */
  const troubles = { take: [] as Error[], settle: [] as Error[] };
  return {
    held,
    settled,
    noted,
    troubles,
    async take(now: number, limit: number) {
      const trouble = troubles.take.shift();
      if (trouble !== undefined) throw trouble;
      return spool.take(now, limit);
    },
    release: (domain: string, most: number) => spool.release(domain, most),
    withheld: (most: number) => spool.withheld(most),
    releaseWithheld: (which: readonly WithheldKey[]) => spool.releaseWithheld(which),
    nextDue: () => spool.nextDue(),
    note(id: string, entry: JournalEntry) {
      noted.push(entry);
      spool.note(id, entry);
    },
    async settle(settlement: Settlement) {
      const trouble = troubles.settle.shift();
      if (trouble !== undefined) throw trouble;
      for (const { nextAttempt } of settlement.recipients) assert.ok(Number.isInteger(nextAttempt));
      settled.push(settlement);
      const { id } = settlement;
      assert.equal(held.get(id)?.state, "active", `${id} is settled and was not under attempt`);
      return spool.settle(settlement);
    },
  };
}

type Deliver = (batch: Batch, signal: AbortSignal) => Outcome | Promise<Outcome>;

export function runner(
  messages: readonly StoredMessage[],
  answer: Deliver,
  routing?: (address: string) => Partial<Routing> | Promise<Partial<Routing>>,
  batchKey: Transport["batchKey"] = () => "",
  given: Partial<QueueServices> = {},
) {
  const clock = manualClock(START);
  const log = recordingLog();
  const spool = spoolWith(messages, clock);
  const batches: string[] = [];
  const transport = (locality: Transport["locality"]): Transport => ({
    locality,
    batchKey,
    ...(locality === "local" ? { place: ({ account }) => account.localPart } : {}),
    async deliver(batch, signal) {
      const to = batch.recipients.map(({ mailbox: { address } }) => address).join(" ");
      batches.push(locality === "local" ? `copy ${to}` : to);
      const outcome = await answer(batch, signal);
      return new Map(batch.recipients.map(({ id }) => [id, outcome]));
    },
  });
  let ids = 0;
  const services = {
    hostname: "mx.example.com",
    elapsed: believed,
    returnSizeLimit: 1000,
    warnAfter: [],
    log,
    outbox: outboxOf(() => `r${++ids}`, log),
  };
  const rules = [{ kind: "F", cutoff: 8 * HOUR, interval: HOUR, factor: 1 }] as const;
  const quota = [{ kind: "F", cutoff: 24 * HOUR, interval: 3 * HOUR, factor: 1 }] as const;
  const retry = [
    { match: "*", errors: ["quota"], rules: quota },
    { match: "*", rules },
  ];
  const holds = new Holds([], {
    hold: () => Promise.resolve(),
    release: (domain, most) => spool.release(domain, most),
    releaseWithheld: (which) => spool.releaseWithheld(which),
  });
  const transports = new Map([
    ["smtp", transport("remote")],
    ["out", transport("remote")],
    ["file", transport("local")],
    ["store", transport("local")],
  ]);
  const queue = new Queue({
    holds,
    spool,
    clock: ticking(clock),
    log,
    transports,
    hints: { awaited: () => undefined },
    room: new DeliveryRoom(clock),
    route: async (to) => ({
      troubles: [],
      discarded: [],
      deliveries: [delivery(to.address, "smtp")],
      ...(await routing?.(to.address)),
    }),
    settle: { ...services, retry, replies: [], random: () => 0 },
    ...given,
  });
  const passOn = (to: string) => {
    const said = { deliveries: [delivery(to, "smtp")], troubles: [], discarded: [] };
    const routings = routingsOf([said], clock);
    const cutThrough = new CutThrough({ routers: new Set(["smtp"]), transports, clock, log });
    const recipients = [{ mailbox: mailbox(to) }];
    const passage = cutThrough.passage(envelope(), { recipients, routings }, () => true);
    assert.ok(passage);
    const { told, ...attended } = passage.handOver();
    queue.attempt(message("a", { state: "active" }), { routings, ...attended });
    return told;
  };
  return { queue, clock, log, spool, holds, batches, passOn, settleServices: services };
}

export function delivery(address: string, transport: "smtp" | "file"): RoutedDelivery {
  return routedDelivery(address, { router: transport, transport, unseen: transport === "file" });
}

/** The mail and a copy of it. */
export const both = (address: string): Partial<Routing> => ({
  deliveries: [delivery(address, "file"), delivery(address, "smtp")],
});

/** Until nothing moves any more. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await setImmediate();
}

/** An outcome that comes when the test says so. */
export function later() {
  const waiting: ((outcome: Outcome) => void)[] = [];
  const answer = () => new Promise<Outcome>((resolve) => waiting.push(resolve));
  return {
    answer,
    waiting,
    all: (outcome: Outcome) => waiting.splice(0).forEach((go) => go(outcome)),
  };
}

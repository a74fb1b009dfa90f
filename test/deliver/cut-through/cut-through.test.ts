import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Batch, Outcome, Transport } from "../../../src/contract/contract.ts";
import { CutThrough, type Passage } from "../../../src/deliver/cut-through/cut-through.ts";
import { AwaitedVerdict } from "../../../src/deliver/cut-through/verdict.ts";
import { PassingBody } from "../../../src/deliver/cut-through/passing-body.ts";
import { deliveryOf } from "../../../src/deliver/batches.ts";
import { deliver } from "../../../src/deliver/deliver.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Routing } from "../../../src/route/route.ts";
import { status } from "../../../src/mail/status.ts";
import { manualClock } from "../../support/clock.ts";
import { envelope, inlineBody, mailbox } from "../../support/build.ts";
import { routingsOf } from "../../support/routings.ts";
import { recordingLog } from "../../support/services.ts";

const PIECE = Buffer.alloc(64 * 1024 + 1, "x");
const DONE: Outcome = { kind: "delivered", status: status(250, "0.0", "done") };
const REFUSED: Outcome = { kind: "failed", status: status(554, "7.1", "spam \u2013 no\r\nQUIT") };

/** Reads the body as far as `reads` lets it, and takes the message if it comes to the end. */
function relayed(reads: (read: number) => Promise<void> | void = () => undefined) {
  const batches: { readonly batch: Batch; readonly signal: AbortSignal; read: number }[] = [];
  const transport: Transport = {
    locality: "remote",
    batchKey: () => "",
    async deliver(batch, signal) {
      const one = { batch, signal, read: 0 };
      batches.push(one);
      for await (const piece of batch.body.chunks()) {
        one.read += piece.length;
        await reads(one.read);
      }
      return new Map(batch.recipients.map(({ id }) => [id, DONE]));
    },
  };
  return { transport, batches };
}

/** The routers that ask for it. */
const ASKING = new Set(["r"]);

function routing(address: string, router = "r", hosts: readonly string[] = []): Routing {
  const to = mailbox(address);
  const named = hosts.length === 0 ? {} : { hosts: hosts.map((name) => ({ name })) };
  const by = { router, transport: "next", unseen: false, ...named };
  const deliveries = [{ ...by, mailbox: to, original: to, account: {} }];
  return { deliveries, troubles: [], discarded: [] };
}

function routedTo(clock: Clock, ...all: readonly Routing[]) {
  const recipients = all.flatMap(({ deliveries }) => deliveries);
  return { recipients, routings: routingsOf(all, clock) };
}

function setUp(next = relayed(), hosts: readonly string[] = []) {
  const clock = manualClock();
  const services = servicesOf(next.transport, clock);
  const cutThrough = new CutThrough(services);
  const said = routing("a@example.com", "r", hosts);
  const passage = (mayGo = true) =>
    cutThrough.passage(envelope(), routedTo(clock, said), () => mayGo);
  /** The attempt, by what RCPT was told or by what the chain says anew. */
  const finish = async (of: ReturnType<typeof passage>, now = said) => {
    const outcomes: Outcome[] = [];
    const body = new PassingBody(0);
    body.complete();
    const deliveries = now.deliveries.map((one) => deliveryOf({ position: 0 }, one));
    const message = { envelope: envelope(), body };
    await deliver(message, deliveries, MANNER, attemptOf(services, of), (_, outcome) =>
      outcomes.push(outcome),
    );
    return outcomes;
  };
  return { ...next, clock, cutThrough, said, passage, finish };
}

const MANNER = { fresh: true, force: false } as const;

function servicesOf(next: Transport, clock: Clock) {
  return { routers: ASKING, transports: new Map([["next", next]]), clock, log: recordingLog() };
}

/** The services of one attempt. A passage that is handed over brings transports of its own. */
function attemptOf(services: ReturnType<typeof servicesOf>, passage: Passage | undefined) {
  const attended = passage?.handOver();
  attended?.client.stored();
  const transports = attended?.transportsFor(services.transports) ?? services.transports;
  return { ...services, transports, signal: new AbortController().signal };
}

test("a message is passed on while it comes in from 64 KiB on, and once", async () => {
  const { passage, batches, finish } = setUp();
  const one = passage();
  assert.ok(one);
  await one.write(PIECE.subarray(0, 64 * 1024));
  assert.equal(batches.length, 0);
  await one.write(PIECE);
  assert.equal(batches.length, 1);
  assert.deepEqual(await finish(one), [DONE]);
  assert.deepEqual(
    batches.map(({ read }) => read),
    [64 * 1024 + PIECE.length],
  );
});

test("a message that turns out to go to others is taken from the first and delivered anew", async () => {
  const { passage, batches, finish } = setUp();
  const one = passage();
  await one?.write(PIECE);
  assert.deepEqual(await finish(one, routing("b@example.com")), [DONE]);
  assert.equal(batches.length, 2);
  one?.abandon();
  assert.equal(batches[0]?.signal.aborted, true);
});

test("what the chain says anew is delivered anew, though it were the same", async () => {
  const hosts = ["x.test", "y.test"];
  for (const [attempts, now] of [
    [1, undefined],
    [2, routing("a@example.com", "r", hosts)],
    [2, routing("a@example.com", "r", ["x.test", "z.test"])],
  ] as const) {
    const { passage, batches, finish } = setUp(relayed(), hosts);
    const one = passage();
    await one?.write(PIECE);
    assert.deepEqual(await finish(one, now), [DONE]);
    assert.equal(batches.length, attempts);
    one?.abandon();
  }
});

test("after a reload the attempt has transports of its own", () => {
  const { passage, transport } = setUp();
  const { transportsFor } = passage()?.handOver() ?? {};
  const other = relayed().transport;
  const [wrapped, free] =
    transportsFor?.(
      new Map([
        ["next", transport],
        ["other", other],
      ]),
    ).values() ?? [];
  assert.notEqual(wrapped, transport);
  assert.equal(free, other);
});

/** Answers for the recipients of each batch in turn. */
function answering(...answers: readonly Readonly<Record<string, Outcome>>[]) {
  const batches: ReturnType<typeof relayed>["batches"] = [];
  const transport: Transport = {
    locality: "remote",
    batchKey: () => "",
    deliver(batch, signal) {
      const answer = answers[batches.push({ batch, signal, read: 0 }) - 1] ?? {};
      const told = batch.recipients.flatMap(({ id, mailbox: { address } }) => {
        const outcome = answer[address];
        return outcome === undefined ? [] : [[id, outcome] as const];
      });
      return Promise.resolve(new Map(told));
    },
  };
  return { transport, batches };
}

const LATER: Outcome = { kind: "deferred", status: status(451, "3.0", "later"), scope: "message" };
const NOT_PASSED: Outcome = { ...LATER, notPassed: true };

test("for whom it was not passed on it is delivered in the ordinary way at once, and for nobody else", async () => {
  const to = ["a@example.com", "b@example.com", "c@example.com"];
  const answers = [
    { "a@example.com": DONE, "b@example.com": NOT_PASSED, "c@example.com": LATER },
    { "b@example.com": REFUSED },
  ];
  const next = answering(...answers);
  const clock = manualClock();
  const services = servicesOf(next.transport, clock);
  const all = to.map((address) => routing(address));
  const passage = new CutThrough(services).passage(envelope(), routedTo(clock, ...all), () => true);
  await passage?.write(PIECE);
  const deliveries = all.flatMap((one, position) =>
    one.deliveries.map((delivery) => deliveryOf({ position }, delivery)),
  );
  const outcomes = new Map<string, Outcome>();
  const message = { envelope: envelope(), body: inlineBody() };
  await deliver(message, deliveries, MANNER, attemptOf(services, passage), (of, outcome) =>
    outcomes.set(of.mailbox.address, outcome),
  );
  assert.deepEqual(Object.fromEntries(outcomes), {
    "a@example.com": DONE,
    "b@example.com": REFUSED,
    "c@example.com": LATER,
  });
  const [, second, ...more] = next.batches;
  assert.deepEqual(more, []);
  assert.equal(second?.batch.body, message.body);
  assert.deepEqual(
    second.batch.recipients.map(({ mailbox: { address } }) => address),
    ["b@example.com"],
  );
});

test("a host that fails while the client still writes holds it up no longer, and it is delivered at its end", async () => {
  const next = answering({ "a@example.com": NOT_PASSED }, { "a@example.com": DONE });
  const { passage, finish, clock } = setUp(next);
  const one = passage();
  await one?.write(PIECE);
  await setImmediate();
  for (let pieces = 0; pieces < 10; pieces++) assert.equal(one?.write(PIECE), undefined);
  assert.deepEqual(await finish(one), [DONE]);
  assert.equal(next.batches.length, 2);
  assert.equal(clock.pending, 0);
});

test("what is said of a message in the ordinary way is the end of the attempt", async () => {
  const next = answering({ "a@example.com": NOT_PASSED });
  const { finish } = setUp(next);
  assert.deepEqual(await finish(undefined), [NOT_PASSED]);
  assert.equal(next.batches.length, 1);
});

test("a message that must prove itself first stays here until its end", async () => {
  const { passage, batches, finish } = setUp();
  const one = passage(false);
  for (let pieces = 0; pieces < 10; pieces++) assert.equal(one?.write(PIECE), undefined);
  assert.equal(batches.length, 0);
  assert.deepEqual(await finish(one), [DONE]);
  assert.equal(batches.length, 1);
});

test("not every router of the recipients asks for it: no passage", () => {
  const { cutThrough, said, clock } = setUp();
  const routed = routedTo(clock, said, routing("b@example.com", "other"));
  assert.equal(
    cutThrough.passage(envelope(), routed, () => true),
    undefined,
  );
});

test("a client waits for a host that does not keep up, but not for long", async () => {
  const never = new Promise<void>(() => undefined);
  const { passage, batches, clock } = setUp(relayed(() => never));
  const one = passage();
  let waits = 0;
  let waiting: Promise<void> | undefined;
  for (let written = 0; waiting === undefined; written += PIECE.length) {
    assert.ok(written < 1024 * 1024, "the client was never asked to wait");
    const room = one?.write(PIECE);
    if (room instanceof Promise) waiting = room.then(() => void waits++);
    await setImmediate();
  }
  clock.advance(9999);
  await setImmediate();
  assert.equal(waits, 0);
  clock.advance(1);
  await waiting;
  assert.equal(batches[0]?.signal.aborted, true);
  assert.equal(one?.write(PIECE), undefined);
  assert.equal(clock.pending, 0);
});

test("a message that takes more than five minutes to come in holds no host any longer", async () => {
  const { passage, batches, clock } = setUp();
  const one = passage();
  await one?.write(PIECE);
  for (let seconds = 5; seconds < 300; seconds += 5) {
    clock.advance(5000);
    for (let pieces = 0; pieces < 5; pieces++) await one?.write(PIECE);
  }
  assert.equal(batches[0]?.signal.aborted, false);
  clock.advance(5000);
  assert.equal(batches[0]?.signal.aborted, true);
});

test("a message that trickles in holds no host for more than ten seconds", async () => {
  const { passage, batches, clock } = setUp();
  const one = passage();
  await one?.write(PIECE);
  for (let seconds = 1; seconds < 10; seconds++) {
    clock.advance(1000);
    await one?.write(Buffer.alloc(1000));
  }
  assert.equal(batches[0]?.signal.aborted, false);
  clock.advance(1000);
  assert.equal(batches[0]?.signal.aborted, true);
  assert.equal(clock.pending, 0);
});

test("only so many messages are passed on while they come in; a place is free again after its end", async () => {
  const { passage, batches, finish } = setUp();
  const all = Array.from({ length: 5 }, () => passage());
  for (const one of all) await one?.write(PIECE);
  assert.equal(batches.length, 4);
  await finish(all[0]);
  await passage()?.write(PIECE);
  assert.equal(batches.length, 5);
});

test("the reading of an abandoned message fails, it does not end", async () => {
  const body = new PassingBody(0);
  assert.equal(body.write(Buffer.from("half")), undefined);
  const read = Array.fromAsync(body.chunks());
  await setImmediate();
  body.abandon(new Error("no more"));
  body.complete();
  await assert.rejects(read, /no more/);
  await assert.rejects(Array.fromAsync(body.chunks()), /only once/);
});

test("a client that has been told that its message is queued is told nothing else", async () => {
  const clock = manualClock();
  const finding = { position: 0, router: "r", transport: "t", unseen: false, outcome: REFUSED };
  const of = { ...finding, mailbox: mailbox("a@example.com"), original: mailbox("a@example.com") };
  const late = new AwaitedVerdict(clock, () => undefined);
  clock.advance(60_000);
  assert.equal(await late.told, undefined);
  assert.equal(late.hears([of]), false);

  const early = new AwaitedVerdict(clock, () => undefined);
  assert.equal(early.hears([of, { ...of, unseen: true, outcome: DONE }]), true);
  clock.advance(60_000);
  early.stored();
  // What a peer says cannot begin a line of our own.
  assert.deepEqual(await early.told, status(554, "7.1", "spam ? no??QUIT"));
  const divided = new AwaitedVerdict(clock, () => undefined);
  assert.equal(divided.hears([of, { ...of, outcome: DONE }]), false);
  divided.stored();
  assert.equal(await divided.told, undefined);
});

test("a client hears of its delivery although that cannot be written down; of a refusal it does not", async () => {
  const clock = manualClock();
  const finding = { position: 0, router: "r", transport: "t", unseen: false, outcome: DONE };
  const of = { ...finding, mailbox: mailbox("a@example.com"), original: mailbox("a@example.com") };
  const delivered = new AwaitedVerdict(clock, () => undefined);
  assert.equal(delivered.hears([of]), false);
  const refused = new AwaitedVerdict(clock, () => undefined);
  assert.equal(refused.hears([{ ...of, outcome: REFUSED }]), true);
  clock.advance(60_000);
  assert.equal((await delivered.told)?.code, 250);
  assert.equal(await Promise.race([refused.told, setImmediate("nothing")]), "nothing");
  delivered.stored();
});

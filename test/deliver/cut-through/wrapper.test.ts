import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome, Transport } from "../../../src/contract/contract.ts";
import { type Outcomes, wrapped } from "../../../src/deliver/cut-through/wrapper.ts";
import { status } from "../../../src/mail/status.ts";
import { manualClock } from "../../support/clock.ts";
import { batch, recipient } from "../../support/build.ts";
import { recordingLog } from "../../support/services.ts";

const DONE: Outcome = { kind: "delivered", status: status(250, "0.0", "done") };
const LATER: Outcome = { kind: "deferred", status: status(451, "3.0", "later"), scope: "message" };
const NOT_PASSED: Outcome = { ...LATER, notPassed: true };

const BATCH = batch(["a", "b"].map((id) => recipient(`${id}@example.com`, { id })));

/** A transport that takes everything, or does what `rest` says, and of which `passed` is on its way. */
function setUp(passed: Outcomes | undefined, rest?: () => Promise<Outcomes>) {
  const clock = manualClock();
  const log = recordingLog();
  const ordinary: string[] = [];
  const inner: Transport = {
    locality: "remote",
    hosts: [{ name: "mx.test" }],
    batchKey: ({ id }) => `key of ${id}`,
    place: ({ id }) => `place of ${id}`,
    deliver({ recipients }) {
      ordinary.push(recipients.map(({ id }) => id).join(" "));
      const taken = () => Promise.resolve(new Map(recipients.map(({ id }) => [id, DONE])));
      return (rest ?? taken)();
    },
  };
  const controller = new AbortController();
  const finish = () => passed && Promise.resolve(passed);
  const transport = wrapped(inner, finish, { clock, log });
  const outcomes = async () =>
    Object.fromEntries(await transport.deliver(BATCH, controller.signal));
  return { transport, inner, ordinary, outcomes, controller, clock, log };
}

const some = new Map<string, Outcome>([
  ["a", DONE],
  ["b", NOT_PASSED],
]);

describe("a wrapped transport", () => {
  test("leaves to the transport what is not on its way", async () => {
    const { outcomes, ordinary } = setUp(undefined);
    assert.deepEqual(await outcomes(), { a: DONE, b: DONE });
    assert.deepEqual(ordinary, ["a b"]);
  });

  test("delivers nothing again of which the host has said something", async () => {
    const all = new Map([...some, ["b", LATER]] as const);
    const { outcomes, ordinary } = setUp(all);
    assert.deepEqual(await outcomes(), { a: DONE, b: LATER });
    assert.deepEqual(ordinary, []);
  });

  test("delivers at once what the host has certainly not taken, and nothing else", async () => {
    const { outcomes, ordinary } = setUp(some);
    assert.deepEqual(await outcomes(), { a: DONE, b: DONE });
    assert.deepEqual(ordinary, ["b"]);
  });

  test("keeps the outcomes that it has, when the rest throws", async () => {
    const { outcomes, log } = setUp(some, () => Promise.reject(new Error("a bug")));
    assert.deepEqual(await outcomes(), { a: DONE, b: NOT_PASSED });
    assert.deepEqual(log.named("relay.error"), [
      { id: BATCH.envelope.id, where: "cut-through", error: "Error: a bug" },
    ]);
  });

  test("gives them before the attempt's patience is over, when the rest goes on after its end", async () => {
    const { outcomes, controller, clock } = setUp(some, () => new Promise(() => undefined));
    const told = outcomes();
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    controller.abort(new Error("the relay stops"));
    clock.advance(4000);
    assert.deepEqual(await told, { a: DONE, b: NOT_PASSED });
  });

  test("begins nothing more after the end of the attempt", async () => {
    const { outcomes, controller, ordinary } = setUp(some);
    controller.abort(new Error("the relay stops"));
    assert.deepEqual(await outcomes(), { a: DONE, b: NOT_PASSED });
    assert.deepEqual(ordinary, []);
  });

  test("is in the same batches, at the same places and hosts", () => {
    const { transport, inner } = setUp(undefined);
    const [one] = BATCH.recipients;
    assert.ok(one);
    assert.equal(transport.batchKey(one), "key of a");
    assert.equal(transport.place?.(one), "place of a");
    assert.equal(transport.hosts, inner.hosts);
    assert.equal(transport.locality, "remote");
    assert.equal("destination" in transport, false);
  });
});

// The suite that every transport driver passes, ours and a third party's: `testTransport(driver, { setup })`.
// It asks that every recipient is answered for, that nothing but a clear "no" is final, and that nothing leaks.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type {
  Batch,
  Outcome,
  Recipient,
  Services,
  Transport,
  TransportDriver,
} from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import {
  batch,
  damagedBody,
  envelope,
  MESSAGE,
  recipient,
  streamedBody,
} from "../support/build.ts";
import { fakeServices } from "../support/services.ts";
import { deepFreeze, type OptionTable, readOptions, testOptions } from "./driver.ts";

export interface TransportSetup {
  /** Options as in routers.toml. */
  readonly table: OptionTable;
  readonly services?: Partial<Services>;
}

export interface TransportCase {
  /** A fresh place to deliver to, for each test; it takes everything it started down again with `t.after`. */
  setup(t: TestContext): TransportSetup | Promise<TransportSetup>;
  /** False when the driver never looks at the body, so that a damaged one cannot disturb it. Default true. */
  readonly readsBody?: boolean;
  /** False when a signal that is aborted already makes no difference, because nothing waits. Default true. */
  readonly obeysSignal?: boolean;
}

const never = () => new AbortController().signal;

/** Recipients as a peer, a list or a bug of ours might make them. */
const HOSTILE: readonly Recipient[] = [
  recipient("bob@example.com", { id: "no account", account: {} }),
  recipient("bob@example.com", { id: "climbs", account: { domain: "..", localPart: "../../etc" } }),
  recipient("bob@example.com", { id: "empty", account: { domain: "", localPart: "" } }),
  recipient("bob@example.com", { id: "nul", account: { domain: "a\0b", localPart: "a\0b" } }),
  recipient("bob@example.com", { id: "hidden", account: { domain: ".x", localPart: ".x" } }),
  recipient("bob@example.com", {
    id: "long",
    account: { domain: "d".repeat(300), localPart: "l".repeat(300) },
  }),
  recipient("__proto__@example.com", { id: "__proto__" }),
  recipient('"crlf\r\nBcc: eve"@example.com', { id: "crlf" }),
  recipient(`${"x".repeat(2000)}@example.com`, { id: "long address" }),
];

/** Fails when an outcome is not one of the words of the contract, said in full. */
export function assertOutcome(outcome: Outcome | undefined): void {
  assert.ok(outcome !== undefined, "every recipient has an outcome");
  const digit = { delivered: 2, deferred: 4, failed: 5 }[outcome.kind];
  assert.ok(digit !== undefined, `no such outcome: ${JSON.stringify(outcome)}`);
  assert.equal(Math.trunc(outcome.status.code / 100), digit);
  assert.match(outcome.status.enhanced, new RegExp(`^${digit}\\.\\d{1,3}\\.\\d{1,3}$`));
  assert.notEqual(outcome.status.text, "");
  if (outcome.kind === "deferred") {
    assert.ok(["recipient", "message", "host"].includes(outcome.scope));
  }
}

/** What became of a batch: a transport may throw or leave recipients out, and both mean "deferred". */
async function kinds(transport: Transport, given: Batch, signal: AbortSignal): Promise<string[]> {
  const outcomes = await transport
    .deliver(given, signal)
    .catch((): ReadonlyMap<RecipientId, Outcome> => new Map());
  return given.recipients.map(({ id }) => outcomes.get(id)?.kind ?? "deferred");
}

export function testTransport<O>(driver: TransportDriver<O>, example: TransportCase): void {
  const { readsBody = true, obeysSignal = true } = example;

  async function create(t: TestContext): Promise<Transport> {
    const { table, services } = await example.setup(t);
    const transport = driver.create(readOptions(driver, table), fakeServices({ ...services }));
    t.after(() => transport.close?.());
    return transport;
  }

  describe(`transport ${driver.name}, conformance`, () => {
    testOptions(driver, async (t) => (await example.setup(t)).table);

    test("says where it delivers to", async (t) => {
      assert.ok(["local", "remote"].includes((await create(t)).locality));
    });

    test("delivers to one recipient and says so", async (t) => {
      const transport = await create(t);
      const bob = recipient("bob@example.com");
      const outcomes = await transport.deliver(deepFreeze(batch([bob])), never());
      assert.deepEqual([...outcomes.keys()], [bob.id]);
      assertOutcome(outcomes.get(bob.id));
      assert.equal(outcomes.get(bob.id)?.kind, "delivered");
    });

    test("answers for each recipient of a batch, and for nobody else", async (t) => {
      const transport = await create(t);
      const three = ["bob", "carol", "dave"].map((name) => recipient(`${name}@example.com`));
      const outcomes = await transport.deliver(deepFreeze(batch(three)), never());
      assert.deepEqual([...outcomes.keys()].toSorted(), three.map(({ id }) => id).toSorted());
      for (const { id } of three) assertOutcome(outcomes.get(id));
    });

    test("delivers a body that comes in pieces, and a message of the null sender", async (t) => {
      const transport = await create(t);
      const given = batch([recipient("bob@example.com")], {
        envelope: envelope({ sender: null }),
        body: streamedBody(MESSAGE, 7),
      });
      assert.deepEqual(await kinds(transport, given, never()), ["delivered"]);
    });

    test("survives hostile recipients, each beside a good one", async (t) => {
      const transport = await create(t);
      for (const hostile of HOSTILE) {
        const given = batch([recipient("bob@example.com"), hostile]);
        const outcomes = await transport.deliver(given, never());
        for (const outcome of outcomes.values()) assertOutcome(outcome);
      }
    });

    test("a damaged body is neither delivered nor failed", { skip: !readsBody }, async (t) => {
      const transport = await create(t);
      const given = batch([recipient("bob@example.com")], { body: damagedBody() });
      assert.deepEqual(await kinds(transport, given, never()), ["deferred"]);
    });

    test("an aborted delivery is deferred", { skip: !obeysSignal }, async (t) => {
      const transport = await create(t);
      const given = batch([recipient("bob@example.com")]);
      assert.deepEqual(await kinds(transport, given, AbortSignal.abort()), ["deferred"]);
    });

    test("batch key and destination are steady, and asking for them delivers nothing", async (t) => {
      const transport = await create(t);
      for (const one of [recipient("bob@example.com"), ...HOSTILE]) {
        const frozen = deepFreeze(one);
        assert.equal(typeof transport.batchKey(frozen), "string");
        assert.equal(transport.batchKey(frozen), transport.batchKey(frozen));
        assert.equal(transport.destination?.(frozen), transport.destination?.(frozen));
      }
    });

    test("can be closed twice", async (t) => {
      const transport = await create(t);
      await transport.deliver(batch([recipient("bob@example.com")]), never());
      await transport.close?.();
      await transport.close?.();
    });
  });
}

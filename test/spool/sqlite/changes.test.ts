// What the postmaster does to messages, and how he finds them.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { AddressFilter, Filter, RecipientChange } from "../../../src/spool/spool.ts";
import { openQueueFile } from "../../../src/spool/sqlite/queue-file.ts";
import type { SqliteSpool } from "../../../src/spool/sqlite/sqlite.ts";
import { inPlace, settled, store } from "./place.ts";

const LATER = Date.now() + 3_600_000;

/** A message to alice@example.com and "b b"@b.test that waits for an hour. */
async function waiting(spool: SqliteSpool): Promise<string> {
  const { envelope } = await store(spool, "x", true);
  const recipients = [change(0), change(1)];
  await spool.settle(settled(envelope.id, "queued", { recipients }));
  return envelope.id;
}

function change(position: number, given: Partial<RecipientChange> = {}): RecipientChange {
  const fields = { position, attempts: 1, firstFailure: 1, nextAttempt: LATER };
  return { ...fields, state: "pending", ...given };
}

async function statesIn(directory: string): Promise<string[]> {
  await using file = openQueueFile(directory);
  const messages = (await Array.fromAsync(file?.messages({}, assert.fail) ?? [])).flat();
  return messages.map(({ state, recipients }) =>
    [state, ...recipients.map((one) => one.state)].join(" "),
  );
}

describe("the postmaster", () => {
  it("freezes and thaws a message, whose retry rules then begin anew", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const id = await waiting(spool);
      assert.deepEqual(await spool.change("freeze", [id]), [{ id, result: "done" }]);
      assert.deepEqual(await statesIn(directory), ["frozen frozen frozen"]);
      assert.equal(await spool.nextDue(), undefined);
      const before = Date.now();
      await spool.change("thaw", [id]);
      assert.deepEqual(await statesIn(directory), ["queued pending pending"]);
      const [message] = await spool.take(Date.now(), 10);
      for (const { firstFailure, nextAttempt } of message?.recipients ?? []) {
        assert.equal(firstFailure, undefined);
        // By its hints, and not by force.
        assert.ok(nextAttempt >= before);
      }
    }));

  it("lets copies begin anew with what was frozen, and their clocks alone otherwise", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      const clocks = { mail: { nextAttempt: LATER, waitsFor: { key: "mx" } }, copies: [] };
      const recipients = [change(0, { clocks }), change(1, { clocks, waitsFor: { key: "mx" } })];
      await spool.settle(settled(envelope.id, "queued", { recipients }));
      await spool.change("freeze", [envelope.id], { domain: "example.com" });
      await spool.change("thaw", [envelope.id]);
      await spool.wake("mx", 1);
      const [message] = await spool.take(Date.now(), 10);
      assert.deepEqual(
        message?.recipients.map((one) => [one.clocks, one.waitsFor]),
        [
          [undefined, undefined],
          [clocks, undefined],
        ],
      );
    }));

  it("knows what recipients wait for, each key once, and no more than is asked for", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      for (const waitsFor of ["mx2", "mx1", "mx2", undefined]) {
        const { envelope } = await store(spool, "x", true);
        const wait = waitsFor === undefined ? {} : { waitsFor: { key: waitsFor } };
        const recipients = [change(0, wait), change(1, wait)];
        await spool.settle(settled(envelope.id, "queued", { recipients }));
      }
      assert.deepEqual(await spool.awaited(10), ["mx1", "mx2"]);
      assert.deepEqual(await spool.awaited(1), ["mx1"]);
    }));

  it("thaws nothing else", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const id = await waiting(spool);
      await spool.change("thaw", [id]);
      assert.equal(await spool.nextDue(), LATER);
    }));

  it("freezes some recipients of a message, and the others go on", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const id = await waiting(spool);
      await spool.change("freeze", [id], { domain: "b.test" });
      assert.deepEqual(await statesIn(directory), ["queued pending frozen"]);
      await spool.change("retry", [id], { domain: "b.test", localPart: "B B" });
      const [message] = await spool.take(Date.now(), 10);
      assert.deepEqual(
        message?.recipients.map(({ nextAttempt, forced }) => [nextAttempt === LATER, forced]),
        [
          [true, undefined],
          [false, true],
        ],
      );
    }));

  it("does nothing to a message under attempt, whatever is wanted", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      const { id } = envelope;
      for (const action of ["retry", "freeze", "thaw", "remove"] as const) {
        assert.deepEqual(await spool.change(action, [id]), [{ id, result: "active" }]);
      }
      const { changes, messages } = await spool.claim([id, "0000000000", "x"]);
      assert.deepEqual(
        changes.map(({ result }) => result),
        ["active", "unknown", "unknown"],
      );
      assert.deepEqual(messages, []);
      assert.deepEqual(await statesIn(directory), ["active pending pending"]);
    }));

  it("claims a message once, with its body", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const id = await waiting(spool);
      const { messages } = await spool.claim([id]);
      assert.equal(messages[0]?.body.inline?.toString(), "x");
      assert.deepEqual((await spool.claim([id])).changes, [{ id, result: "active" }]);
    }));
});

describe("a filter", () => {
  const cases: readonly (readonly [string, Filter, number])[] = [
    ["nothing", {}, 2],
    ["a recipient without case", { recipient: address("Alice", "example.com") }, 2],
    ["a recipient in quotes", { recipient: address("b b", "b.test") }, 2],
    ["a domain", { recipient: { domain: "b.test" } }, 2],
    ["a subdomain only", { recipient: { domain: "x.b.test" } }, 0],
    ["a local part of another domain", { recipient: address("alice", "b.test") }, 0],
    ["the null sender", { sender: null }, 0],
    ["a sender", { sender: address("alice", "example.com") }, 2],
    ["a state", { state: "frozen" }, 1],
    ["a state and a recipient", { state: "frozen", recipient: { domain: "c.test" } }, 0],
    ["what is older", { until: 0 }, 0],
    ["what is younger", { after: 0 }, 2],
  ];
  for (const [what, filter, count] of cases) {
    it(`finds ${what}`, () =>
      inPlace(async ({ open, directory }) => {
        const spool = await open();
        await waiting(spool);
        await spool.change("freeze", [await waiting(spool)]);
        await using file = openQueueFile(directory);
        assert.equal((await Array.fromAsync(file?.ids(filter) ?? [])).flat().length, count);
        assert.equal(
          (await Array.fromAsync(file?.messages(filter, assert.fail) ?? [])).flat().length,
          count,
        );
        const states = Object.values((await file?.count(filter)) ?? {});
        assert.equal(
          states.reduce((sum, { messages }) => sum + messages, 0),
          count,
        );
      }));
  }

  it("goes through more than a page of messages, in order", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const ids = await Promise.all(
        Array.from({ length: 1001 }, async () => (await store(spool, "x")).envelope.id),
      );
      await using file = openQueueFile(directory);
      assert.deepEqual((await Array.fromAsync(file?.ids({}) ?? [])).flat(), ids.toSorted());
      assert.deepEqual((await file?.count({}))?.queued, { messages: 1001, bytes: 1001 });
    }));

  it("is not broken by a message that is", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      await waiting(spool);
      const id = await waiting(spool);
      using database = new DatabaseSync(join(directory, "spool.sqlite"));
      database.exec("UPDATE messages SET envelope = '{' WHERE id = (SELECT max(id) FROM messages)");
      database.exec(
        "UPDATE recipients SET request = '' WHERE message = (SELECT max(id) FROM messages)",
      );
      await using file = openQueueFile(directory);
      const damaged: string[] = [];
      const filter = { sender: { domain: "example.com" } };
      for (const wanted of [filter, {}]) {
        const found = (
          await Array.fromAsync(file?.messages(wanted, (one) => damaged.push(one)) ?? [])
        ).flat();
        assert.equal(found.length, 1);
      }
      assert.deepEqual(damaged, [id]);
    }));
});

function address(localPart: string, domain: string): AddressFilter {
  return { localPart, domain };
}

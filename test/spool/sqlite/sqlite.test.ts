import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { SpoolError } from "../../../src/spool/spool.ts";
import { INLINE_MAX } from "../../../src/spool/sqlite/body.ts";
import { alice, big, bytesOf, inPlace, settled, store } from "./place.ts";

describe("the spool in SQLite", () => {
  it("answers some at a time when many wait for a commit: the event loop is not held up", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      let turn = 0;
      const tick = () => {
        turn += 1;
        ticking = setImmediate(tick);
      };
      let ticking = setImmediate(tick);
      const answeredIn = await Promise.all(
        Array.from({ length: 300 }, () => store(spool, "x").then(() => turn)),
      );
      clearImmediate(ticking);
      const inOneTurn = Object.values(Object.groupBy(answeredIn, String)).map((all) => all?.length);
      assert.ok(Math.max(...inOneTurn.map(Number)) <= 50, inOneTurn.join(" "));
      await spool.close();
    }));

  it("removes a completed message with its body, and enters its report in the same step", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const stored = await store(spool, big, true);
      assert.equal(readdirSync(join(directory, "bodies")).length, 1);
      const id = spool.nextId();
      const { size: _, ...envelope } = { ...stored.envelope, id, sender: null };
      const report = { envelope, recipients: [{ mailbox: alice }], bytes: Buffer.from("report") };
      await spool.settle(settled(stored.envelope.id, "completed", { reports: [report] }));
      assert.deepEqual(readdirSync(join(directory, "bodies")), []);
      const [message] = await spool.take(Date.now(), 10);
      assert.equal(message?.envelope.id, id);
      assert.equal(message?.envelope.sender, null);
      assert.deepEqual(message && (await bytesOf(message)), Buffer.from("report"));
      await spool.close();
    }));

  it("leaves nothing of a message that was aborted", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const incoming = spool.receive(spool.nextId());
      for (let i = 0; i < 20; i++) await incoming.write(Buffer.alloc(INLINE_MAX));
      incoming.abort();
      await spool.close();
      const again = await open();
      assert.deepEqual(readdirSync(join(directory, "bodies")), []);
      assert.equal(await again.count(), 0);
      await again.close();
    }));

  it("removes bodies that no message owns at start", () =>
    inPlace(async ({ open, directory }) => {
      await (await open()).close();
      writeFileSync(join(directory, "bodies", "0abcdefghi"), "left by a crash");
      await (await open()).close();
      assert.deepEqual(readdirSync(join(directory, "bodies")), []);
    }));

  it("sets a damaged message aside and goes on with the others", () =>
    inPlace(async ({ open, directory, events }) => {
      const spool = await open();
      const damaged = await store(spool, "some words");
      const whole = await store(spool, "other words");
      await spool.close();
      const database = new DatabaseSync(join(directory, "spool.sqlite"));
      database.exec(
        "UPDATE bodies SET bytes = x'00' WHERE message = (SELECT min(message) FROM bodies)",
      );
      database.close();
      const again = await open();
      const taken = await again.take(Date.now(), 10);
      assert.deepEqual(
        taken.map(({ envelope }) => envelope.id),
        [whole.envelope.id],
      );
      assert.ok(events.includes("spool.corrupt"));
      const remains = [`${damaged.envelope.id}.body`, `${damaged.envelope.id}.json`];
      assert.deepEqual(readdirSync(join(directory, "corrupt")), remains);
      assert.equal(await again.count(), 1);
      await again.close();
    }));

  it("never gives the end of a damaged large body as if it were whole", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const stored = await store(spool, big);
      for (const damage of [big.subarray(1), Buffer.alloc(big.length)]) {
        writeFileSync(join(directory, "bodies", stored.envelope.id), damage);
        await assert.rejects(bytesOf(stored), /damaged/);
      }
      await rm(join(directory, "bodies", stored.envelope.id));
      await assert.rejects(bytesOf(stored), /damaged/);
      await spool.close();
    }));

  it("says what keeps its lock from being taken", () =>
    inPlace(async ({ open, directory }) => {
      writeFileSync(join(directory, "lock"), "I am not a database. ".repeat(100));
      await assert.rejects(open(), (error: unknown) => {
        assert.ok(error instanceof SpoolError && error.cause instanceof Error);
        assert.equal(error.message, `cannot open the spool ${directory}`);
        assert.match(error.cause.message, /not a database/);
        return true;
      });
    }));

  it("refuses a spool of another version by name", () =>
    inPlace(async ({ open, directory }) => {
      await (await open()).close();
      const database = new DatabaseSync(join(directory, "spool.sqlite"));
      database.exec("PRAGMA user_version = 99");
      database.close();
      await assert.rejects(open(), (error: Error) => /version 99/.test(String(error.cause)));
    }));
});

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { type JournalEntry, SpoolInUse } from "../../../src/spool/spool.ts";
import { INLINE_MAX } from "../../../src/spool/sqlite/body.ts";
import { SqliteSpool } from "../../../src/spool/sqlite/sqlite.ts";
import { alice, big, bob, bytesOf, inPlace, settled, store } from "./place.ts";

describe("the spool", () => {
  for (const [size, content] of [
    ["a small", Buffer.from("Subject: x\r\n\r\n\xff\0\r\n", "latin1")],
    ["a large", big],
  ] as const) {
    it(`gives ${size} message back as it was, after a restart`, () =>
      inPlace(async ({ open }) => {
        const first = await open();
        const stored = await store(first, content);
        assert.deepEqual(await bytesOf(stored), content);
        await first.close();
        const second = await open();
        const [again] = await second.take(Date.now(), 10);
        assert.ok(again);
        assert.deepEqual(again.envelope, stored.envelope);
        assert.deepEqual(again.recipients, stored.recipients);
        assert.deepEqual(await bytesOf(again), content);
        await second.close();
      }));
  }

  it("gives a message with the fields above it that were found out last, after a restart too", () =>
    inPlace(async ({ open }) => {
      const head = "Authentication-Results: mx.example.com; none\r\n";
      const first = await open();
      const contents = [Buffer.from("Subject: x\r\n\r\n"), big];
      const whole = contents.map((content) => Buffer.concat([Buffer.from(head), content]));
      for (const [index, content] of contents.entries()) {
        const stored = await store(first, content, false, { head });
        assert.deepEqual(await bytesOf(stored), whole[index]);
        assert.equal(stored.envelope.size, whole[index]?.length);
      }
      await first.close();
      const second = await open();
      const again = await second.take(Date.now(), 10);
      assert.deepEqual(await Promise.all(again.map(bytesOf)), whole);
      assert.deepEqual(
        again.map(({ envelope, body }) => [envelope.size, body.size]),
        whole.map(({ length }) => [length, length]),
      );
      await second.close();
    }));

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

  it("gives a message to one attempt only", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const active = await store(spool, "x", true);
      const queued = await store(spool, "y");
      const taken = await spool.take(Date.now() + 1000, 10);
      assert.deepEqual(
        taken.map(({ envelope }) => envelope.id),
        [queued.envelope.id],
      );
      assert.deepEqual(await spool.take(Date.now() + 1000, 10), []);
      assert.equal(await spool.nextDue(), undefined);
      assert.notEqual(active.envelope.id, queued.envelope.id);
      await spool.close();
    }));

  it("makes an attempt that no run settled due at the next start", () =>
    inPlace(async ({ open, events }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      await spool.close();
      const again = await open();
      assert.deepEqual(
        (await again.take(Date.now(), 10)).map((m) => m.envelope.id),
        [envelope.id],
      );
      assert.ok(events.includes("spool.recovered"));
      await again.close();
    }));

  it("lets a message that was under attempt at each crash wait", () =>
    inPlace(async ({ open }) => {
      let spool = await open();
      await store(spool, "x", true);
      for (let crash = 0; crash < 5; crash++) {
        await spool.close();
        spool = await open();
        assert.equal((await spool.take(Date.now(), 10)).length, 1);
      }
      await spool.close();
      spool = await open();
      assert.equal((await spool.take(Date.now(), 10)).length, 0);
      assert.ok(((await spool.nextDue()) ?? 0) > Date.now() + 1000);
      await spool.close();
    }));

  const entry: JournalEntry = {
    target: "b b@b.test",
    position: 1,
    address: bob.address,
    router: "copy",
    transport: "maildir",
    outcome: "delivered",
    at: 5,
  };

  it("keeps recipients, journal and warnings of a settled attempt", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      const change = {
        position: 0,
        state: "delivered" as const,
        attempts: 1,
        nextAttempt: 0,
      };
      const said = { code: 451, enhanced: "4.0.0", text: "later" };
      const lastStatus = { ...said, remote: true, bare: true } as const;
      const waiting = {
        position: 1,
        state: "pending" as const,
        attempts: 1,
        firstFailure: 7,
        nextAttempt: 1000,
        lastStatus,
        clocks: {
          mail: {
            nextAttempt: 2000,
            waitsFor: { key: "mx.b.test [192.0.2.1]", host: "mx.b.test" },
          },
          copies: [
            {
              address: bob.address,
              router: "copy",
              attempts: 3,
              firstFailure: 5,
              nextAttempt: 1000,
              lastStatus,
            },
          ],
        },
      };
      await spool.settle(
        settled(envelope.id, "queued", {
          recipients: [change, waiting],
          journal: [entry],
          warnings: 2,
        }),
      );
      assert.equal(await spool.nextDue(), 1000);
      await spool.close();
      const again = await open();
      assert.deepEqual(await again.take(999, 10), []);
      const [message] = await again.take(1000, 10);
      assert.equal(message?.warnings, 2);
      assert.deepEqual(message?.journal, [entry]);
      assert.equal(message?.recipients[0]?.state, "delivered");
      assert.deepEqual(message?.recipients[1]?.lastStatus, lastStatus);
      assert.equal(message?.recipients[1]?.firstFailure, 7);
      assert.deepEqual(message.recipients[1].clocks, waiting.clocks);
      assert.equal(message.recipients[0]?.clocks, undefined);
      await again.close();
    }));

  it("has a noted delivery in the journal without being asked again", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      spool.note(envelope.id, entry);
      spool.note(envelope.id, { ...entry, target: "c@b.test", homonym: true });
      await spool.close();
      const again = await open();
      const [message] = await again.take(Date.now(), 10);
      assert.deepEqual(message?.journal, [entry, { ...entry, target: "c@b.test", homonym: true }]);
      await again.close();
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

  it("never uses an id twice, also after a restart with the clock set back", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x");
      await spool.close();
      const log = { event: () => undefined };
      const again = await SqliteSpool.open(directory, { ...systemClock, now: () => 1000 }, log);
      const ids = [again.nextId(), again.nextId()];
      assert.ok(ids.every((id) => id > envelope.id && id.length === 10));
      assert.notEqual(ids[0], ids[1]);
      await again.close();
    }));

  it("refuses a second relay, and lets it in when the first is gone", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      await assert.rejects(open(), SpoolInUse);
      await spool.close();
      await (await open()).close();
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

  it("keeps what a message requires of its next hosts", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      await store(spool, "some words", false, { requireTls: true });
      await spool.close();
      const again = await open();
      const [taken] = await again.take(Date.now(), 10);
      assert.equal(taken?.envelope.requireTls, true);
      await again.close();
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

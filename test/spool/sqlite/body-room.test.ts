// The memory for bodies of 64 to 256 KiB: bounded, and given back whatever becomes of the message.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { type IncomingMessage, SpoolError } from "../../../src/spool/spool.ts";
import { BodyRoom } from "../../../src/spool/sqlite/body-room.ts";
import { INLINE_MAX, SMALL_MAX } from "../../../src/spool/sqlite/body.ts";
import type { SqliteSpool } from "../../../src/spool/sqlite/sqlite.ts";
import { faultyCalls, systemError } from "../../support/file-calls.ts";
import {
  alice,
  assertBytes,
  big,
  bytesOf,
  inPlace,
  overwritePages,
  settled,
  store,
} from "./place.ts";

const K = 1024;

async function begun(spool: SqliteSpool, size: number): Promise<IncomingMessage> {
  const incoming = spool.receive(spool.nextId());
  for (let left = size; left > 0; left -= 10 * K) {
    await incoming.write(Buffer.alloc(Math.min(left, 10 * K), "x"));
  }
  return incoming;
}

const ENTRY = {
  target: "bob@b.test",
  outcome: "delivered",
  at: 1,
  position: 1,
  address: "bob@b.test",
  router: "r",
  transport: "t",
} as const;
const DUE = { position: 0, state: "pending", attempts: 1, nextAttempt: 0 } as const;

describe("the room for bodies", () => {
  it("is taken for each octet that has come, from 64 KiB to 256 KiB", () =>
    inPlace(async ({ open }) => {
      const room = new BodyRoom();
      const spool = await open({ room });
      const incoming = spool.receive(spool.nextId());
      const taken: [size: number, taken: number][] = [];
      let size = 0;
      for (const piece of [SMALL_MAX, 1, 1000, INLINE_MAX - SMALL_MAX - 1001, 1, 1000]) {
        await incoming.write(Buffer.alloc(piece));
        size += piece;
        taken.push([size, room.taken]);
      }
      assert.deepEqual(taken, [
        [65_536, 0],
        [65_537, 65_537],
        [66_537, 66_537],
        [262_144, 262_144],
        [262_145, 0],
        [263_145, 0],
      ]);
      incoming.abort();
    }));

  it("is never exceeded: bodies above it go to files, and are stored whole", () =>
    inPlace(async ({ open, directory }) => {
      const room = new BodyRoom(500 * K);
      const spool = await open({ room });
      const bytes = Buffer.alloc(200 * K, "0123456789abcdef");
      const messages = await Promise.all(
        Array.from({ length: 10 }, () => store(spool, bytes, true)),
      );
      assert.equal(readdirSync(join(directory, "bodies")).length, 8);
      assert.equal(room.taken, 400 * K);
      for (const message of messages) await assertBytes(message, bytes);
      for (const { envelope } of messages) await spool.settle(settled(envelope.id, "completed"));
      assert.equal(room.taken, 0);
      const { envelope } = await store(spool, bytes, true);
      assert.deepEqual(readdirSync(join(directory, "bodies")), []);
      assert.equal(room.taken, 200 * K);
      await spool.settle(settled(envelope.id, "completed"));
    }));

  it("holds back no slow clients: 200 that each stop at 200 kB take 16 MiB, and the others files", () =>
    inPlace(async ({ open, directory }) => {
      const room = new BodyRoom();
      const spool = await open({ room });
      const all: IncomingMessage[] = [];
      for (let index = 0; index < 200; index++) {
        all.push(await begun(spool, 200_000));
        assert.ok(room.taken <= 16 * K * K);
      }
      const inMemory = Math.floor((16 * K * K) / 200_000);
      assert.equal(room.taken, inMemory * 200_000);
      for (const incoming of all) incoming.abort();
      assert.equal(room.taken, 0);
      await spool.close();
      await (await open()).close();
      assert.deepEqual(readdirSync(join(directory, "bodies")), []);
    }));

  for (const size of [60 * K, 100 * K, 256 * K, 300 * K]) {
    it(`is given back when a message of ${size / K} KiB is given up`, () =>
      inPlace(async ({ open }) => {
        const room = new BodyRoom();
        const spool = await open({ room });
        const incoming = await begun(spool, size);
        incoming.abort();
        assert.equal(room.taken, 0);
        await incoming.write(Buffer.alloc(100 * K));
        incoming.abort();
        assert.equal(room.taken, 0);
      }));
  }

  it("is given back when a message goes to the queue without an attempt", () =>
    inPlace(async ({ open }) => {
      const room = new BodyRoom();
      const spool = await open({ room });
      await store(spool, Buffer.alloc(100 * K));
      assert.equal(room.taken, 0);
      const [message] = await spool.take(Date.now() + 1000, 10);
      assert.ok(message);
      await bytesOf(message);
      assert.equal(room.taken, 0);
      await spool.settle(settled(message.envelope.id, "completed"));
      assert.equal(room.taken, 0);
    }));

  for (const state of ["completed", "queued", "frozen"] as const) {
    it(`is given back once when the first attempt ends: ${state}`, () =>
      inPlace(async ({ open }) => {
        const room = new BodyRoom();
        const spool = await open({ room });
        const other = await store(spool, Buffer.alloc(150 * K), true);
        const { envelope } = await store(spool, Buffer.alloc(100 * K), true);
        assert.equal(room.taken, 250 * K);
        spool.note(envelope.id, ENTRY);
        assert.equal(room.taken, 250 * K);
        for (const _ of ["first", "second"]) {
          await spool.settle(settled(envelope.id, state, { recipients: [DUE] }));
          assert.equal(room.taken, 150 * K);
        }
        await spool.settle(settled(other.envelope.id, "completed"));
        assert.equal(room.taken, 0);
      }));
  }

  it("stays taken while the outcome of the attempt cannot be stored", () =>
    inPlace(async ({ open }) => {
      const room = new BodyRoom();
      const spool = await open({ room });
      const { envelope } = await store(spool, Buffer.alloc(100 * K), true);
      const { size: _, ...copy } = envelope;
      const report = { envelope: copy, recipients: [{ mailbox: alice }], bytes: Buffer.from("x") };
      const impossible = settled(envelope.id, "queued", { reports: [report] });
      await assert.rejects(spool.settle(impossible), SpoolError);
      assert.equal(room.taken, 100 * K);
      await spool.settle(settled(envelope.id, "completed"));
      assert.equal(room.taken, 0);
    }));

  it("is given back when a commit fails, and that of the message with the same id stays", () =>
    inPlace(async ({ open, directory }) => {
      const room = new BodyRoom();
      const spool = await open({ room });
      const { envelope } = await store(spool, Buffer.alloc(100 * K), true);
      const same = { id: envelope.id };
      await assert.rejects(store(spool, Buffer.alloc(200 * K), true, same), SpoolError);
      assert.equal(room.taken, 100 * K);
      await spool.settle(settled(envelope.id, "completed"));
      assert.equal(room.taken, 0);
      using database = new DatabaseSync(join(directory, "spool.sqlite"));
      database.exec("DROP TABLE bodies");
      await assert.rejects(store(spool, Buffer.alloc(100 * K), true), SpoolError);
      assert.equal(room.taken, 0);
    }));

  it("is given back when a body has outgrown it and its file fails", () =>
    inPlace(async ({ open }) => {
      const room = new BodyRoom();
      const calls = faultyCalls((call) => {
        if (call === "write") throw systemError("ENOSPC");
      });
      const spool = await open({ room, calls });
      await assert.rejects(store(spool, big, true), { full: true });
      assert.equal(room.taken, 0);
    }));

  it("is given back when the database was salvaged during the attempt", () =>
    inPlace(async (place) => {
      const before = await place.open();
      for (let index = 0; index < 60; index++) await store(before, Buffer.alloc(20_000));
      await before.close();
      const room = new BodyRoom();
      const spool = await place.open({ room });
      const { envelope } = await store(spool, Buffer.alloc(100 * K), true);
      overwritePages(place, 40, 80);
      await spool.take(Date.now() + 1000, 100);
      assert.ok(place.events.includes("spool.salvaged"));
      assert.equal(room.taken, 100 * K);
      await spool.settle(settled(envelope.id, "queued", { recipients: [DUE] }));
      assert.equal(room.taken, 0);
      const taken = await spool.take(Date.now() + 1000, 100);
      const again = taken.find((message) => message.envelope.id === envelope.id);
      await assertBytes(again, Buffer.alloc(100 * K));
    }));
});

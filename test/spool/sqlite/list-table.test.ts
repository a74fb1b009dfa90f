import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ListedWhy, ListEntry } from "../../../src/spool/spool.ts";
import { inPlace, settled, store } from "./place.ts";

function entry(id: string, why: ListedWhy = "unvouched"): ListEntry {
  return { why, at: 7, id, sender: "x@forged.test", recipient: "a@b.test", status: "550 no" };
}

describe("the postmaster's list in the spool", () => {
  it("is written with the settlement that causes it, and is there after a restart", () =>
    inPlace(async ({ open }) => {
      const first = await open();
      const { envelope } = await store(first, "x", true);
      const listed = [
        entry(envelope.id),
        { ...entry(envelope.id, "alias-member"), original: "c@d.test" },
      ];
      await first.settle(settled(envelope.id, "completed", { listed }));
      await first.close();
      const second = await open();
      assert.deepEqual((await second.listed()).entries, listed);
      assert.equal(await second.count(), 0);
      await second.close();
    }));

  it("leaves with the message that tells of it; what came meanwhile stays", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      const settle = (count: number) =>
        spool.settle(
          settled(envelope.id, "queued", {
            listed: Array.from({ length: count }, () => entry(envelope.id)),
          }),
        );
      await settle(203);
      const list = await spool.listed();
      assert.equal(list.entries.length, 200);
      assert.deepEqual(list.more, { unvouched: 3 });
      await settle(2);
      const id = spool.nextId();
      const client = { address: "", helo: "mx.example.com" };
      const own = { id, sender: null, client, receivedAt: 1, eightBit: false, smtputf8: false };
      await spool.sendList({ envelope: own, recipients: [], bytes: Buffer.from("x") }, list);
      assert.deepEqual(await spool.listed(), { entries: [], more: { unvouched: 2 }, last: 0 });
      assert.equal(await spool.count(), 2);
      await spool.close();
    }));

  it("has a room for each reason, so that forged senders crowd nothing else out", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      const { id } = envelope;
      const listed = Array.from({ length: 500 }, () => entry(id));
      await spool.settle(settled(id, "queued", { listed }));
      await spool.settle(settled(id, "queued", { listed: [entry(id, "alias-member")] }));
      const { entries, more } = await spool.listed();
      assert.equal(entries.filter(({ why }) => why === "alias-member").length, 1);
      assert.deepEqual(more, { unvouched: 300 });
      await spool.close();
    }));

  it("holds of each text only its beginning", () =>
    inPlace(async ({ open }) => {
      const spool = await open();
      const { envelope } = await store(spool, "x", true);
      const long = { ...entry(envelope.id), status: "y".repeat(10_000) };
      await spool.settle(settled(envelope.id, "completed", { listed: [long] }));
      const [kept] = (await spool.listed()).entries;
      assert.equal(kept?.status, "y".repeat(320));
      await spool.close();
    }));

  it("is taken over when the database is damaged", () =>
    inPlace(async ({ open, directory, events }) => {
      const before = await open();
      const { envelope } = await store(before, "x", true);
      const listed = [entry(envelope.id)];
      await before.settle(settled(envelope.id, "completed", { listed }));
      await before.close();
      // A log without its database: everything that was committed is read from a copy set aside by the salvage.
      const salvage = join(directory, "salvage");
      const file = join(directory, "spool.sqlite");
      mkdirSync(salvage);
      copyFileSync(file, join(salvage, "spool.sqlite"));
      rmSync(file);
      writeFileSync(file, "");
      const after = await open();
      assert.ok(events.includes("spool.salvaged"));
      assert.deepEqual((await after.listed()).entries, listed);
      await after.close();
    }));
});

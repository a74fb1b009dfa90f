import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ListEntry } from "../../../src/spool/spool.ts";
import { inPlace, settled, store } from "./place.ts";

function entry(id: string): ListEntry {
  const texts = { sender: "x@forged.test", recipient: "a@b.test", status: "550 no" };
  return { why: "unvouched", at: 7, id, ...texts };
}

describe("the postmaster's list in the spool", () => {
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

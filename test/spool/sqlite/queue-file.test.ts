import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { openQueueFile } from "../../../src/spool/sqlite/queue-file.ts";
import { inPlace, store } from "./place.ts";

describe("the queue in its file", () => {
  it("is not broken by a message that is", () =>
    inPlace(async ({ open, directory }) => {
      const spool = await open();
      await store(spool, "x");
      const { id } = (await store(spool, "x")).envelope;
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

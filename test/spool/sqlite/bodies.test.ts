// Where bodies of each size are, and how they are read for a later attempt. body-room.test.ts has the memory for them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { StoredMessage } from "../../../src/spool/spool.ts";
import { INLINE_MAX, SMALL_MAX } from "../../../src/spool/sqlite/body.ts";
import { BodyRoom } from "../../../src/spool/sqlite/body-room.ts";
import { openQueueFile } from "../../../src/spool/sqlite/queue-file.ts";
import {
  assertBytes,
  bytesOf,
  inPlace,
  overwritePages,
  type Place,
  settled,
  store,
} from "./place.ts";

const HEAD = "Authentication-Results: mx.example.com; none \xff\r\n";

function content(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, index) => (index * 7919 + size) % 256));
}

function databaseOf({ directory }: Place): DatabaseSync {
  return new DatabaseSync(join(directory, "spool.sqlite"));
}

/** The size of each body in the database, and of each body file. */
function stored(place: Place): { readonly rows: number[]; readonly files: number[] } {
  using database = databaseOf(place);
  const rows = database.prepare("SELECT length(bytes) AS size FROM bodies").all();
  const directory = join(place.directory, "bodies");
  const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)).length);
  return { rows: rows.map(({ size }) => Number(size)), files };
}

async function takenOne(place: Place): Promise<StoredMessage> {
  const spool = await place.open();
  const [message] = await spool.take(Date.now() + 1000, 10);
  assert.ok(message);
  return message;
}

describe("a body", () => {
  for (const [size, where] of [
    [SMALL_MAX, "small"],
    [SMALL_MAX + 1, "large"],
    [INLINE_MAX, "large"],
    [INLINE_MAX + 1, "file"],
  ] as const) {
    for (const head of ["", HEAD]) {
      it(`of ${size} octets and ${head.length} of fields found out last is ${where}, at each attempt and for relayctl`, () =>
        inPlace(async (place) => {
          const spool = await place.open();
          const bytes = content(size);
          const whole = Buffer.concat([Buffer.from(head, "latin1"), bytes]);
          const message = await store(spool, bytes, true, head === "" ? {} : { head });
          const { id } = message.envelope;
          const isFile = where === "file";
          assert.deepEqual(
            stored(place),
            isFile ? { rows: [], files: [size] } : { rows: [size], files: [] },
          );
          assert.equal(message.body.inline?.length, isFile ? undefined : whole.length);
          assert.equal(message.body.size, whole.length);
          await assertBytes(message, whole);
          await spool.close();

          const again = await takenOne(place);
          assert.equal(again.body.inline?.length, where === "small" ? whole.length : undefined);
          for (const _ of ["copy", "mail"]) await assertBytes(again, whole);
          await using view = openQueueFile(place.directory);
          await assertBytes(await view?.message(id), whole);
        }));
    }
  }

  it("in the database is read in pieces for a later attempt, however large", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      const report = content(3_000_000);
      const { envelope } = await store(spool, "x", true);
      const { size: _, ...rest } = envelope;
      const newReport = {
        envelope: { ...rest, id: spool.nextId() },
        recipients: [],
        bytes: report,
      };
      await spool.settle(settled(envelope.id, "completed", { reports: [newReport] }));
      const other = await store(spool, content(200_000));
      const messages = await spool.take(Date.now() + 1000, 10);
      const [first, second] = messages;
      assert.ok(first && second);
      assert.equal(second.envelope.id, other.envelope.id);
      for (const [message, bytes, longest] of [
        [first, report, 187_500],
        [second, content(200_000), 65_536],
      ] as const) {
        const pieces = await Array.fromAsync(message.body.chunks());
        assert.ok(pieces.every(({ length }) => length > 0 && length <= longest));
        await assertBytes(message, bytes);
      }
    }));

  it("that an older version has put into a file is read from it, and its file removed", () =>
    inPlace(async (place) => {
      const spool = await place.open({ room: new BodyRoom(0) });
      const bytes = content(100_000);
      await store(spool, bytes);
      await spool.close();
      assert.deepEqual(stored(place), { rows: [], files: [100_000] });
      const again = await place.open();
      const [message] = await again.take(Date.now() + 1000, 10);
      assert.ok(message);
      await assertBytes(message, bytes);
      await again.settle(settled(message.envelope.id, "completed"));
      assert.deepEqual(stored(place), { rows: [], files: [] });
    }));

  it("in the database is removed with its message", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      const { envelope } = await store(spool, content(200_000), true);
      await spool.settle(settled(envelope.id, "completed"));
      assert.deepEqual(stored(place), { rows: [], files: [] });
    }));

  it("that is removed while it is read is not read to its end", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      await store(spool, content(200_000));
      const [message] = await spool.take(Date.now() + 1000, 10);
      assert.ok(message);
      let pieces = 0;
      await assert.rejects(async () => {
        for await (const _ of message.body.chunks()) {
          using database = databaseOf(place);
          database.exec("DELETE FROM bodies");
          pieces += 1;
        }
      }, /damaged: its bytes are missing/);
      assert.equal(pieces, 1);
    }));
});

const NOISE = Buffer.alloc(1000, "?");
const SIZE = 200_000;
const BYTES = content(SIZE);

describe("a damaged body of more than 64 KiB in the database", () => {
  const damages: Record<string, { sql: string; at: "taking" | "reading"; left: number }> = {
    "other octets at its beginning": {
      sql: "UPDATE bodies SET bytes = CAST($noise || substr(bytes, 1001) AS BLOB)",
      at: "reading",
      left: SIZE,
    },
    "another octet at its end": {
      sql: `UPDATE bodies SET bytes = CAST(substr(bytes, 1, ${SIZE - 1}) || x'00' AS BLOB)`,
      at: "reading",
      left: SIZE,
    },
    "a wrong checksum": {
      sql: "UPDATE messages SET checksum = checksum + 1",
      at: "reading",
      left: SIZE,
    },
    "an octet too few": {
      sql: `UPDATE bodies SET bytes = substr(bytes, 1, ${SIZE - 1})`,
      at: "taking",
      left: SIZE - 1,
    },
    "so few octets that it seems small": {
      sql: "UPDATE bodies SET bytes = substr(bytes, 1, 5)",
      at: "taking",
      left: 5,
    },
    "an octet too many": {
      sql: "UPDATE bodies SET bytes = CAST(bytes || x'00' AS BLOB)",
      at: "taking",
      left: SIZE + 1,
    },
    "no octets": { sql: "UPDATE bodies SET bytes = x''", at: "taking", left: 0 },
    "no row": { sql: "DELETE FROM bodies", at: "reading", left: -1 },
  };
  for (const [what, { sql, at, left }] of Object.entries(damages)) {
    for (const when of ["first", "later"] as const) {
      it(`with ${what} is not delivered at the ${when} attempt, and set aside`, () =>
        inPlace(async (place) => {
          const before = await place.open();
          const message = await store(before, BYTES, when === "later");
          const { id } = message.envelope;
          if (when === "later") {
            // Its first attempt has the body in memory, and fails for another reason.
            await assertBytes(message, BYTES);
            await before.settle(settled(id, "queued", { recipients: [DUE] }));
          }
          await before.close();
          using database = databaseOf(place);
          database.prepare(sql).run(sql.includes("$noise") ? { $noise: NOISE } : {});
          const spool = await place.open();
          const whole = await store(spool, "other words");
          const taken = await spool.take(Date.now() + 1000, 10);
          const ids = taken.map(({ envelope }) => envelope.id);
          assert.deepEqual(
            ids.toSorted(),
            at === "taking" ? [whole.envelope.id] : [id, whole.envelope.id],
          );
          const damaged = taken.find(({ envelope }) => envelope.id === id);
          if (damaged !== undefined) {
            await assert.rejects(bytesOf(damaged), /damaged/);
            await spool.settle(settled(id, "queued", { recipients: [DUE] }));
          }
          assert.equal(await spool.count(), 1);
          const corrupt = join(place.directory, "corrupt");
          const remains = [...(left < 0 ? [] : [`${id}.body`]), `${id}.json`];
          assert.deepEqual(readdirSync(corrupt).toSorted(), remains);
          if (left >= 0) assert.equal(readFileSync(join(corrupt, `${id}.body`)).length, left);
          assert.ok(place.events.includes("spool.corrupt"));
        }));
    }
  }

  it("on a page that shows the damage of the database is set aside after the salvage, and the others stay whole", () =>
    inPlace(async (place) => {
      const before = await place.open();
      const messages: StoredMessage[] = [];
      for (let index = 0; index < 10; index++) messages.push(await store(before, BYTES));
      await before.close();
      const spool = await place.open();
      const taken = await spool.take(Date.now() + 1000, 100);
      assert.equal(taken.length, 10);
      // Some of the bodies lose pages in their middle, others the page with their beginning.
      overwritePages(place, 100, 160);
      const damaged: string[] = [];
      for (const message of taken) {
        const { envelope } = message;
        try {
          await assertBytes(message, BYTES);
        } catch (error) {
          assert.match(String(error), /stored body is damaged/);
          damaged.push(envelope.id);
        }
        await spool.settle(settled(envelope.id, "queued", { recipients: [DUE] }));
      }
      assert.ok(place.events.includes("spool.salvaged"));
      assert.ok(damaged.length > 0 && damaged.length < 6, `${damaged.length}`);
      assert.equal(await spool.count(), 10 - damaged.length);
      const names = readdirSync(join(place.directory, "corrupt"));
      for (const id of damaged) assert.ok(names.includes(`${id}.json`));
      const later = await spool.take(Date.now() + 1000, 100);
      assert.equal(later.length, 10 - damaged.length);
      for (const message of later) await assertBytes(message, BYTES);
    }));

  it("is not noticed, and harms nothing, while its message is delivered from memory", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      const message = await store(spool, BYTES, true);
      using database = databaseOf(place);
      database.exec("DELETE FROM bodies");
      await assertBytes(message, BYTES);
      await spool.settle(settled(message.envelope.id, "completed"));
      assert.ok(!place.events.includes("spool.corrupt"));
    }));
});

const DUE = { position: 0, state: "pending", attempts: 1, nextAttempt: 0 } as const;

describe("a body without octets in the database", () => {
  for (const size of [SMALL_MAX, SMALL_MAX + 1]) {
    it(`of ${size} octets ${size > SMALL_MAX ? "may be" : "is not"} in a file`, () =>
      inPlace(async (place) => {
        const spool = await place.open();
        const bytes = content(size);
        const { envelope } = await store(spool, bytes);
        await spool.close();
        using database = databaseOf(place);
        database.exec("DELETE FROM bodies");
        const again = await place.open();
        writeFileSync(join(place.directory, "bodies", envelope.id), bytes);
        const [message] = await again.take(Date.now() + 1000, 10);
        if (size > SMALL_MAX) await assertBytes(message, bytes);
        else assert.equal(message, undefined);
      }));
  }
});

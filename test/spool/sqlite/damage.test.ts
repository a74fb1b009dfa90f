// What a disk has changed behind our back: nothing of it is delivered as if it were whole, nothing of it stops the
// rest, nothing of it is thrown away.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { type StoredMessage } from "../../../src/spool/spool.ts";
import {
  alice,
  assertBytes,
  big,
  bytesOf,
  inPlace,
  overwritePages,
  type Place,
  settled,
  store,
} from "./place.ts";

const PAGE = 8192;
const COUNT = 60;

const file = ({ directory }: Place) => join(directory, "spool.sqlite");
const inCorrupt = ({ directory }: Place) => readdirSync(join(directory, "corrupt")).toSorted();

/** Messages of some pages each, in a spool that was closed in good order. */
async function filled(place: Place): Promise<Map<string, Buffer>> {
  const spool = await place.open();
  const stored = await Promise.all(
    Array.from({ length: COUNT }, (_, i) => store(spool, Buffer.alloc(20_000, `${i} `))),
  );
  const large = await store(spool, big);
  const contents = new Map<string, Buffer>();
  for (const message of [...stored, large])
    contents.set(message.envelope.id, await bytesOf(message));
  await spool.close();
  return contents;
}

/** Every message that the spool gives is one of `contents`, whole; the ids of those. */
async function taken(place: Place, contents: ReadonlyMap<string, Buffer>): Promise<string[]> {
  const spool = await place.open();
  const messages: StoredMessage[] = [];
  for (;;) {
    const some = await spool.take(Date.now() + 1000, 500);
    messages.push(...some);
    if (some.length === 0) break;
  }
  for (const message of messages) {
    await assertBytes(message, contents.get(message.envelope.id));
    assert.equal(message.recipients.length, 2);
  }
  const after = await store(spool, "mail goes on");
  assert.deepEqual(
    (await spool.take(Date.now() + 1000, 10)).map(({ envelope }) => envelope.id),
    [after.envelope.id],
  );
  return messages.map(({ envelope }) => envelope.id);
}

describe("a damaged database", () => {
  it("with its first page gone gives every message back", () =>
    inPlace(async (place) => {
      const contents = await filled(place);
      overwritePages(place, 0, 1);
      assert.deepEqual((await taken(place, contents)).toSorted(), [...contents.keys()].toSorted());
      assert.ok(place.events.includes("spool.salvaged"));
      const [kept] = inCorrupt(place);
      assert.ok(kept?.startsWith("spool-"));
      assert.ok(existsSync(join(place.directory, "corrupt", kept ?? "", "spool.sqlite")));
    }));

  for (let from = 1; from < 30; from += 4) {
    it(`with pages ${from} to ${from + 1} gone gives back what is left`, () =>
      inPlace(async (place) => {
        const contents = await filled(place);
        overwritePages(place, from, from + 2);
        const ids = await taken(place, contents);
        assert.equal(new Set(ids).size, ids.length);
        // A page of the tables themselves may cost all that stands on it; a page of bodies its own few messages.
        const [salvage] = place.log.named("spool.salvaged");
        const told = JSON.stringify([salvage, place.events]);
        if (from > 12) assert.ok(ids.length >= contents.size - 8, `${ids.length} ${told}`);
        if (ids.length < contents.size) assert.ok(place.events.length > 1, told);
      }));
  }

  for (const pages of [150, 20, 1, 0]) {
    it(`cut off behind page ${pages} gives back what is left, and mail goes on`, () =>
      inPlace(async (place) => {
        const contents = await filled(place);
        assert.ok(statSync(file(place)).size > 160 * PAGE);
        truncateSync(file(place), pages * PAGE);
        const ids = await taken(place, contents);
        assert.ok(ids.length < contents.size);
      }));
  }

  it("that is no database at all is set aside, with the bodies that nobody owns any more", () =>
    inPlace(async (place) => {
      const contents = await filled(place);
      const [large] = readdirSync(join(place.directory, "bodies"));
      writeFileSync(file(place), "I am not a database. ".repeat(10_000));
      assert.deepEqual(await taken(place, contents), []);
      const [kept] = inCorrupt(place);
      assert.ok(readdirSync(join(place.directory, "corrupt", kept ?? "")).includes(large ?? "?"));
    }));

  it("with more bodies than one transaction of a salvage takes gives every message back", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      const contents = new Map<string, Buffer>();
      for (let index = 0; index < 40; index++) {
        const bytes = Buffer.alloc(250_000, `${index} `);
        contents.set((await store(spool, bytes)).envelope.id, bytes);
      }
      await spool.close();
      overwritePages(place, 0, 1);
      assert.deepEqual((await taken(place, contents)).toSorted(), [...contents.keys()].toSorted());
      assert.ok(place.events.includes("spool.salvaged"));
    }));

  it("whose log is gone is used as it is", () =>
    inPlace(async (place) => {
      const contents = await filled(place);
      rmSync(`${file(place)}-wal`, { force: true });
      assert.equal((await taken(place, contents)).length, contents.size);
    }));

  it("that is gone, but not its log, is not taken for a new spool", () =>
    inPlace(async (place) => {
      await filled(place);
      rmSync(file(place));
      writeFileSync(`${file(place)}-wal`, "what the log held");
      await taken(place, new Map());
      const [kept] = inCorrupt(place);
      assert.deepEqual(place.log.named("spool.salvaged").length, 1);
      assert.ok(existsSync(join(place.directory, "corrupt", kept ?? "", "spool.sqlite-wal")));
    }));

  it("is replaced under a running relay, which hears of nothing but the event", () =>
    inPlace(async (place) => {
      const contents = await filled(place);
      const spool = await place.open();
      for (let page = 40; page < 120; page += 2) overwritePages(place, page, page + 1);
      const seen = new Set<string>();
      while ((await spool.nextDue()) !== undefined) {
        for (const message of await spool.take(Date.now() + 1000, 7)) {
          await assertBytes(message, contents.get(message.envelope.id));
          seen.add(message.envelope.id);
        }
      }
      assert.ok(place.events.includes("spool.salvaged"));
      const { envelope } = await store(spool, "still here");
      assert.equal((await spool.take(Date.now() + 1000, 7))[0]?.envelope.id, envelope.id);
      assert.ok(seen.size > 0 && seen.size < contents.size, `${seen.size}`);
    }));

  for (const moved of [["spool.sqlite-wal"], ["spool.sqlite-wal", "spool.sqlite"]]) {
    it(`whose salvage was cut short after ${moved.length} steps is salvaged at the next start`, () =>
      inPlace(async (place) => {
        const contents = await filled(place);
        mkdirSync(join(place.directory, "salvage"));
        for (const name of moved) {
          if (!existsSync(join(place.directory, name))) continue;
          renameSync(join(place.directory, name), join(place.directory, "salvage", name));
        }
        assert.equal((await taken(place, contents)).length, contents.size);
        assert.ok(!existsSync(join(place.directory, "salvage")));
      }));
  }
});

describe("a damaged message", () => {
  const damages = {
    "an envelope that is no JSON":
      "UPDATE messages SET envelope = substr(envelope, 3) WHERE id = ?",
    "another letter in its sender":
      "UPDATE messages SET envelope = replace(envelope, 'alice', 'malice') WHERE id = ?",
    "a recipient that is gone": "DELETE FROM recipients WHERE message = ? AND position = 1",
    "another letter in a recipient":
      "UPDATE recipients SET request = replace(request, 'b.test', 'c.test') WHERE message = ?",
    "clocks without a time":
      'UPDATE recipients SET clocks = \'{"copies":[],"mail":{}}\' WHERE message = ?',
    "a number that is too large":
      "UPDATE recipients SET attempts = 1152921504606846976 WHERE message = ?",
    "another one": "UPDATE messages SET warnings = -1152921504606846976 WHERE id = ?",
    "a body that is cut off": "UPDATE bodies SET bytes = substr(bytes, 1, 5) WHERE message = ?",
    "a body with other bytes":
      "UPDATE bodies SET bytes = zeroblob(length(bytes)) WHERE message = ?",
  };
  for (const [what, sql] of Object.entries(damages)) {
    it(`with ${what} is set aside, and the others go on`, () =>
      inPlace(async (place) => {
        const spool = await place.open();
        const damaged = await store(spool, "some words");
        const whole = await store(spool, "other words");
        await spool.close();
        const database = new DatabaseSync(file(place));
        database.prepare(sql).run(Number.parseInt(damaged.envelope.id, 36));
        database.close();
        const again = await place.open();
        const messages = await again.take(Date.now() + 1000, 10);
        assert.deepEqual(
          messages.map(({ envelope }) => envelope.id),
          [whole.envelope.id],
        );
        const { id } = damaged.envelope;
        assert.deepEqual(inCorrupt(place), [`${id}.body`, `${id}.json`]);
        assert.equal(await again.count(), 1);
      }));
  }

  for (const column of ["interruptions", "next_attempt", "scheduled_at"]) {
    for (const number of ["1152921504606846976", "-1152921504606846976"]) {
      it(`with the ${column} ${number} does not keep the spool from being opened, nor mail back`, () =>
        inPlace(async (place) => {
          const spool = await place.open();
          const isActive = column === "interruptions";
          await store(spool, "some words", isActive);
          const whole = await store(spool, "other words", isActive);
          await spool.close();
          const database = new DatabaseSync(file(place));
          database.exec(
            `UPDATE messages SET ${column} = ${number} WHERE id = (SELECT min(id) FROM messages)`,
          );
          database.close();
          const again = await place.open();
          const late = Date.now() + 86_400_000;
          const ids = (await again.take(late, 10)).map(({ envelope }) => envelope.id);
          assert.equal(ids.length, 2);
          assert.ok(ids.includes(whole.envelope.id));
          assert.equal(await again.nextDue(), undefined);
          await again.close();
        }));
    }
  }

  it("whose remains the disk does not take waits, and keeps nobody back", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      const damaged = await store(spool, "some words");
      const whole = await store(spool, "other words");
      const database = new DatabaseSync(file(place));
      database.exec("UPDATE messages SET envelope = 'x' WHERE id = (SELECT min(id) FROM messages)");
      database.close();
      // Where the directory should be, there is a file: no remains can be kept.
      writeFileSync(join(place.directory, "corrupt"), "");
      const ids = async () => (await spool.take(Date.now() + 1000, 10)).map((m) => m.envelope.id);
      assert.deepEqual(await ids(), [whole.envelope.id]);
      assert.ok(place.events.includes("spool.failed"));
      assert.equal(await spool.count(), 2, "nothing is thrown away");
      assert.deepEqual(await ids(), []);
      const due = (await spool.nextDue()) ?? 0;
      assert.ok(due > Date.now() + 60_000, "and it is not tried again at once");
      rmSync(join(place.directory, "corrupt"));
      assert.deepEqual(await spool.take(due, 10), []);
      assert.deepEqual(inCorrupt(place), [
        `${damaged.envelope.id}.body`,
        `${damaged.envelope.id}.json`,
      ]);
    }));

  it("with a damaged large body is set aside when its attempt is settled", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      const message = await store(spool, big, true);
      const { id } = message.envelope;
      writeFileSync(join(place.directory, "bodies", id), big.subarray(1));
      await assert.rejects(bytesOf(message), /damaged/);
      const change = { position: 0, state: "pending" as const, attempts: 1, nextAttempt: 0 };
      await spool.settle(settled(id, "queued", { recipients: [change] }));
      assert.deepEqual(inCorrupt(place), [`${id}.body`, `${id}.json`]);
      assert.equal(statSync(join(place.directory, "corrupt", `${id}.body`)).size, big.length - 1);
      assert.equal(await spool.count(), 0);
      assert.deepEqual(readdirSync(join(place.directory, "bodies")), []);
    }));

  it("that was delivered all the same is removed like any other", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      const message = await store(spool, big, true);
      rmSync(join(place.directory, "bodies", message.envelope.id));
      await assert.rejects(bytesOf(message), /missing/);
      await spool.settle(settled(message.envelope.id, "completed"));
      assert.equal(await spool.count(), 0);
      assert.ok(!place.events.includes("spool.corrupt"));
    }));
});

describe("bodies/", () => {
  it("keeps what is not ours", () =>
    inPlace(async (place) => {
      await (await place.open()).close();
      const strange = ["README", "lost+found", alice.address];
      for (const name of strange) writeFileSync(join(place.directory, "bodies", name), "");
      await (await place.open()).close();
      assert.deepEqual(readdirSync(join(place.directory, "bodies")).toSorted(), strange.toSorted());
    }));
});

describe("what is damaged beside the messages", () => {
  const HINT = {
    firstFailure: 1,
    nextTry: 2,
    savedAt: 1,
    status: { code: 451, enhanced: "4.3.0", text: "later" },
  };
  const damages = {
    "a time that is too large": "next_try = 1152921504606846976",
    "a reading of the clock before all time": "saved_at = -1",
    "a status that is no JSON": "status = '{'",
    "a status without a text": 'status = \'{"code":451,"enhanced":"4.3.0"}\'',
  };
  for (const [what, sql] of Object.entries(damages)) {
    it(`a hint with ${what} is forgotten, and the others are not`, () =>
      inPlace(async (place) => {
        const spool = await place.open();
        for (const key of ["mx.a.test", "mx.b.test"]) await spool.saveHint(key, HINT);
        await spool.close();
        const database = new DatabaseSync(file(place));
        database.exec(`UPDATE hints SET ${sql} WHERE key = 'mx.a.test'`);
        database.close();
        const again = await place.open();
        assert.deepEqual(Array.from(await again.hints()), [["mx.b.test", HINT]]);
      }));
  }

  it("a hold with a damaged time still holds", () =>
    inPlace(async (place) => {
      const spool = await place.open();
      await spool.hold("example.com");
      await spool.close();
      const database = new DatabaseSync(file(place));
      database.exec("UPDATE holds SET since = 1152921504606846976");
      database.close();
      const again = await place.open();
      assert.deepEqual(await again.holds(), ["example.com"]);
    }));
});

// Spools of older versions, as older programs have left them: what was done stays done, and what was ordered is ordered.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { crc32 } from "node:zlib";
import { openQueueFile } from "../../../src/spool/sqlite/queue-file.ts";
import { openSpool } from "../../../src/spool/sqlite/salvage.ts";
import { alice, inPlace } from "./place.ts";

const NOW = 1_790_000_000_000;
const LATER = NOW + 60_000;
const STATUS = '{"code":451,"enhanced":"4.3.0","text":"later"}';

/** The tables of version 4; those of version 3 had no column `clocks`. */
const TABLES = `
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('active', 'queued', 'frozen')),
  next_attempt INTEGER NOT NULL, received_at INTEGER NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL,
  warnings INTEGER NOT NULL DEFAULT 0, interruptions INTEGER NOT NULL DEFAULT 0,
  envelope TEXT NOT NULL, envelope_checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX due ON messages (next_attempt) WHERE state = 'queued';
CREATE TABLE bodies (message INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE recipients (
  message INTEGER NOT NULL, position INTEGER NOT NULL, request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'frozen')),
  attempts INTEGER NOT NULL, first_failure INTEGER, next_attempt INTEGER NOT NULL, last_status TEXT, waits_for TEXT,
  clocks TEXT, PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting ON recipients (waits_for) WHERE waits_for IS NOT NULL;
CREATE TABLE journal (
  message INTEGER NOT NULL, position INTEGER NOT NULL, address TEXT NOT NULL, router TEXT NOT NULL,
  transport TEXT NOT NULL, unseen INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('delivered', 'failed', 'frozen')), at INTEGER NOT NULL,
  PRIMARY KEY (message, position, address, router, transport)
) STRICT, WITHOUT ROWID;
CREATE TABLE hints (
  key TEXT PRIMARY KEY, first_failure INTEGER NOT NULL, next_try INTEGER NOT NULL, status TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE holds (domain TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;`;

const TEAM = { address: "Team@Example.com", localPart: "Team", domain: "example.com" };
const CLOCKS = {
  mail: { nextAttempt: LATER, waitsFor: "hold:example.com" },
  copies: [
    {
      address: "a@x.test",
      router: "copy",
      attempts: 1,
      firstFailure: 5,
      nextAttempt: NOW,
      lastStatus: JSON.parse(STATUS),
    },
  ],
};

/**
 * Message 1, to four: the first leads to two addresses, of which one is done, and to a copy that is; the second has had
 * its mail, and a copy waits; the third is on hold; the fourth is to be retried at once.
 */
function write(directory: string, version: 2 | 3 | 4): void {
  mkdirSync(join(directory, "bodies"), { recursive: true });
  const database = new DatabaseSync(join(directory, "spool.sqlite"));
  database.exec(
    "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL",
  );
  database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${version}; COMMIT`);
  if (version < 4) database.exec("ALTER TABLE recipients DROP COLUMN clocks");
  const client = { address: "192.0.2.1", helo: "client.test" };
  const sender = alice;
  const envelope = JSON.stringify({
    sender,
    client,
    receivedAt: NOW,
    eightBit: false,
    smtputf8: false,
  });
  const request = JSON.stringify({ mailbox: TEAM });
  const sum = [request, request, request, request].reduce(
    (so, one) => crc32(one, so),
    crc32(envelope),
  );
  database
    .prepare("INSERT INTO messages VALUES (1, 'queued', 0, ?, 1, ?, 2, 0, ?, ?)")
    .run(NOW, crc32("x"), envelope, sum);
  database.prepare("INSERT INTO bodies VALUES (1, ?)").run(Buffer.from("x"));
  const add = database.prepare(
    `INSERT INTO recipients (message, position, request, state, attempts, first_failure, next_attempt, last_status, waits_for)
     VALUES (1, ?, ?, 'pending', 2, 7, ?, ?, ?)`,
  );
  add.run(0, request, LATER, STATUS, "mx.two.test [192.0.2.2]");
  add.run(1, request, NOW, STATUS, null);
  add.run(2, request, LATER, STATUS, "hold:example.com");
  add.run(3, request, 0, STATUS, null);
  if (version === 4) {
    database
      .prepare("UPDATE recipients SET clocks = ? WHERE position = 2")
      .run(JSON.stringify(CLOCKS));
  }
  const note = database.prepare("INSERT INTO journal VALUES (1, ?, ?, ?, ?, ?, ?, ?)");
  note.run(0, "Bob@ONE.test", "world", "smtp", 0, "delivered", 10);
  note.run(0, "team@example.com", "copy", "file", 1, "delivered", 11);
  note.run(1, '"gone"@one.test', "", "", 0, "failed", 12);
  note.run(1, "", "", "", 0, "delivered", 13);
  note.run(2, '"Bob"@one.test', "world", "smtp", 0, "frozen", 14);
  database.prepare("INSERT INTO holds VALUES ('example.com', 3)").run();
  database.close();
}

const EXPECTED_JOURNAL = [
  ["Bob@one.test", "delivered", 0, undefined],
  ["team@example.com\ncopy\nfile", "delivered", 0, true],
  ["gone@one.test", "failed", 1, undefined],
];

function versionIn(directory: string): unknown {
  using database = new DatabaseSync(join(directory, "spool.sqlite"), { readOnly: true });
  return database.prepare("PRAGMA user_version").get()?.["user_version"];
}

for (const version of [2, 3, 4] as const) {
  describe(`a spool of version ${version}`, () => {
    it("is taken over with what was done and what was ordered", () =>
      inPlace(async ({ open, directory }) => {
        write(directory, version);
        const spool = await open();
        const [message] = await spool.take(NOW, 10);
        assert.ok(message);
        assert.equal(message.warnings, 2);
        assert.deepEqual(
          message.journal.map(({ target, outcome, position, unseen }) => [
            target,
            outcome,
            position,
            unseen,
          ]),
          EXPECTED_JOURNAL,
        );
        // Nobody noted it: an alias that leads to its own name too must keep its other members.
        const mail = message.journal.filter(({ unseen }) => unseen !== true);
        assert.ok(mail.every(({ homonym }) => homonym === true));
        const [first, second, third, fourth] = message.recipients;
        assert.deepEqual(
          [first?.waitsFor, first?.heldDomain, first?.mailDone],
          [{ key: "mx.two.test [192.0.2.2]", host: "mx.two.test" }, undefined, undefined],
        );
        assert.deepEqual(
          [second?.mailDone, second?.forced, second?.nextAttempt],
          [true, undefined, NOW],
        );
        assert.deepEqual([third?.waitsFor, third?.heldDomain], [undefined, "example.com"]);
        const waits = { nextAttempt: LATER, heldDomain: "example.com" };
        assert.deepEqual(third?.clocks, version < 4 ? undefined : { ...CLOCKS, mail: waits });
        assert.deepEqual([fourth?.forced, fourth?.nextAttempt], [true, NOW]);
        assert.deepEqual([first?.attempts, first?.firstFailure], [2, 7]);
        assert.deepEqual((await spool.listed()).entries, []);
        await spool.close();
        assert.equal(versionIn(directory), 9);
        const again = await open();
        assert.equal(
          (await again.take(Date.now(), 10))[0]?.journal.length,
          EXPECTED_JOURNAL.length,
        );
        await again.close();
      }));

    it("releases what it held back", () =>
      inPlace(async ({ open, directory }) => {
        write(directory, version);
        const spool = await open();
        assert.deepEqual(await spool.holds(), ["example.com"]);
        assert.equal(await spool.release("example.com", 10), 1);
        const [message] = await spool.take(Date.now(), 10);
        assert.equal(message?.recipients[2]?.heldDomain, undefined);
        await spool.close();
      }));

    it("can be read without being changed, as relayctl does", () =>
      inPlace(async ({ directory }) => {
        write(directory, version);
        await using file = openQueueFile(directory);
        const [message] = (await Array.fromAsync(file?.messages({}, assert.fail) ?? [])).flat();
        assert.equal(message?.journal.length, EXPECTED_JOURNAL.length);
        assert.deepEqual(
          message.recipients.map(({ forced, mailDone, heldDomain }) => [
            forced,
            mailDone,
            heldDomain,
          ]),
          [
            [undefined, undefined, undefined],
            [undefined, true, undefined],
            [undefined, undefined, "example.com"],
            [true, undefined, undefined],
          ],
        );
        assert.deepEqual(await file?.holds(), [{ domain: "example.com", since: 3, messages: 1 }]);
        assert.equal(versionIn(directory), version);
      }));

    it("is salvaged when it is damaged, and what was done stays done", () =>
      inPlace(async ({ open, directory }) => {
        write(directory, version);
        mkdirSync(join(directory, "salvage"));
        openSpool(directory, () => undefined).close();
        const spool = await open();
        const [message] = await spool.take(NOW, 10);
        assert.equal(message?.journal.length, EXPECTED_JOURNAL.length);
        assert.equal(message.recipients[1]?.mailDone, true);
        await spool.close();
      }));
  });
}

it("tables lie in the same places in a new spool and in one that was taken over", () =>
  inPlace(async ({ open, directory }) => {
    const old = join(directory, "old");
    mkdirSync(old);
    write(old, 4);
    openSpool(old, () => undefined).close();
    await (await open()).close();
    assert.deepEqual(placesIn(directory), placesIn(old));
  }));

function placesIn(where: string) {
  using database = new DatabaseSync(join(where, "spool.sqlite"), { readOnly: true });
  return database.prepare("SELECT name, rootpage FROM sqlite_schema ORDER BY name").all();
}

/** Two recipients, frozen; what the journal has of them. */
async function frozenWhys(
  sender: typeof alice | null,
  entries: readonly (readonly [position: number, unseen: 0 | 1])[],
): Promise<unknown> {
  let whys: unknown;
  await inPlace(async ({ open, directory }) => {
    write(directory, 4);
    const database = new DatabaseSync(join(directory, "spool.sqlite"));
    const row = database.prepare("SELECT envelope FROM messages").get();
    const envelope = JSON.stringify({ ...JSON.parse(String(row?.["envelope"])), sender });
    const request = JSON.stringify({ mailbox: TEAM });
    const sum = crc32(request, crc32(request, crc32(envelope)));
    database
      .prepare("UPDATE messages SET state = 'frozen', envelope = ?, envelope_checksum = ?")
      .run(envelope, sum);
    database.exec("DELETE FROM recipients WHERE position > 1; DELETE FROM journal");
    database.exec("UPDATE recipients SET state = 'frozen', clocks = NULL, waits_for = NULL");
    const note = database.prepare("INSERT INTO journal VALUES (1, ?, ?, 'r', 't', ?, ?, 10)");
    for (const [position, unseen] of entries) {
      note.run(position, `a${position}${unseen}@x.test`, unseen, "frozen");
    }
    database.close();
    const spool = await open();
    const { messages } = await spool.claim(["0000000001"]);
    whys = messages[0]?.recipients.map(({ frozenWhy }) => frozenWhy);
    await spool.close();
  });
  return whys;
}

describe("what is frozen in a spool of version 4", () => {
  it("because nobody could be told is known as that, and nothing else is", async () => {
    const both = [
      [0, 0],
      [1, 0],
    ] as const;
    const untold = ["nobody-to-tell", "nobody-to-tell"];
    assert.deepEqual(await frozenWhys(null, both), untold);
    assert.deepEqual(await frozenWhys(alice, both), [undefined, undefined]);
    // A copy beside it; and what the postmaster has frozen, of which the journal says nothing.
    const beside = [
      [0, 0],
      [0, 1],
    ] as const;
    assert.deepEqual(await frozenWhys(null, beside), [undefined, undefined]);
    assert.deepEqual(await frozenWhys(null, [[1, 0]]), [undefined, "nobody-to-tell"]);
  });
});

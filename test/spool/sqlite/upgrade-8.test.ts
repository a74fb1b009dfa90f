// Spools of versions 5 to 7, as older programs have left them: what a recipient waits for is known by its name, and a
// copy that may have been made is looked for.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { crc32 } from "node:zlib";
import type { StoredRecipient } from "../../../src/spool/spool.ts";
import { openQueueFile } from "../../../src/spool/sqlite/queue-file.ts";
import { openSpool } from "../../../src/spool/sqlite/salvage.ts";
import { alice, inPlace } from "./place.ts";

const NOW = 1_790_000_000_000;

/** The tables of version 7. */
const TABLES = `
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('active', 'queued', 'frozen')),
  next_attempt INTEGER NOT NULL, received_at INTEGER NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL,
  warnings INTEGER NOT NULL DEFAULT 0, interruptions INTEGER NOT NULL DEFAULT 0,
  envelope TEXT NOT NULL, envelope_checksum INTEGER NOT NULL, frozen_for INTEGER NOT NULL DEFAULT 0,
  vouched INTEGER, vouch_tries INTEGER NOT NULL DEFAULT 0, scheduled_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX due ON messages (next_attempt) WHERE state = 'queued';
CREATE INDEX frozen ON messages (frozen_for) WHERE state = 'frozen';
CREATE TABLE bodies (message INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE recipients (
  message INTEGER NOT NULL, position INTEGER NOT NULL, request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'frozen')),
  attempts INTEGER NOT NULL, first_failure INTEGER, next_attempt INTEGER NOT NULL, last_status TEXT, waits_for TEXT,
  clocks TEXT, held_domain TEXT, forced INTEGER NOT NULL DEFAULT 0, mail_done INTEGER NOT NULL DEFAULT 0,
  frozen_why TEXT, waits_because TEXT, PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting ON recipients (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX held ON recipients (held_domain) WHERE held_domain IS NOT NULL;
CREATE TABLE journal (
  message INTEGER NOT NULL, unseen INTEGER NOT NULL, target TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('delivered', 'failed', 'frozen')), at INTEGER NOT NULL,
  position INTEGER NOT NULL, address TEXT NOT NULL, router TEXT NOT NULL, transport TEXT NOT NULL,
  homonym INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (message, unseen, target)
) STRICT, WITHOUT ROWID;
CREATE TABLE hints (
  key TEXT PRIMARY KEY, first_failure INTEGER NOT NULL, next_try INTEGER NOT NULL, status TEXT NOT NULL,
  saved_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE holds (domain TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE listed (number INTEGER PRIMARY KEY, why TEXT NOT NULL, at INTEGER NOT NULL, entry TEXT NOT NULL) STRICT;
CREATE TABLE listed_more (why TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;`;

/** What the versions before did not have yet. */
const MISSING: Readonly<Record<5 | 6 | 7, string>> = {
  7: "",
  6: "ALTER TABLE journal DROP COLUMN homonym;",
  5: `ALTER TABLE journal DROP COLUMN homonym; ALTER TABLE recipients DROP COLUMN waits_because;
      ALTER TABLE messages DROP COLUMN scheduled_at; ALTER TABLE hints DROP COLUMN saved_at;`,
};

const LATER = { code: 451, enhanced: "4.3.0", text: "later" };
const SILENT = {
  code: 451,
  enhanced: "4.3.0",
  text: "The file system of the mailbox does not answer",
};
const COPY = {
  address: "alice@example.com",
  router: "copy",
  attempts: 1,
  firstFailure: 5,
  nextAttempt: NOW,
};
const CLOCKS = {
  mail: { nextAttempt: NOW, waitsFor: "mx.four.test [192.0.2.4]:587, TLS as bob@example.com" },
  copies: [{ ...COPY, lastStatus: SILENT, waitsFor: "maildir /var/mail/alice" }],
};

type Given = readonly [waitsFor: string | null, status: object, clocks?: string];

const GIVEN: readonly Given[] = [
  ["mx.one.test [2001:db8::1]", LATER],
  ["bob@example.com", SILENT],
  ["/run/lmtp.sock", { ...SILENT, remote: true }],
  ["mx.four.test [192.0.2.4]:587, TLS as bob@example.com", LATER, JSON.stringify(CLOCKS)],
  [null, LATER, '{"mail":{"waitsFor":"mx'],
];

const FOUR = { key: "mx.four.test [192.0.2.4]:587, TLS as bob@example.com", host: "mx.four.test" };
const EXPECTED: readonly Partial<StoredRecipient>[] = [
  { waitsFor: { key: "mx.one.test [2001:db8::1]", host: "mx.one.test" }, lastStatus: LATER },
  { waitsFor: { key: "bob@example.com" }, lastStatus: { ...SILENT, unsure: true } },
  {
    waitsFor: { key: "/run/lmtp.sock", host: "/run/lmtp.sock" },
    lastStatus: { ...SILENT, remote: true },
  },
  {
    waitsFor: FOUR,
    lastStatus: LATER,
    clocks: {
      mail: { nextAttempt: NOW, waitsFor: FOUR },
      copies: [
        {
          ...COPY,
          lastStatus: { ...SILENT, unsure: true },
          waitsFor: { key: "maildir /var/mail/alice", host: "maildir" },
        },
      ],
    },
  },
];

/** One message, to those of `GIVEN`. */
function write(directory: string, version: 5 | 6 | 7, given = GIVEN.slice(0, 4)): void {
  mkdirSync(join(directory, "bodies"), { recursive: true });
  using database = new DatabaseSync(join(directory, "spool.sqlite"));
  database.exec(
    "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL",
  );
  database.exec(`BEGIN; ${TABLES} ${MISSING[version]} PRAGMA user_version = ${version}; COMMIT`);
  const client = { address: "192.0.2.1", helo: "client.test" };
  const envelope = JSON.stringify({ sender: alice, client, receivedAt: NOW });
  const request = JSON.stringify({ mailbox: alice });
  const sum = given.reduce((so) => crc32(request, so), crc32(envelope));
  database
    .prepare(
      `INSERT INTO messages (id, state, next_attempt, received_at, size, checksum, envelope, envelope_checksum)
       VALUES (1, 'queued', ?, ?, 1, ?, ?, ?)`,
    )
    .run(NOW, NOW, crc32("x"), envelope, sum);
  database.prepare("INSERT INTO bodies VALUES (1, ?)").run(Buffer.from("x"));
  const add = database.prepare(
    `INSERT INTO recipients
       (message, position, request, state, attempts, next_attempt, last_status, waits_for, clocks)
     VALUES (1, ?, ?, 'pending', 1, ?, ?, ?, ?)`,
  );
  for (const [position, [waitsFor, status, clocks = null]] of given.entries())
    add.run(position, request, NOW, JSON.stringify(status), waitsFor, clocks);
}

function waits(recipients: readonly StoredRecipient[] = []): readonly Partial<StoredRecipient>[] {
  return recipients.map(({ waitsFor, lastStatus, clocks }) => ({
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(lastStatus === undefined ? {} : { lastStatus }),
    ...(clocks === undefined ? {} : { clocks }),
  }));
}

for (const version of [5, 6, 7] as const) {
  describe(`a spool of version ${version}`, () => {
    it("is taken over with what its recipients wait for", () =>
      inPlace(async ({ open, directory }) => {
        write(directory, version);
        const spool = await open();
        const [message] = await spool.take(NOW, 10);
        assert.deepEqual(waits(message?.recipients), EXPECTED);
        await spool.close();
        // And nothing of it changes when it is opened again.
        const again = await open();
        const [later] = await again.take(Date.now(), 10);
        assert.deepEqual(waits(later?.recipients), EXPECTED);
        await again.close();
      }));

    it("wakes who waits, by the same key", () =>
      inPlace(async ({ open, directory }) => {
        write(directory, version);
        const spool = await open();
        assert.equal(await spool.wake("mx.one.test [2001:db8::1]", 10), 1);
        const [message] = await spool.take(NOW, 10);
        assert.equal(message?.recipients[0]?.waitsFor, undefined);
        assert.deepEqual(message?.recipients[3]?.waitsFor, FOUR);
        await spool.close();
      }));

    it("can be read without being changed, as relayctl does", () =>
      inPlace(async ({ directory }) => {
        write(directory, version);
        await using file = openQueueFile(directory);
        const [message] = (await Array.fromAsync(file?.messages({}, assert.fail) ?? [])).flat();
        assert.deepEqual(waits(message?.recipients), EXPECTED);
      }));

    it("is salvaged when it is damaged, with what its recipients wait for", () =>
      inPlace(async ({ open, directory }) => {
        write(directory, version);
        mkdirSync(join(directory, "salvage"));
        openSpool(directory, () => undefined).close();
        const spool = await open();
        const [message] = await spool.take(NOW, 10);
        assert.deepEqual(waits(message?.recipients), EXPECTED);
        await spool.close();
      }));

    it("is taken over although some clocks of it are damaged", () =>
      inPlace(async ({ open, directory }) => {
        write(directory, version, GIVEN.slice(4));
        const spool = await open();
        assert.deepEqual(await spool.take(NOW, 10), []);
        await spool.close();
      }));
  });
}

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { IndexReader } from "../../../../src/parts/archive/index/index-reader.ts";
import { IndexWriter } from "../../../../src/parts/archive/index/index-writer.ts";
import type { NewMessage } from "../../../../src/parts/archive/index/new-message.ts";
import { NewerIndex } from "../../../../src/parts/archive/index/schema.ts";
import { DELIVERED_AT, idAt, idsIn } from "../../../../src/parts/archive/model/ids.ts";
import { newMessage, NOON } from "./archived.ts";

const root = mkdtempSync(join(tmpdir(), "unseen-index-"));
after(() => rmSync(root, { recursive: true }));
let files = 0;

function opened(): { writer: IndexWriter; reader: IndexReader; file: string } {
  files += 1;
  const file = join(root, `index-${files}.sqlite`);
  const writer = new IndexWriter(file);
  return { writer, reader: new IndexReader(file), file };
}

function found(reader: IndexReader, match: string): number[] {
  return reader
    .all("SELECT number FROM shelves")
    .flatMap(({ number }) =>
      reader
        .all(`SELECT rowid FROM text_${String(number)} WHERE text_${String(number)} MATCH ?`, match)
        .map((row) => Number(row["rowid"])),
    )
    .toSorted((a, b) => a - b);
}

const idsOf = (reader: IndexReader) => reader.oldestFirst(0, 100_000).map(({ id }) => id);

describe("rows of the index", () => {
  test("a message comes back as it went in", () => {
    const { writer, reader } = opened();
    const extract = {
      contentSha256: "ab".repeat(32),
      date: -1,
      from: "Ärger <a@b>",
      to: "x@y, z@w",
      subject: "Grüße 日本語",
      messageId: "m@x",
      attachments: ["a.pdf", "日本.txt"],
      isParsed: false,
      size: 5_000_000_000,
    };
    const message = newMessage("1.M2P3.host,S=5", {
      account: "a.b@example.org",
      directory: ".Archive.2026",
      part: "cur",
      suffix: ":2,RS",
      deliveredAt: NOON + 77,
      extract,
    });
    assert.equal(writer.commit({ messages: [message] }, NOON).length, 1);
    const [read] = reader.oldestFirst(0, 10);
    assert.ok(read);
    const { id, ...rest } = read;
    assert.ok(Number.isSafeInteger(id));
    const {
      sha256,
      body: _,
      attachmentTexts: __,
      hasAttachment: ___,
      deliveryDate: ____,
      ...fields
    } = message.extract;
    assert.deepEqual(rest, {
      ...fields,
      account: "a.b@example.org",
      folder: "Archive/2026",
      name: "1.M2P3.host,S=5",
      deliveredAt: NOON + 77,
      sha256,
    });
    assert.deepEqual(reader.message(id), read);
    assert.deepEqual(reader.fileOf(id), {
      account: "a.b@example.org",
      directory: ".Archive.2026",
      file: { part: "cur", name: "1.M2P3.host,S=5", suffix: ":2,RS" },
    });
    const { contents, last } = reader.contents("a.b@example.org", undefined, 9);
    const file = { directory: ".Archive.2026", name: "1.M2P3.host,S=5" };
    assert.deepEqual(contents, [{ ...file, contentSha256: "ab".repeat(32) }]);
    assert.deepEqual(reader.contents("a.b@example.org", last, 9).contents, []);
    assert.deepEqual(reader.contents("c@example.org", undefined, 9).contents, []);
  });

  test("long fields are cut, and their words are found all the same", () => {
    const { writer, reader } = opened();
    const to = `${"someone@example.net, ".repeat(1000)}last@example.net`;
    const attachments = Array.from({ length: 1000 }, (_, n) => `file${n}.pdf`);
    writer.commit({ messages: [newMessage("a", { extract: { to, attachments } })] }, NOON);
    const [read] = reader.oldestFirst(0, 1);
    assert.ok(read && read.to.length <= 400 && read.attachments.length < 200);
    assert.equal(found(reader, '"to" : last').length, 1);
    assert.equal(found(reader, "filename : file999").length, 1);
  });

  test("a file that is found again gets no second row, but its place is noted", () => {
    const { writer, reader } = opened();
    const first = newMessage("a");
    writer.commit({ messages: [first, first] }, NOON);
    const moved = { ...first, part: "cur", suffix: ":2,S" } as const;
    assert.equal(writer.commit({ messages: [moved] }, NOON).length, 0);
    const [id = 0, ...others] = idsOf(reader);
    assert.deepEqual(others, []);
    assert.deepEqual(reader.fileOf(id)?.file, { part: "cur", name: "a", suffix: ":2,S" });
    assert.equal(reader.totals().messages, 1);
  });

  test("the same name in two folders, and in two accounts, is two messages", () => {
    const { writer, reader } = opened();
    const messages = [
      newMessage("a"),
      newMessage("a", { directory: ".Sent" }),
      newMessage("a", { account: "bob@example.com" }),
    ];
    assert.equal(writer.commit({ messages }, NOON).length, 3);
    assert.deepEqual(
      reader.oldestFirst(0, 9).map(({ account, folder }) => `${account} ${folder}`),
      ["ann@example.com INBOX", "ann@example.com Sent", "bob@example.com INBOX"],
    );
  });

  test("a removed message leaves nothing behind", () => {
    const { writer, reader } = opened();
    const messages = ["a", "b", "c"].map((name) => newMessage(name));
    writer.commit({ messages }, NOON);
    const [, second = 0] = idsOf(reader);
    assert.equal(writer.remove([second, second, 17]), 1);
    assert.equal(reader.message(second), undefined);
    assert.equal(reader.known("ann@example.com", "", "b"), undefined);
    assert.deepEqual(found(reader, "body"), idsOf(reader));
    const { messages: count, bytes } = reader.totals();
    assert.deepEqual([count, bytes], [2, 2 * "body of a".length]);
    assert.equal(writer.commit({ messages }, NOON).length, 1);
  });
});

function order(times: readonly number[], batch: number): number[] {
  const { writer, reader } = opened();
  const messages = times.map((deliveredAt, at) => newMessage(`m${at}`, { deliveredAt }));
  for (let at = 0; at < messages.length; at += batch) {
    writer.commit({ messages: messages.slice(at, at + batch) }, NOON);
  }
  return reader.oldestFirst(0, times.length + 1).map(({ deliveredAt }) => deliveredAt);
}

describe("ids rise with the time of delivery", () => {
  const day = 86_400_000;

  test("whatever the order in which they come", () => {
    const times = [5, 3, 9, 1, 7, 2].map((days) => NOON + days * day);
    const sorted = times.toSorted((a, b) => a - b);
    for (const batch of [1, 2, 6]) assert.deepEqual(order(times, batch), sorted);
  });

  test("thousands with one time get an id each, and later mail stays behind them", () => {
    const times: number[] = Array.from({ length: 3000 }, () => NOON);
    assert.deepEqual(order([...times, NOON + 1], 100), [...times, NOON + 1]);
  });

  test("before 1970 and after 9999", () => {
    const times = [-5 * day, 0, NOON, 9e15];
    assert.deepEqual(order(times, 4), times);
  });

  test("the most that an id was moved forward is on record", () => {
    const { writer, reader } = opened();
    const messages: NewMessage[] = [0, 1, 2, 3].map((n) => newMessage(`m${n}`));
    writer.commit({ messages }, NOON);
    const row = reader.get("SELECT value FROM meta WHERE name = 'most_shift'");
    assert.equal(row?.["value"], 3 * 125);
    const [last] = reader.oldestFirst(3, 9).slice(-1);
    assert.equal(last?.id, idAt(NOON) + idsIn(3 * 125));
    const times = reader.all(`SELECT ${DELIVERED_AT} AS at FROM messages m`);
    assert.deepEqual(
      times.map((time) => time["at"]),
      [NOON, NOON, NOON, NOON],
    );
  });
});

test("totals: accounts with mail, messages, octets, first and last delivery", () => {
  const { writer, reader } = opened();
  const none = { accounts: 0, messages: 0, bytes: 0, oldest: undefined, newest: undefined };
  assert.deepEqual(reader.totals(), none);
  const messages = [
    newMessage("a", { deliveredAt: NOON + 5 }),
    newMessage("b", { deliveredAt: NOON - 5, account: "bob@example.com" }),
  ];
  writer.commit({ messages }, NOON);
  assert.deepEqual(reader.totals(), {
    accounts: 2,
    messages: 2,
    bytes: 18,
    oldest: NOON - 5,
    newest: NOON + 5,
  });
});

test("files that were found wait by their time, and longer after each failure", () => {
  const { writer, reader } = opened();
  const file = {
    account: "ann@example.com",
    directory: ".Sent",
    part: "new",
    suffix: "",
    size: 9,
  } as const;
  const [old, young] = [
    { ...file, name: "old", delivered: NOON },
    { ...file, name: "young", part: "cur", suffix: ":2,", delivered: NOON + 1 } as const,
  ];
  writer.commit({ found: [young, old] }, NOON);
  writer.commit({ found: [young] }, NOON);
  assert.deepEqual(writer.pending(9, NOON), [old, young]);
  writer.commit({ failed: [old] }, NOON);
  assert.deepEqual(writer.pending(9, NOON), [young]);
  assert.deepEqual(writer.pending(9, NOON + 10_000), [old, young]);
  writer.commit({ done: [young] }, NOON);
  assert.ok(reader.hasPending);
  for (let hours = 0; hours < 30; hours++) writer.commit({ failed: [old] }, NOON);
  assert.deepEqual(writer.pending(9, NOON + 3_599_999), []);
  assert.deepEqual(writer.pending(9, NOON + 3_600_000), [old]);
  assert.equal(reader.hasPending, false, "a file that stays unreadable is no reason to wait");
});

test("a shelf is merged in steps, and what was found before is found after", () => {
  const { writer, reader } = opened();
  for (let n = 0; n < 40; n++) writer.commit({ messages: [newMessage(`m${n}`)] }, NOON);
  writer.remove(idsOf(reader).slice(0, 10));
  const before = found(reader, "body");
  while (writer.tidy(true));
  assert.deepEqual(found(reader, "body"), before);
  assert.equal(before.length, 30);
  assert.deepEqual(found(reader, "m3"), []);
  const segments = reader.all("SELECT DISTINCT segid FROM text_1_idx");
  assert.equal(segments.length, 1);
  assert.equal(writer.tidy(true), false);
});

test("the write-ahead log is empty when the writer rests", () => {
  const { writer, file } = opened();
  writer.commit({ messages: [newMessage("a")] }, NOON);
  writer.emptyLog();
  assert.equal(statSync(`${file}-wal`).size, 0);
});

test("an index of a newer program is refused, for reading and for writing", () => {
  const { writer, reader, file } = opened();
  writer.close();
  reader.close();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA user_version = 99");
  database.close();
  assert.throws(() => new IndexWriter(file), NewerIndex);
  assert.throws(() => new IndexReader(file), NewerIndex);
});

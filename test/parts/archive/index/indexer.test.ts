import assert from "node:assert/strict";
import { readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Maildirs } from "./maildirs.ts";

const never = new AbortController().signal;

/** Resolves when `isTrue` is. The indexer works in turns of the event loop. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => void setTimeout(resolve, 5));
}

describe("new copies that the relay tells", () => {
  test("are in the index without a walk, and noted as the relay's", async () => {
    await using mail = new Maildirs();
    const paths = [
      mail.write("example.com/ann/new/1.a", "one", 1000),
      mail.write("example.com/ann/.Sent/new/2.a", "two", 2000),
    ];
    mail.indexer.arrived([...paths, ...paths]);
    await until(async () => (await mail.index.totals()).messages === 2);
    mail.indexer.arrived(paths);
    await mail.indexer.catchUp();
    assert.deepEqual(
      mail.lines.map((line) => line.word === "file" && line.origin),
      ["relay", "relay"],
    );
    assert.equal((await mail.index.totals()).messages, 2);
  });

  test("that are no files of the archive are passed over", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a");
    const paths = [
      mail.write("../elsewhere/ann/new/1.a"),
      mail.write("example.com/ann/tmp/1.a"),
      mail.write("example.com/ann/new/deep/1.a"),
      mail.write("example.com/ann/sub/new/1.a"),
      mail.write("example.com/.ann/new/1.a"),
      join(mail.root, "example.com/ann/new/missing"),
      join(mail.root, "example.com/../example.com/ann/new/1.a"),
      `${mail.root}/example.com/ann/..x/../new/1.a`,
      mail.root,
      "",
    ];
    mail.indexer.arrived([...paths, join(mail.root, "example.com/ann/new/1.a")]);
    await until(async () => (await mail.index.totals()).messages === 1);
    assert.equal(mail.read.length, 1);
  });

  test("go before the files of a walk", async () => {
    await using mail = new Maildirs();
    for (let n = 0; n < 300; n++) mail.write(`example.com/ann/new/${n}.a`, "old", n);
    const path = mail.write("example.com/bob/new/1.b");
    mail.onRead = () => {
      if (mail.read.length === 1) mail.indexer.arrived([path]);
    };
    await mail.indexer.catchUp();
    const others = mail.read.indexOf(path);
    assert.ok(others > 0 && others <= 64, `it waits for one batch, and not for ${others} files`);
  });

  test("count by the earlier of the file's time and the Delivery-date line", async () => {
    await using mail = new Maildirs();
    const second = Date.UTC(2026, 0, 1, 12);
    const times: [mtime: number, line: number | undefined, expected: number][] = [
      [second, undefined, second],
      [second + 86_400_000, second, second],
      [second + 2500, second, second],
      [second + 500, second, second + 500],
      [second - 5000, second, second - 5000],
    ];
    const expected = times.map((time) => time[2]);
    for (const [at, [mtime, line]] of times.entries()) {
      const path = mail.write(`example.com/ann/new/${at}.a`, `${at}`, mtime);
      if (line !== undefined) mail.deliveryDates.set(path, line);
    }
    await mail.indexer.catchUp();
    const messages = await mail.index.oldestFirst(0, 9);
    const byName = messages.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(
      byName.map(({ deliveredAt }) => deliveredAt),
      expected,
    );
  });
});

describe("faults", () => {
  test("a file that cannot be read waits, and the others go on", async () => {
    await using mail = new Maildirs();
    const bad = mail.write("example.com/ann/new/1.a");
    mail.write("example.com/ann/new/2.a");
    mail.unreadable.add(bad);
    await mail.indexer.catchUp();
    assert.deepEqual(await mail.messages(), ["ann@example.com INBOX new/2.a"]);
    assert.equal(mail.indexer.isBehind, true);
    await mail.indexer.catchUp();
    assert.equal(mail.read.length, 2, "not again at once");
    mail.unreadable.clear();
    mail.clock.advance(60_000);
    await mail.indexer.catchUp();
    assert.equal((await mail.messages()).length, 2);
    assert.equal(mail.indexer.isBehind, false);
  });

  test("without a manifest nothing gets into the index, and it tries again after a minute", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a");
    mail.manifestError = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    await assert.rejects(mail.indexer.catchUp());
    const read = mail.read.length;
    for (let n = 0; n < 5; n++) await assert.rejects(mail.indexer.catchUp());
    assert.equal(mail.read.length, read, "no hot loop");
    assert.deepEqual(
      mail.events.map(({ name }) => name),
      ["archive.paused"],
    );
    assert.equal((await mail.index.totals()).messages, 0);
    assert.equal(mail.indexer.isBehind, true);
    assert.equal(mail.indexer.pause, "Error: no space left");
    mail.manifestError = undefined;
    mail.clock.advance(60_000);
    await mail.indexer.catchUp();
    assert.equal((await mail.messages()).length, 1);
    assert.equal(mail.indexer.isBehind, false);
    assert.equal(mail.indexer.pause, undefined);
  });

  test("what was found before a kill is indexed after it, without a listing", async () => {
    await using mail = new Maildirs();
    const paths = [1, 2, 3].map((n) => mail.write(`example.com/ann/new/${n}.a`, "text", n));
    for (const path of paths) mail.unreadable.add(path);
    await mail.indexer.catchUp();
    await mail.restart();
    mail.unreadable.clear();
    mail.clock.advance(60_000);
    await mail.indexer.catchUp();
    assert.equal((await mail.messages()).length, 3);
  });

  test("a damaged index says so, and is made again", async () => {
    await using mail = new Maildirs();
    for (let n = 0; n < 50; n++) mail.write(`example.com/ann/new/${n}.a`);
    await mail.indexer.catchUp();
    const { file } = mail.index.open;
    await mail.close();
    truncateSync(file, 3 * 4096);
    mail.reopen();
    await assert.rejects(mail.index.oldestFirst(0, 99), /reindex/);
    assert.equal(mail.indexer.isBehind, true);
    await mail.indexer.reindex(never, () => undefined);
    assert.equal((await mail.messages()).length, 50);
    assert.equal(mail.indexer.isBehind, false);
    writeFileSync(mail.index.open.file, "no database");
  });
});

test("the words of removed messages leave the index within an hour, also where they are few", async () => {
  await using mail = new Maildirs();
  for (let n = 0; n < 50; n++) mail.write(`example.com/ann/new/${n}.a`);
  await mail.indexer.catchUp();
  const [first] = await mail.index.oldestFirst(0, 1);
  assert.equal(await mail.index.remove([first?.id ?? 0]), 1);
  const removed = () => mail.index.open.reader.get("SELECT sum(removed) AS n FROM shelves")?.["n"];
  await mail.indexer.catchUp();
  assert.equal(removed(), 1);
  mail.clock.advance(3_600_000);
  await mail.indexer.catchUp();
  assert.equal(removed(), 0);
});

describe("reindex", () => {
  test("makes a whole index beside the one that serves, without new lines in the manifest", async () => {
    await using mail = new Maildirs();
    for (let n = 0; n < 200; n++) mail.write(`example.com/ann/new/${n}.a`, `text ${n}`, n * 1000);
    await mail.indexer.catchUp();
    const before = await mail.index.oldestFirst(0, 999);
    mail.write("example.com/ann/new/5.a", "changed behind our back", 5000);
    const late = mail.write("example.com/bob/new/late.a", "late");
    const counts: number[] = [];
    const served: number[] = [];
    await mail.indexer.reindex(never, (messages) => {
      if (counts.length === 0) mail.indexer.arrived([late]);
      counts.push(messages);
      served.push(mail.index.open.reader.totals().messages);
    });
    assert.ok(served.every((messages) => messages >= 200));
    const after = await mail.index.oldestFirst(0, 999);
    assert.deepEqual(
      after.slice(0, 200).map(({ id }) => id),
      before.map(({ id }) => id),
    );
    assert.equal(after.length, 201);
    assert.notEqual(after[5]?.sha256, before[5]?.sha256);
    const places = mail.lines.map((line) => line.word === "file" && line.place);
    assert.equal(new Set(places).size, 201);
    assert.ok(places.length <= 202, "only the late file may have two lines");
    assert.deepEqual(
      readdirSync(mail.state).filter((name) => name.endsWith(".sqlite")),
      ["index-2.sqlite"],
    );
    await mail.restart();
    assert.equal((await mail.index.totals()).messages, 201);
  });

  test("that is interrupted leaves the old index, and nothing else", async () => {
    await using mail = new Maildirs();
    for (let n = 0; n < 200; n++) mail.write(`example.com/ann/new/${n}.a`);
    await mail.indexer.catchUp();
    const abort = new AbortController();
    await assert.rejects(mail.indexer.reindex(abort.signal, () => abort.abort()));
    assert.equal((await mail.index.totals()).messages, 200);
    await mail.restart();
    assert.equal((await mail.index.totals()).messages, 200);
    assert.deepEqual(
      readdirSync(mail.state).filter((name) => name.includes("building")),
      [],
    );
  });

  test("of one account reads its messages again, in their places", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a", "one", 1000);
    mail.write("example.com/ann/.Sent/cur/2.a:2,S", "two", 2000);
    mail.write("example.com/bob/new/3.a", "three", 3000);
    const gone = mail.write("example.com/ann/new/4.a", "four", 4000);
    await mail.indexer.catchUp();
    const before = await mail.index.oldestFirst(0, 9);
    mail.read.length = 0;
    rmSync(gone);
    renameSync(
      join(mail.root, "example.com/ann/.Sent/cur/2.a:2,S"),
      join(mail.root, "example.com/ann/.Sent/cur/2.a:2,RS"),
    );
    await mail.indexer.reindexAccount("ann@example.com", never);
    await mail.indexer.catchUp();
    assert.deepEqual(await mail.index.oldestFirst(0, 9), before.slice(0, 3));
    assert.deepEqual(
      mail.read.filter((path) => path.includes("bob")),
      [],
    );
    assert.ok(mail.read.some((path) => path.endsWith("1.a")));
    assert.equal(mail.lines.length, 4);
  });
});

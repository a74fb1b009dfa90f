import assert from "node:assert/strict";
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { LookHangs } from "../../../../src/parts/archive/index/looks.ts";
import { Maildirs } from "./maildirs.ts";

const isRoot = process.getuid?.() === 0;

describe("a walk", () => {
  test("finds the files of all accounts and folders, and notes each once in the manifest", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a", "one", 1000);
    mail.write("example.com/ann/cur/2.a:2,S", "two", 2000);
    mail.write("example.com/ann/.Sent/new/1.a", "three", 3000);
    mail.write("example.com/ann/.Archive.2026/cur/4.a:2,", "four", 4000);
    mail.write("example.org/bob/new/5.a", "five", 5000);
    mail.write("example.org/bob/tmp/6.a", "not yet");
    mail.write("example.org/bob/new/.hidden", "no message");
    assert.equal(mail.indexer.isBehind, true);
    await mail.indexer.catchUp();
    assert.equal(mail.indexer.isBehind, false);
    assert.deepEqual(await mail.messages(), [
      "ann@example.com INBOX new/1.a",
      "ann@example.com INBOX cur/2.a:2,S",
      "ann@example.com Sent new/1.a",
      "ann@example.com Archive/2026 cur/4.a:2,",
      "bob@example.org INBOX new/5.a",
    ]);
    const lines = mail.lines.map((line) => (line.word === "file" ? line.place : line.word));
    assert.deepEqual(lines.toSorted(), [
      "cur/2.a:2,S",
      "cur/4.a:2,",
      "new/1.a",
      "new/1.a",
      "new/5.a",
    ]);
    const read = mail.read.length;
    await mail.indexer.catchUp();
    assert.equal(mail.read.length, read, "nothing is read twice");
  });

  test("a file that is moved to cur/, or renamed by its flags, keeps its row and its line", async () => {
    await using mail = new Maildirs();
    const fresh = mail.write("example.com/ann/new/1.a");
    await mail.indexer.catchUp();
    const [before] = await mail.index.oldestFirst(0, 9);
    const cur = join(mail.root, "example.com/ann/cur");
    mkdirSync(cur);
    renameSync(fresh, join(cur, "1.a:2,"));
    assert.ok(before);
    assert.equal(await mail.index.pathOf(before), join(cur, "1.a:2,"), "before a walk");
    for (const flags of ["S", "RS", "FRST"]) {
      renameSync((await mail.index.pathOf(before)) ?? "", join(cur, `1.a:2,${flags}`));
      await mail.indexer.catchUp();
      assert.deepEqual(await mail.messages(), [`ann@example.com INBOX cur/1.a:2,${flags}`]);
      assert.deepEqual(mail.index.open.reader.fileOf(before.id)?.file.suffix, `:2,${flags}`);
    }
    assert.deepEqual([mail.lines.length, mail.read.length], [1, 1]);
    renameSync(join(cur, "1.a:2,FRST"), join(cur, "1.a:2,unusual"));
    assert.equal(await mail.index.pathOf(before), join(cur, "1.a:2,unusual"), "by listing");
    rmSync(join(cur, "1.a:2,unusual"));
    assert.equal(await mail.index.pathOf(before), undefined);
  });

  test("files that others remove go at the second walk, and come back if they do", async () => {
    await using mail = new Maildirs();
    const file = mail.write("example.com/ann/new/1.a", "one", 1000);
    mail.write("example.com/ann/new/2.a", "two", 2000);
    await mail.indexer.catchUp();
    rmSync(file);
    await mail.indexer.catchUp();
    await mail.indexer.catchUp();
    assert.deepEqual(await mail.messages(), ["ann@example.com INBOX new/2.a"]);
    mail.write("example.com/ann/new/1.a", "one", 1000);
    await mail.indexer.catchUp();
    assert.equal((await mail.messages()).length, 2);
  });

  test("files with old times are found, because the directory changes", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a");
    await mail.indexer.catchUp();
    mail.write("example.com/ann/new/2.a", "old", 1000);
    await mail.indexer.catchUp();
    assert.equal((await mail.messages()).length, 2);
  });

  test("a second change within the same tick of the clock is found", async () => {
    await using mail = new Maildirs();
    const directory = join(mail.root, "example.com/ann/new");
    const moment = (mail.clock.now() - 500) / 1000;
    mail.write("example.com/ann/new/1.a");
    utimesSync(directory, moment, moment);
    await mail.indexer.catchUp();
    mail.write("example.com/ann/new/2.a");
    utimesSync(directory, moment, moment);
    await mail.indexer.catchUp();
    assert.equal((await mail.messages()).length, 2);
  });

  test("only directories that have changed are listed, also after a restart", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a");
    await mail.indexer.catchUp();
    await mail.restart();
    const { looks } = mail.index;
    const listed: string[] = [];
    const names = looks.names.bind(looks);
    looks.names = (path) => {
      listed.push(path);
      return names(path);
    };
    await mail.indexer.catchUp();
    assert.deepEqual(
      listed.filter((path) => path.endsWith("/new")),
      [],
    );
    listed.length = 0;
    await mail.indexer.catchUp();
    assert.deepEqual(listed, [mail.root]);
  });

  test("directories that are made one after the other are found, with seconds between them", async () => {
    await using mail = new Maildirs();
    for (const path of ["example.com", "example.com/ann", "example.com/ann/.Sent"]) {
      mkdirSync(join(mail.root, path));
      await mail.indexer.catchUp();
    }
    mail.write("example.com/ann/.Sent/cur/1.a:2,S");
    await mail.indexer.catchUp();
    mail.write("example.com/ann/new/2.a");
    await mail.indexer.catchUp();
    assert.equal((await mail.messages()).length, 2);
  });

  test("folders and accounts that vanish go from the index", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a");
    mail.write("example.com/ann/.Sent/new/1.a");
    mail.write("example.org/bob/new/1.a");
    await mail.indexer.catchUp();
    rmSync(join(mail.root, "example.com/ann/.Sent"), { recursive: true });
    rmSync(join(mail.root, "example.org"), { recursive: true });
    for (let walks = 0; walks < 3; walks++) await mail.indexer.catchUp();
    assert.deepEqual(await mail.messages(), ["ann@example.com INBOX new/1.a"]);
    const { reader } = mail.index.open;
    assert.deepEqual(
      reader.accounts(0, 9).map(({ name }) => name),
      ["ann@example.com"],
    );
    assert.deepEqual(reader.directories("ann@example.com"), [""]);
  });

  test("an archive that is not mounted loses nothing", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a");
    await mail.indexer.catchUp();
    for (const unmounted of ["empty", "missing"]) {
      renameSync(mail.root, `${mail.root}.away`);
      if (unmounted === "empty") mkdirSync(mail.root);
      for (let walks = 0; walks < 3; walks++) await assert.rejects(mail.indexer.catchUp());
      assert.equal(mail.indexer.isBehind, true);
      assert.equal((await mail.index.totals()).messages, 1);
      if (unmounted === "empty") rmSync(mail.root, { recursive: true });
      renameSync(`${mail.root}.away`, mail.root);
      await mail.indexer.catchUp();
    }
    assert.equal(mail.indexer.isBehind, false);
  });

  test("a domain whose file system hangs is passed over for ten minutes, and the others go on", async () => {
    await using mail = new Maildirs();
    mail.write("example.com/ann/new/1.a");
    mail.write("example.org/bob/new/1.a");
    mail.write("example.org/eve/new/1.a");
    await mail.indexer.catchUp();
    const { looks } = mail.index;
    const look = looks.look.bind(looks);
    for (const hanging of ["/example.org", "/example.org/bob", "/example.org/bob/new"]) {
      let hung = 0;
      looks.look = async (paths) => {
        if (!paths.some((path) => `${path}/`.includes(`${hanging}/`))) return look(paths);
        hung += 1;
        throw new LookHangs("the file system does not answer");
      };
      mail.write(`example.com/ann/new/${hanging.length}.a`);
      await mail.indexer.catchUp();
      assert.ok(hung > 0 && hung <= 2, `${hung} threads for ${hanging}`);
      await mail.indexer.catchUp();
      assert.ok(hung <= 2, "the second walk does not ask");
      assert.equal(mail.events.at(-1)?.name, "archive.unread");
      looks.look = look;
      mail.clock.advance(600_000);
      mail.write(`example.org/bob/new/${hanging.length}.a`);
      await mail.indexer.catchUp();
    }
    assert.equal((await mail.messages()).length, 9);
  });

  test("links are not followed, and are a finding", async () => {
    await using mail = new Maildirs();
    const outside = mail.write("../outside/new/1.a");
    mail.write("example.com/ann/new/1.a");
    symlinkSync(outside, join(mail.root, "example.com/ann/new/2.a"));
    symlinkSync(join(outside, "../.."), join(mail.root, "example.com/eve"));
    symlinkSync(join(outside, "../.."), join(mail.root, "example.com/ann/.Link"));
    symlinkSync(join(outside, ".."), join(mail.root, "example.com/ann/cur"));
    mkdirSync(join(mail.root, "example.com/ann/new/3.a"));
    await mail.indexer.catchUp();
    assert.deepEqual(await mail.messages(), ["ann@example.com INBOX new/1.a"]);
    const [unread] = mail.events;
    assert.equal(unread?.name, "archive.unread");
    assert.partialDeepStrictEqual(unread?.fields, { count: 4 });
    await mail.indexer.catchUp();
    assert.equal(mail.indexer.isBehind, false);
  });

  test(
    "a directory without permission is a finding, and the others go on",
    { skip: isRoot },
    async () => {
      await using mail = new Maildirs();
      mail.write("example.com/ann/new/1.a");
      mail.write("example.com/bob/new/1.a");
      chmodSync(join(mail.root, "example.com/ann/new"), 0o000);
      await mail.indexer.catchUp();
      assert.deepEqual(await mail.messages(), ["bob@example.com INBOX new/1.a"]);
      assert.equal(mail.events.at(0)?.name, "archive.unread");
      chmodSync(join(mail.root, "example.com/ann/new"), 0o700);
      await mail.indexer.catchUp();
      assert.equal((await mail.messages()).length, 2);
    },
  );
});

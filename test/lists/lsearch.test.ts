import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { bench } from "./support.ts";

/** Makes a file look old enough for its time stamps to be believed. */
function age(path: string, seconds = 10): string {
  const time = Date.now() / 1000 - seconds;
  utimesSync(path, time, time);
  return path;
}

function lines(name: string): string {
  return Array.from({ length: 20_000 }, (_, index) => `${name}${index}`).join("\n");
}

describe("an lsearch file that changes", () => {
  test("answers at once, after one look in each turn of the event loop, while it stays as it is", async () => {
    using b = bench();
    b.write("accounts", "alice\n");
    const list = b.lists.localParts(["lsearch:accounts"]);
    assert.equal((await list.match("alice")).kind, "in");
    b.clock.advance(50);
    assert.equal((await list.match("alice")).kind, "in");
    assert.equal((await list.match("alice")).kind, "in");
    const again = list.match("alice");
    assert.ok(!(again instanceof Promise));
    assert.equal(again.kind, "in");
  });

  test("is read again after a rename, an edit in place and a change of the same size", async () => {
    using b = bench();
    const path = age(b.write("accounts", "alice\n"));
    const list = b.lists.localParts(["lsearch:accounts"]);
    assert.equal((await list.match("bobby")).kind, "out");

    renameSync(b.write("accounts.new", "bobby\n"), path);
    assert.equal((await list.match("bobby")).kind, "in");
    assert.equal((await list.match("alice")).kind, "out");

    writeFileSync(path, "carol\n");
    assert.equal((await list.match("carol")).kind, "in");
    writeFileSync(path, "david\n");
    assert.equal((await list.match("david")).kind, "in");
    assert.equal((await list.match("carol")).kind, "out");
  });

  test("is read again when only the time of the change of its inode tells", async () => {
    using b = bench();
    const path = age(b.write("accounts", "carol\n"));
    const time = statSync(path).mtime;
    const list = b.lists.localParts(["lsearch:accounts"]);
    assert.equal((await list.match("carol")).kind, "in");
    writeFileSync(path, "david\n");
    utimesSync(path, time, time);
    assert.equal((await list.match("david")).kind, "in");
  });

  test("sees every one of many changes that come within one tick of the clock", async () => {
    using b = bench();
    const path = b.write("accounts", "user0\n");
    const list = b.lists.localParts(["lsearch:accounts"]);
    for (let round = 0; round < 200; round++) {
      writeFileSync(path, `user${round % 10}\n`);
      assert.equal((await list.match(`user${round % 10}`)).kind, "in", `round ${round}`);
    }
  });

  test("gives the old list or the new one while it is replaced, never a part", async () => {
    using b = bench();
    const path = b.write("accounts", `always\n${lines("old")}\nlast\n`);
    const list = b.lists.localParts(["lsearch:accounts"]);
    for (let round = 0; round < 20; round++) {
      const looked = Promise.all([list.match("always"), list.match("last")]);
      renameSync(b.write("accounts.new", `always\n${lines(`new${round}`)}\nlast\n`), path);
      for (const match of await looked) assert.equal(match.kind, "in");
    }
  });

  test("one read serves all who wait for it", async () => {
    using b = bench();
    age(b.write("accounts", "alice\n"));
    const list = b.lists.localParts(["lsearch:accounts"]);
    const other = b.lists.domains(["lsearch:accounts"]);
    const found = await Promise.all([list.match("alice"), list.match("bob"), other.match("alice")]);
    assert.deepEqual(
      found.map(({ kind }) => kind),
      ["in", "out", "in"],
    );
  });

  test("takes a hundred thousand accounts", async () => {
    using b = bench();
    const accounts = Array.from({ length: 100_000 }, (_, index) => `user${index}`);
    b.write("accounts", accounts.join("\n"));
    const list = b.lists.localParts(["lsearch:accounts"]);
    assert.equal((await list.match("user99999")).kind, "in");
    assert.equal((await list.match("user100000")).kind, "out");
  });
});

describe("an lsearch file that cannot be read", () => {
  test("defers, is logged once, and is used as soon as it is there", async () => {
    using b = bench();
    const list = b.lists.localParts(["lsearch:accounts"]);
    for (let round = 0; round < 3; round++) {
      const match = await list.match("alice");
      assert.equal(match.kind, "defer");
      assert.match(match.why, /lsearch:accounts cannot be read: ENOENT/);
    }
    assert.equal(b.log.named("lookup.failed").length, 1);

    const path = b.write("accounts", "alice\n");
    assert.equal((await list.match("alice")).kind, "in");
    rmSync(path);
    assert.equal((await list.match("alice")).kind, "defer");
    assert.equal(b.log.named("lookup.failed").length, 2, "a new trouble is logged anew");
  });

  test("defers for what is not valid UTF-8", async () => {
    using b = bench();
    b.write("accounts", Buffer.from([0x61, 0x0a, 0xff, 0xfe, 0x0a]));
    const list = b.lists.localParts(["lsearch:accounts"]);
    const match = await list.match("a");
    assert.equal(match.kind, "defer");
    assert.match(match.why, /UTF-8/);
  });

  test("defers for a directory", async () => {
    using b = bench();
    mkdirSync(join(b.directory, "accounts"));
    assert.equal((await b.lists.localParts(["lsearch:accounts"]).match("a")).kind, "defer");
  });

  test("defers without permission", { skip: process.getuid?.() === 0 }, async () => {
    using b = bench();
    chmodSync(b.write("accounts", "alice\n"), 0o000);
    assert.equal((await b.lists.localParts(["lsearch:accounts"]).match("alice")).kind, "defer");
  });

  test("is out for everybody when it has been empty from the start", async () => {
    using b = bench();
    b.write("accounts", "");
    assert.equal((await b.lists.localParts(["lsearch:accounts"]).match("alice")).kind, "out");
  });

  test("an item before it still decides, one behind it never does", async () => {
    using b = bench();
    const before = b.lists.localParts(["alice", "lsearch:accounts"]);
    assert.equal((await before.match("alice")).kind, "in");
    assert.equal((await before.match("bob")).kind, "defer");
    assert.equal((await b.lists.localParts(["lsearch:accounts", "*"]).match("bob")).kind, "defer");
    assert.equal((await b.lists.localParts(["!lsearch:accounts"]).match("bob")).kind, "defer");
  });

  test("defers from inside a named list, negated or not", async () => {
    using b = bench({ domains: { ours: ["lsearch:domains"] } });
    assert.equal((await b.lists.domains(["+ours"]).match("example.com")).kind, "defer");
    assert.equal((await b.lists.domains(["!+ours"]).match("example.com")).kind, "defer");
  });
});

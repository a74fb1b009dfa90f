import assert from "node:assert/strict";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { Audit } from "../../../../src/parts/archive/chain/audit.ts";
import { acceptedEntries } from "../../../../src/parts/archive/proof/accepting.ts";
import { isFault } from "../../../../src/parts/archive/proof/faults.ts";
import { Verification } from "../../../../src/parts/archive/proof/verification.ts";
import { linesOf } from "../chain/chains.ts";
import { NOW, sha256Of, SmallArchive } from "./archives.ts";

const BOB = "bob@example.com";
const ANN = "ann@example.net";

describe("archive verify", () => {
  it("finds nothing in an archive that is right, nor in an empty one", async () => {
    await using archive = new SmallArchive();
    assert.deepEqual(await archive.verify(), []);
    await archive.add(BOB, "INBOX", "new/1.a");
    await archive.add(BOB, "Archive/2026", "cur/1.a:2,S");
    await archive.add(ANN, "Gelöscht", "cur/2.b:2,");
    // A crash between manifest and index gives a second line.
    await archive.note(BOB, "INBOX", "new/1.a");
    assert.deepEqual(await archive.verify(), []);
  });

  it("names what is missing, changed, unknown", async () => {
    await using archive = new SmallArchive();
    const changed = await archive.add(BOB, "INBOX", "cur/1.a:2,S");
    rmSync(await archive.add(BOB, "Sent", "new/1.b"));
    const shorter = await archive.add(BOB, "INBOX", "new/1.c");
    archive.put(ANN, "INBOX", "new/1.d");
    const bytes = readFileSync(changed);
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    writeFileSync(changed, bytes);
    truncateSync(shorter, 4);
    assert.deepEqual(await archive.verify(), [
      "changed mail/example.com/bob/cur/1.a:2,S",
      "changed mail/example.com/bob/new/1.c",
      "missing mail/example.com/bob/.Sent/new/1.b",
      "unknown mail/example.net/ann/new/1.d",
    ]);
    assert.ok((await archive.findings()).every(isFault));
    assert.deepEqual(await archive.verify({ account: ANN }), [
      "unknown mail/example.net/ann/new/1.d",
    ]);
  });

  it("takes new flags, new/ to cur/ and another folder for what they are", async () => {
    await using archive = new SmallArchive();
    const path = await archive.add(BOB, "INBOX", "new/1.a");
    const seen = archive.path(BOB, "INBOX", "cur/1.a:2,S");
    mkdirSync(dirname(seen), { recursive: true });
    renameSync(path, seen);
    assert.deepEqual(await archive.verify(), []);
    const moved = archive.path(BOB, "Trash", "cur/1.a:2,ST");
    mkdirSync(dirname(moved), { recursive: true });
    renameSync(seen, moved);
    assert.deepEqual(await archive.verify(), ["moved mail/example.com/bob/.Trash/cur/1.a:2,ST"]);
    // The index has found it there.
    await archive.note(BOB, "Trash", "cur/1.a:2,ST", `${BOB} INBOX new/1.a`);
    assert.deepEqual(await archive.verify(), []);
    // It comes back, and a copy stays.
    archive.put(BOB, "INBOX", "cur/1.a:2,S", `${BOB} INBOX new/1.a`);
    assert.deepEqual(await archive.verify(), []);
    // The same octets under the name of another account are no move.
    archive.put(ANN, "INBOX", "cur/1.a:2,S", `${BOB} INBOX new/1.a`);
    assert.deepEqual(await archive.verify(), ["unknown mail/example.net/ann/cur/1.a:2,S"]);
  });

  it("does not call mail unknown that has just come", async () => {
    await using archive = new SmallArchive();
    archive.put(BOB, "INBOX", "new/1.a", "x", 299_000);
    archive.put(BOB, "INBOX", "new/1.b", "x", 301_000);
    archive.put(BOB, "INBOX", "new/1.c", "x", -299_000);
    archive.put(BOB, "INBOX", "new/1.d", "x", -301_000);
    assert.deepEqual(await archive.verify(), [
      "new mail/example.com/bob/new/1.a",
      "new mail/example.com/bob/new/1.c",
      "unknown mail/example.com/bob/new/1.b",
      "unknown mail/example.com/bob/new/1.d",
    ]);
  });

  it("says what is being deleted, and forgets what is gone", async () => {
    await using archive = new SmallArchive();
    const file = { account: BOB, folder: "INBOX", name: "1.a", sha256: "" };
    const path = await archive.add(BOB, "INBOX", "cur/1.a:2,S");
    await archive.manifest.append([{ word: "going", ...file, rule: "keep 3y" }]);
    assert.deepEqual(await archive.verify(), []);
    rmSync(path);
    assert.deepEqual(await archive.verify(), ["going mail/example.com/bob/cur/1.a:2,S"]);
    await archive.manifest.append([{ word: "gone", ...file }]);
    assert.deepEqual(await archive.verify(), []);
    archive.put(BOB, "INBOX", "cur/1.a:2,S");
    assert.deepEqual(await archive.verify(), ["unknown mail/example.com/bob/cur/1.a:2,S"]);
  });

  it("takes mail that has moved and then gone as gone", async () => {
    await using archive = new SmallArchive();
    rmSync(await archive.add(BOB, "INBOX", "new/1.a", "x"));
    await archive.add(BOB, "Trash", "cur/1.a:2,ST", "x");
    assert.deepEqual(await archive.verify(), []);
    rmSync(archive.path(BOB, "Trash", "cur/1.a:2,ST"));
    assert.equal((await archive.verify()).length, 2);
    const file = { account: BOB, folder: "Trash", name: "1.a", sha256: sha256Of("x") };
    await archive.manifest.append([{ word: "going", ...file, rule: "keep" }]);
    await archive.manifest.append([{ word: "gone", ...file }]);
    assert.deepEqual(await archive.verify(), []);
  });

  it("is not made to agree by indexing a changed file again", async () => {
    await using archive = new SmallArchive();
    await archive.add(BOB, "INBOX", "cur/1.a:2,S");
    await archive.add(BOB, "INBOX", "cur/1.a:2,S", "forged");
    assert.deepEqual(await archive.verify(), ["changed mail/example.com/bob/cur/1.a:2,S"]);
  });

  it("follows no link, and does not wait for a pipe", async () => {
    await using archive = new SmallArchive();
    const path = await archive.add(BOB, "INBOX", "cur/1.a:2,S");
    renameSync(path, join(archive.place, "elsewhere"));
    symlinkSync(join(archive.place, "elsewhere"), path);
    assert.deepEqual(await archive.verify(), ["unreadable mail/example.com/bob/cur/1.a:2,S"]);
  });

  it("counts what came by the walk", async () => {
    await using archive = new SmallArchive();
    const { directory, state } = archive;
    for (const origin of ["relay", "walk", "import", "walk"] as const) {
      const place = `new/${archive.place.length}${origin}${Math.random()}`;
      archive.put(BOB, "INBOX", place, "x");
      await archive.note(BOB, "INBOX", place, "x", origin);
    }
    await using verification = new Verification({ directory, state, seals: [], now: NOW });
    assert.deepEqual(await Array.fromAsync(verification.findings()), []);
    assert.equal(verification.counts.files, 4);
    assert.equal(verification.counts.byWalk, 2);
  });

  it("calls no mail wrong that comes, moves or goes meanwhile", async () => {
    await using archive = new SmallArchive();
    const { directory, state } = archive;
    for (const number of [1, 2, 3]) await archive.add(BOB, "INBOX", `new/${number}.a`);
    writeFileSync(archive.path(BOB, "INBOX", "new/1.a"), "changed");
    // Between names as a reader renames it, deleted before its line is written, and not indexed yet.
    rmSync(archive.path(BOB, "INBOX", "new/2.a"));
    rmSync(archive.path(BOB, "INBOX", "new/3.a"));
    archive.put(BOB, "INBOX", "new/4.a", "late");
    await using verification = new Verification({ directory, state, seals: [], now: NOW });
    const findings = verification.findings();
    // It waits here, when all files have been looked at.
    assert.equal((await findings.next()).value?.what, "changed");
    archive.put(BOB, "INBOX", "cur/2.a:2,S", `${BOB} INBOX new/2.a`);
    await archive.manifest.append([
      { word: "gone", account: BOB, folder: "INBOX", name: "3.a", sha256: "" },
    ]);
    await archive.note(BOB, "INBOX", "new/4.a", "late");
    assert.deepEqual(await Array.fromAsync(findings), []);
  });
});

describe("the chains in archive verify", () => {
  it("names day and line of what was changed, and what was torn without alarm", async () => {
    await using archive = new SmallArchive();
    const audit = new Audit(archive.state, { now: () => NOW });
    await audit.append([{ act: "login", by: "eve" }]);
    await audit.append([{ act: "login", by: "mallory" }]);
    await audit.close();
    await archive.add(BOB, "INBOX", "new/1.a");
    for (const chain of ["manifest", "audit"]) {
      const file = join(archive.state, chain, "2026-06-01");
      const text = readFileSync(file, "latin1");
      writeFileSync(file, `${text}abc`);
      const torn = await archive.findings();
      assert.deepEqual(
        torn.map(({ what, path }) => [what, path]),
        [["torn", file]],
      );
      assert.ok(!torn.some(isFault));
      writeFileSync(file, text.replace("example", "exAmple").replace("eve", "Eve"));
      const broken = (await archive.findings()).find(({ what }) => what === "broken");
      assert.deepEqual(broken, { what: "broken", path: file, line: 1 });
      writeFileSync(file, text);
    }
  });

  it("misses a kept seal when the end of the manifest was cut off", async () => {
    await using archive = new SmallArchive();
    await archive.add(BOB, "INBOX", "new/1.a");
    await archive.add(BOB, "INBOX", "new/1.b");
    const directory = join(archive.state, "manifest");
    const lines = await linesOf(directory);
    const seals = lines.map(({ hash }) => hash);
    assert.deepEqual(await archive.verify({ seals }), []);
    const file = join(directory, readdirSync(directory)[0] ?? "");
    truncateSync(file, lines[1]?.offset ?? 0);
    rmSync(archive.path(BOB, "INBOX", "new/1.b"));
    assert.deepEqual(await archive.verify(), []);
    assert.deepEqual(await archive.findings({ seals }), [
      { what: "cut", path: directory, hash: seals[1] },
    ]);
  });
});

describe("archive verify --accept", () => {
  it("makes a known loss right: missing, changed, unknown, a broken line", async () => {
    await using archive = new SmallArchive();
    const { directory, state } = archive;
    const paths = [
      await archive.add(BOB, "INBOX", "cur/1.a:2,S"),
      await archive.add(BOB, "Archive/2026", "cur/1.b:2,S"),
      archive.put(ANN, "INBOX", "new/1.c"),
    ];
    rmSync(paths[0] ?? "");
    writeFileSync(paths[1] ?? "", "a bad sector");
    const file = join(state, "manifest", "2026-06-01");
    writeFileSync(file, readFileSync(file, "latin1").replace("T00:", "T01:"));
    assert.equal((await archive.verify()).length, 4);
    const { entries, refused } = await acceptedEntries([...paths, `${file}:1`], {
      directory,
      state,
      why: "a fire",
    });
    assert.deepEqual(refused, []);
    await archive.manifest.append(entries);
    assert.deepEqual(await archive.verify(), []);
    // What changes afterwards is a fault again.
    writeFileSync(paths[2] ?? "", "changed again");
    assert.deepEqual(await archive.verify(), ["changed mail/example.net/ann/new/1.c"]);
    assert.equal(sha256Of("x").length, 64);
  });

  it("refuses what is no file of the archive", async () => {
    await using archive = new SmallArchive();
    const { directory, state } = archive;
    await archive.add(BOB, "INBOX", "cur/1.a:2,S");
    const wrong = [
      "/etc/passwd",
      directory,
      join(directory, "example.com/bob/cur/2.b"),
      join(directory, "example.com/bob/tmp/1.a"),
      join(directory, "../state/manifest/2026-06-01"),
    ];
    const { entries, refused } = await acceptedEntries(wrong, { directory, state, why: "x" });
    assert.deepEqual(entries, []);
    assert.equal(refused.length, wrong.length);
  });
});

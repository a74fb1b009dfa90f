import assert from "node:assert/strict";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { KeptDatabase } from "../../../../src/parts/proxies/copies/kept-database.ts";
import { KeptMessages } from "../../../../src/parts/proxies/copies/kept.ts";
import { Place } from "../../../support/program.ts";
import { recordingLog } from "../../../support/services.ts";

const claim = (id: string, maildir: string, more = {}) => ({
  account: "alice@example.com",
  sha256: "ab".repeat(32),
  id,
  maildir,
  at: 0,
  ...more,
});

function maildirIn(place: Place): string {
  const maildir = join(place.directory, "mail");
  for (const part of ["new", "cur", "tmp"]) mkdirSync(join(maildir, part), { recursive: true });
  return maildir;
}

const fileName = (id: string) => `1767225600.M1E${id}G00c0ffeeP1Q1R0.mx.example.com,S=1`;

describe("the database of kept messages", () => {
  test("a message is new once for each account", () => {
    using place = new Place();
    const database = new KeptDatabase(place.directory);
    assert.equal(database.claim(claim("0000000001", "/m")), true);
    database.done(claim("0000000001", "/m"));
    assert.equal(database.claim(claim("0000000002", "/m")), false);
    assert.equal(database.claim(claim("0000000003", "/m", { account: "bob" })), true);
    assert.equal(database.claim(claim("0000000004", "/m", { sha256: "cd".repeat(32) })), true);
    assert.deepEqual(database.counts(), [
      { account: "alice@example.com", kept: 2 },
      { account: "bob", kept: 1 },
    ]);
    database.close();
  });

  test("a copy that failed, or of which nothing more was heard, is new again", () => {
    using place = new Place();
    const database = new KeptDatabase(place.directory);
    assert.equal(database.claim(claim("0000000001", "/m")), true);
    database.release("0000000001");
    assert.equal(database.claim(claim("0000000002", "/m")), true);
    assert.equal(database.claim(claim("0000000003", "/m")), true);
    database.done(claim("0000000003", "/m"));
    assert.equal(database.claim(claim("0000000004", "/m")), false);
    database.close();
  });

  test("after a crash the files decide, in new/ and in cur/", () => {
    for (const part of ["new", "cur", undefined]) {
      using place = new Place();
      const maildir = maildirIn(place);
      const before = new KeptDatabase(place.directory);
      before.claim(claim("0000000001", maildir));
      if (part !== undefined) writeFileSync(join(maildir, part, fileName("0000000001")), "x");
      // No close: what is done was never written down.
      const after = new KeptDatabase(place.directory);
      assert.equal(after.claim(claim("0000000002", maildir)), part === undefined, String(part));
      after.close();
    }
  });
});

const written = () => Promise.resolve();

describe("keeping a message", () => {
  test("two sessions with the same message write it once; the second takes over if the first fails", async () => {
    using place = new Place();
    const kept = new KeptMessages(place.directory, undefined, recordingLog());
    let writes = 0;
    const failing = kept.keep(claim("0000000001", "/m"), () => Promise.reject(new Error("full")));
    const write = async () => {
      writes += 1;
    };
    const second = kept.keep(claim("0000000002", "/m"), write);
    const third = kept.keep(claim("0000000003", "/m"), write);
    await assert.rejects(failing, /full/);
    assert.deepEqual([await second, await third], [true, false]);
    assert.equal(writes, 1);
    assert.deepEqual(await kept.counts(), [{ account: "alice@example.com", kept: 1 }]);
    await kept.close();
  });

  test("a database that could not be opened is opened for the next message", async () => {
    using place = new Place();
    const kept = new KeptMessages(place.directory, undefined, recordingLog());
    const file = join(place.directory, "kept.sqlite");
    mkdirSync(file);
    await assert.rejects(kept.keep(claim("0000000001", "/m"), written));
    rmdirSync(file);
    assert.equal(await kept.keep(claim("0000000002", "/m"), written), true);
    await kept.close();
  });

  test("one process at a time uses the directory", async () => {
    using place = new Place();
    const kept = new KeptMessages(place.directory, undefined, recordingLog());
    assert.throws(
      () => new KeptMessages(place.directory, undefined, recordingLog()),
      /another process keeps copies/,
    );
    await kept.close();
    const next = new KeptMessages(place.directory, undefined, recordingLog());
    await next.close();
  });
});

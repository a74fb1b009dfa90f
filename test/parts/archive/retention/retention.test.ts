import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { CommandError } from "../../../../src/contract/exit.ts";
import { Holds } from "../../../../src/parts/archive/retention/holds.ts";
import { DAY, optionsOf, RetainedArchive } from "./retained-archive.ts";

const BOB = "bob@example.com";
const ANN = "ann@example.net";

/** "what name: rule". */
async function ran(archive: RetainedArchive, table: object, isByHand = false): Promise<string[]> {
  const departures = await archive.run(table, isByHand);
  return departures.map(({ what, message, rule }) => `${what} ${message.name}: ${rule}`);
}

describe("retention by age", () => {
  it("takes the first rule that matches, before keep, and never what is younger than minimum", async () => {
    await using archive = new RetainedArchive();
    archive.put(BOB, "INBOX", "1", 500);
    archive.put(BOB, "Sent", "2", 450);
    archive.put(ANN, "Sent", "3", 101);
    archive.put(ANN, "INBOX", "4", 99);
    archive.put(ANN, "sent", "5", 40);
    archive.put(BOB, "INBOX", "6", 20);
    await archive.filed();
    const rules = [
      { account: "*@EXAMPLE.net", folder: "S?nt", keep: "31d" },
      { account: "*@example.net", folder: "Sent", keep: "100d" },
      { folder: "Sent", keep: "10y" },
    ];
    const table = { keep: "400d", rules };
    const plan = await archive.dryRun(table);
    assert.deepEqual(plan, ["1: keep", "3: rules[1]"]);
    assert.deepEqual(archive.files(), ["1", "2", "3", "4", "5", "6"]);
    assert.deepEqual(await ran(archive, table), ["deleted 1: keep", "deleted 3: rules[1]"]);
    assert.deepEqual(archive.files(), ["2", "4", "5", "6"]);
    assert.deepEqual(archive.index.names, ["2", "4", "5", "6"]);
    assert.deepEqual(await archive.findings(), []);
    assert.deepEqual(await archive.dryRun(table), []);
  });

  it("deletes nothing without [archive.retention], and nothing while the index is behind", async () => {
    await using archive = new RetainedArchive();
    archive.put(BOB, "INBOX", "1", 500);
    await archive.filed();
    archive.isBehind = true;
    await assert.rejects(archive.run({ keep: "400d" }, true), CommandError);
    assert.deepEqual(archive.files(), ["1"]);
  });

  it("waits for the postmaster if the clock has moved by weeks", async () => {
    await using archive = new RetainedArchive();
    archive.put(BOB, "INBOX", "1", 300);
    await archive.filed();
    assert.deepEqual(await ran(archive, { keep: "400d" }), []);
    archive.clock.step(10_000 * DAY);
    await assert.rejects(archive.run({ keep: "400d" }), /10000 days ago/);
    archive.clock.step(-10_000 * DAY);
    assert.deepEqual(await ran(archive, { keep: "400d" }), []);
    archive.clock.step(200 * DAY);
    assert.deepEqual(await ran(archive, { keep: "400d" }, true), ["deleted 1: keep"]);
    assert.deepEqual(await ran(archive, { keep: "400d" }), []);
  });
});

/** 100 blocks, 91 of them used, 20 by mail that is 101 to 120 days old. */
async function full(): Promise<RetainedArchive> {
  const archive = new RetainedArchive();
  for (let number = 1; number <= 20; number++) {
    archive.put(number % 2 === 0 ? BOB : ANN, "INBOX", String(100 + number), 121 - number);
  }
  archive.blocks = 100;
  archive.otherBlocks = 71;
  return archive.filed();
}

describe("retention by the water mark", () => {
  it("frees its share, the oldest mail of all accounts first, as the dry run says", async () => {
    await using archive = await full();
    const plan = await archive.dryRun({});
    assert.deepEqual(
      plan,
      ["101", "102", "103", "104", "105"].map((name) => `${name}: high_water`),
    );
    assert.deepEqual(
      await ran(archive, {}),
      plan.map((line) => `deleted ${line}`),
    );
    assert.deepEqual(await archive.findings(), []);
    assert.deepEqual(await ran(archive, {}), []);
  });

  it("frees no more than that in 24 hours, whatever the clock does, but by hand", async () => {
    await using archive = await full();
    assert.equal((await ran(archive, {})).length, 5);
    archive.otherBlocks = 80;
    assert.deepEqual(await ran(archive, {}), []);
    // The clock was ahead when they went.
    archive.clock.step(-3 * DAY);
    assert.deepEqual(await ran(archive, {}), []);
    archive.clock.advance(DAY - 1);
    assert.deepEqual(await ran(archive, {}), []);
    archive.clock.advance(1);
    assert.equal((await ran(archive, {})).length, 5);
    archive.otherBlocks = 85;
    assert.equal((await ran(archive, {})).length, 0);
    assert.equal((await ran(archive, {}, true)).length, 5);
    assert.equal(archive.files().length, 5);
  });

  it("takes neither young mail nor mail on hold, and says that the mark is missed", async () => {
    await using archive = await full();
    assert.ok(await archive.hold("case", `account:${BOB}`));
    const result = { deleted: 0, octets: 0, isShort: false, nextEnd: 0 };
    const retention = archive.retention({ minimum: "115d" });
    for await (const { message } of retention.run(true, AbortSignal.any([]), result)) {
      assert.equal(message.account, ANN);
    }
    assert.equal(result.deleted, 3);
    assert.equal(result.isShort, true);
  });

  it("counts what goes by age", async () => {
    await using archive = await full();
    assert.deepEqual(await ran(archive, { keep: "117d" }), [
      ...["101", "102", "103", "104"].map((name) => `deleted ${name}: keep`),
      "deleted 105: high_water",
    ]);
  });
});

describe("a hold", () => {
  it("covers what it once covered, wherever that moves, until its release", async () => {
    await using archive = new RetainedArchive();
    const path = archive.put(BOB, "INBOX", "1", 500, "secret");
    archive.put(BOB, "Sent", "2", 499, "other");
    await archive.filed();
    assert.ok(await archive.hold("case", "folder:INBOX"));
    assert.equal(await archive.hold("case", "other"), false);
    const moved = path.replace("/new/1", "/.Trash/new/7");
    mkdirSync(dirname(moved), { recursive: true });
    renameSync(path, moved);
    await archive.index.walk();
    const table = { keep: "400d" };
    assert.deepEqual(await archive.dryRun(table), ["2: keep"]);
    assert.deepEqual(await ran(archive, table), ["deleted 2: keep"]);
    assert.deepEqual(
      archive.holds.list().map(({ name, covers }) => [name, covers]),
      [["case", 1]],
    );
    assert.equal(archive.holds.release("case"), true);
    assert.equal(archive.holds.release("case"), false);
    assert.deepEqual(await ran(archive, table), ["deleted 7: keep"]);
  });

  it("covers mail that came after it, and mail whose text is not whole", async () => {
    await using archive = new RetainedArchive();
    assert.ok(await archive.hold("case", "secret"));
    archive.put(BOB, "INBOX", "1", 500, "a secret");
    archive.put(ANN, "INBOX", "2", 499, "unparsed");
    archive.put(ANN, "INBOX", "3", 498, "other");
    await archive.filed();
    assert.deepEqual(await ran(archive, { keep: "400d" }), ["deleted 3: keep"]);
  });

  it("counts also when this program cannot ask its query", async () => {
    await using archive = new RetainedArchive();
    const { store } = archive;
    const hold = { name: "new", query: "x:y", why: "w", by: "b", since: 0 };
    store.addHold({ ...hold, condition: '{"kind":"of a later version"}' });
    archive.put(BOB, "INBOX", "1", 500);
    await archive.filed();
    const holds = new Holds(store, archive.index);
    const messages = await archive.index.oldestFirst(0, 10);
    assert.deepEqual(await holds.uncovered(messages), []);
  });

  it("waits for a deletion under way", async () => {
    await using archive = new RetainedArchive();
    const order: string[] = [];
    const slow = archive.turns.take(async () => {
      await Promise.resolve();
      order.push("deletion");
    });
    const hold = archive.turns.take(async () => order.push("hold"));
    await Promise.all([slow, hold]);
    assert.deepEqual(order, ["deletion", "hold"]);
  });
});

describe("a deletion", () => {
  it("removes only the file that the index knows", async () => {
    await using archive = new RetainedArchive();
    const changed = archive.put(BOB, "INBOX", "1", 500);
    const gone = archive.put(BOB, "INBOX", "2", 499);
    const seen = archive.put(BOB, "INBOX", "3", 498);
    await archive.filed();
    writeFileSync(changed, "changed!");
    rmSync(gone);
    mkdirSync(dirname(seen).replace(/new$/, "cur"));
    renameSync(seen, seen.replace(/new\/3$/, "cur/3:2,S"));
    assert.deepEqual(await ran(archive, { keep: "400d" }), [
      "changed 1: keep",
      "missing 2: keep",
      "deleted 3: keep",
    ]);
    assert.deepEqual(archive.files(), ["1"]);
  });

  it("finds a file that a reader renames under its hands", async () => {
    await using archive = new RetainedArchive();
    const path = archive.put(BOB, "INBOX", "1", 500);
    await archive.filed();
    mkdirSync(dirname(path).replace(/new$/, "cur"));
    let isFirst = true;
    const files = {
      async unlink(at: string) {
        if (isFirst) renameSync(path, path.replace(/new\/1$/, "cur/1:2,S"));
        isFirst = false;
        rmSync(at);
      },
      syncDirectory: () => Promise.resolve(),
    };
    const retention = archive.retention({ keep: "400d" }, { files });
    const result = { deleted: 0, octets: 0, isShort: false, nextEnd: 0 };
    await Array.fromAsync(retention.run(false, AbortSignal.any([]), result));
    assert.deepEqual(archive.files(), []);
    assert.equal(result.deleted, 1);
  });

  it("erases all that matches whatever its age, except what is on hold", async () => {
    await using archive = new RetainedArchive();
    for (let number = 1; number <= 120; number++)
      archive.put(BOB, "INBOX", String(number), number / 10);
    archive.put(ANN, "INBOX", "a", 7.05);
    archive.put(BOB, "Sent", "s", 3.05, "secret");
    await archive.filed();
    assert.ok(await archive.hold("case", "secret"));
    const condition = { kind: "account", account: BOB } as const;
    const erased = await Array.fromAsync(
      archive.retention({}).erase(condition, AbortSignal.any([])),
    );
    assert.equal(erased.filter(({ what }) => what === "deleted").length, 120);
    assert.deepEqual(archive.files(), ["a", "s"]);
    assert.deepEqual(await archive.findings(), []);
  });
});

describe("[archive.retention]", () => {
  it("refuses what cannot be meant", () => {
    assert.throws(() => optionsOf({ keep: "10d" }), /shorter than `minimum`/);
    assert.throws(() => optionsOf({ rules: [{ keep: "10d" }] }), /shorter than `minimum`/);
    assert.throws(() => optionsOf({ free: "90%" }), /below `high_water`/);
    assert.throws(() => optionsOf({ free: "0%" }), /above 0%/);
    assert.throws(() => optionsOf({ high_water: "101%" }));
    const { keep, minimum, high_water: mark, free } = optionsOf({ keep: "10y", minimum: "1w" });
    assert.deepEqual([keep, minimum, mark, free], [3650 * DAY, 7 * DAY, 0.9, 0.05]);
  });
});

// Lists that lose what they had: nobody is "not there" by them before they are believed.

import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { implausible } from "../../src/lists/belief.ts";
import { names, place } from "./place.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function table(count: number, prefix = "user"): ReadonlyMap<string, string> {
  return new Map(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, ""]));
}

test("what is implausible: nothing left, fewer than half, or of many names hardly any left", () => {
  const cases: readonly (readonly [ReturnType<typeof table>, ReturnType<typeof table>, boolean])[] =
    [
      [table(0), table(0), false],
      [table(0), table(5), false],
      [table(1), table(0), true],
      [table(1), table(1, "other"), false],
      [table(2), table(1), false],
      [table(2), table(0), true],
      [table(3), table(1), true],
      [table(3), table(2), false],
      [table(100), table(50), false],
      [table(100), table(49), true],
      [table(101), table(50), true],
      [table(9), table(9, "other"), false],
      [table(10), table(10, "other"), true],
      [table(100), table(1000, "other"), true],
      [table(100), new Map([...table(50), ...table(50, "other")]), false],
      [table(100), table(100_000), false],
    ];
  for (const [before, now, expected] of cases) {
    const why = implausible(before, now);
    assert.equal(why !== undefined, expected, `${before.size} -> ${now.size}: ${why}`);
  }
});

describe("a list that is emptied", () => {
  const emptied: readonly (readonly [string, (path: string) => void])[] = [
    ["truncated in place", (path) => writeFileSync(path, "")],
    [
      "replaced by rename",
      (path) => {
        writeFileSync(`${path}.new`, "");
        renameSync(`${path}.new`, path);
      },
    ],
    [
      "with an old time stamp, as cp -p leaves it",
      (path) => {
        writeFileSync(path, "");
        utimesSync(path, 1, 1);
      },
    ],
    [
      "with a time stamp in the future",
      (path) => {
        writeFileSync(path, "");
        utimesSync(path, 4e9, 4e9);
      },
    ],
    ["only white space", (path) => writeFileSync(path, " \n\t\r\n\n")],
    ["only comments", (path) => writeFileSync(path, "# accounts\n#user0\n")],
    ["one indented line", (path) => writeFileSync(path, "  user0\n")],
    ["NULs", (path) => writeFileSync(path, Buffer.alloc(4096))],
    ["NULs behind names", (path) => writeFileSync(path, `${names(100)}\0\0\0`)],
    ["binary", (path) => writeFileSync(path, Buffer.from("7f454c46ff00fe0a80", "hex"))],
    ["UTF-16", (path) => writeFileSync(path, Buffer.from(names(100), "utf16le"))],
  ];
  for (const [name, empty] of emptied) {
    test(`${name}: the list before it serves, others wait, and no time makes it right`, async () => {
      using p = place();
      p.write(names(100));
      const { ask, clock, log } = p.start();
      assert.equal(await ask("user0", "nobody"), "in out");
      empty(p.path);
      assert.equal(await ask("user0", "user99", "nobody"), "in in defer");
      clock.advance(20 * MINUTE);
      assert.equal(await ask("user0", "nobody"), "in defer");
      clock.advance(30 * 24 * HOUR);
      assert.equal(await ask("user0", "nobody"), "in defer");
      assert.ok(log.named("alarm").length >= 2, "and the alarm is given again");
      p.write(names(100));
      assert.equal(await ask("user0", "nobody"), "in out");
      assert.equal(log.named("list.believed").length, 1);
    });
  }

  test("a list of one is a list", async () => {
    using p = place();
    p.write("alice\n");
    const { ask } = p.start();
    assert.equal(await ask("alice", "bob"), "in out");
    p.write("");
    assert.equal(await ask("alice", "bob"), "in defer");
  });

  test("one that never had an entry is believed", async () => {
    using p = place();
    p.write("# nobody yet\n");
    const { ask } = p.start();
    assert.equal(await ask("alice"), "out");
    p.write("alice\n");
    assert.equal(await ask("alice", "bob"), "in out");
    p.write("");
    assert.equal(await ask("alice", "bob"), "in defer");
  });

  test("gives one alarm, whoever looks, and says what to do", async () => {
    using p = place();
    p.write(names(3));
    const { ask, lists, log, clock } = p.start();
    const other = lists.domains(["lsearch:accounts"]);
    await ask("user0");
    p.write("");
    await Promise.all([ask("user0", "x", "y"), other.match("z")]);
    assert.equal((await other.match("user1")).kind, "in");
    assert.equal(log.named("alarm").length, 1);
    assert.match(
      JSON.stringify(log.named("alarm")),
      /accounts has no entry left, of 3: the list before it serves.*write the list again/,
    );
    clock.advance(HOUR);
    await ask("user0");
    assert.equal(log.named("alarm").length, 2);
  });

  for (const [name, gone] of [
    ["missing", (path: string) => rmSync(path)],
    [
      "a directory",
      (path: string) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ] as const) {
    test(`${name} in between: everybody waits, and it is emptied all the same`, async () => {
      using p = place();
      p.write(names(100));
      const { ask, clock } = p.start();
      await ask("user0");
      gone(p.path);
      assert.equal(await ask("user0", "nobody"), "defer defer");
      clock.advance(20 * MINUTE);
      rmSync(p.path, { recursive: true, force: true });
      p.write("");
      assert.equal(await ask("user0", "nobody"), "in defer");
    });
  }
});

describe("a list with fewer than half of its names", () => {
  test("is believed when it has stood for ten minutes, and not before", async () => {
    using p = place();
    p.write(names(100));
    const { ask, clock, log } = p.start();
    await ask("user0");
    p.write(names(49));
    assert.equal(await ask("user0", "user99", "nobody"), "in in defer");
    clock.advance(10 * MINUTE - 1);
    assert.equal(await ask("user0", "user99", "nobody"), "in in defer");
    clock.advance(1);
    assert.equal(await ask("user0", "user99", "nobody"), "in out out");
    assert.deepEqual(log.named("list.believed"), [{ list: p.path, entries: 49 }]);
    p.write(names(25));
    assert.equal(await ask("user0", "user30", "nobody"), "in out out", "half of 49 is plausible");
  });

  const steps: readonly (readonly [readonly number[], string])[] = [
    [[3, 2, 1], "has 1 of 3 entries left, fewer than half, counted over 10 minutes"],
    [[9, 6, 4], "has 4 of 9 entries left, fewer than half, counted over 10 minutes"],
    [[100, 80, 60, 49], "has 49 of 100 entries left, fewer than half, counted over 10 minutes"],
    [[3, 100, 60, 40], "has 40 of 100 entries left, fewer than half, counted over 10 minutes"],
    [
      [100, 60, 100, 60, 40],
      "has 40 of 100 entries left, fewer than half, counted over 10 minutes",
    ],
  ];
  for (const [counts, why] of steps) {
    test(`is not believed sooner for coming in small steps: ${counts.join(", ")}`, async () => {
      using p = place();
      const { ask, clock, log } = p.start();
      const last = counts.length - 1;
      for (const [step, count] of counts.entries()) {
        p.write(names(count));
        if (step > 0) clock.advance(2 * MINUTE);
        assert.equal(await ask("user0", "nobody"), step < last ? "in out" : "in defer");
      }
      assert.match(JSON.stringify(log.named("alarm")), new RegExp(`accounts ${why}: `));
      clock.advance(10 * MINUTE);
      assert.equal(await ask("user0", "nobody"), "in out");
    });
  }

  test("is believed at once, in steps that are ten minutes apart", async () => {
    using p = place();
    p.write(names(100));
    const { ask, clock } = p.start();
    await ask("user0");
    for (const count of [60, 31, 16]) {
      p.write(names(count));
      assert.equal(await ask("user0", "nobody"), "in out", `${count}`);
      clock.advance(10 * MINUTE);
    }
  });

  test("counts another list in its place, too, that came by halves", async () => {
    using p = place();
    p.write(names(100));
    const { ask } = p.start();
    await ask("user0");
    p.write(names(50) + names(50, "other"));
    assert.equal(await ask("user0", "other0", "user99"), "in in out");
    p.write(names(100, "other"));
    assert.equal(await ask("user0", "nobody"), "in defer");
  });

  test("a wall clock that jumps is no time", async () => {
    using p = place();
    p.write(names(100));
    const { ask, clock } = p.start();
    await ask("user0");
    p.write(names(10));
    await ask("user0");
    clock.step(24 * HOUR);
    assert.equal(await ask("user0", "nobody"), "in defer");
    clock.step(-48 * HOUR);
    clock.advance(10 * MINUTE);
    assert.equal(await ask("user0", "nobody"), "in out");
  });

  test("each change begins the ten minutes anew, a change of its inode alone too", async () => {
    using p = place();
    p.write(names(100));
    const { ask, clock } = p.start();
    await ask("user0");
    p.write(names(10));
    await ask("user0");
    clock.advance(9 * MINUTE);
    p.write(names(20));
    assert.equal(await ask("nobody"), "defer");
    clock.advance(9 * MINUTE);
    assert.equal(await ask("nobody"), "defer");
    utimesSync(p.path, 1, 1);
    assert.equal(await ask("nobody"), "defer");
    clock.advance(9 * MINUTE);
    assert.equal(await ask("nobody"), "defer");
    clock.advance(MINUTE);
    assert.equal(await ask("nobody"), "out");
  });

  test("that grows back is believed at once, one that is half written is not on its way", async () => {
    using p = place();
    p.write(names(100));
    const { ask } = p.start();
    await ask("user0");
    for (const count of [0, 1, 20, 49]) {
      p.write(names(count));
      assert.equal(await ask("user99", "nobody"), "in defer", `${count}`);
    }
    p.write(names(99));
    assert.equal(await ask("user0", "user99"), "in out");
  });

  test("another file in its place is another list, however long", async () => {
    using p = place();
    p.write(names(100));
    const { ask, clock } = p.start();
    await ask("user0");
    p.write("<!DOCTYPE html>\n".concat(names(200, "<p>error ")));
    assert.equal(await ask("user99", "nobody"), "in defer");
    clock.advance(10 * MINUTE);
    assert.equal(await ask("user99"), "out", "as for any list that has lost its names");
  });
});

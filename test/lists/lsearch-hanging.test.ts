import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { lookAtList, readList } from "../../src/lists/list-content.ts";
import type { LsearchAnswer } from "../../src/lists/lsearch-text.ts";
import { type ListCalls, LsearchFile } from "../../src/lists/lsearch.ts";
import { bench } from "./support.ts";

/** A list on a file system that answers, or does not until it is thawed. */
function frozenBench() {
  const b = bench();
  const path = b.write("accounts", "alice\n");
  let ice: PromiseWithResolvers<void> | undefined;
  let calls = 0;
  const late =
    <Answer>(call: (path: string) => Promise<Answer>) =>
    async (file: string) => {
      calls += 1;
      await ice?.promise;
      return call(file);
    };
  const list = new LsearchFile(path, b, { look: late(lookAtList), read: late(readList) });
  return {
    list,
    path,
    clock: b.clock,
    log: b.log,
    calls: () => calls,
    write: (content: string) => b.write("accounts", content),
    freeze: () => void (ice = Promise.withResolvers()),
    thaw() {
      ice?.resolve();
      ice = undefined;
    },
    [Symbol.dispose]: () => b[Symbol.dispose](),
  };
}

function brief(answer: LsearchAnswer): unknown {
  return "error" in answer ? answer.error : [[...answer.table.keys()], answer.doubt];
}

const FROZEN = [["alice"], "does not answer"];

describe("an lsearch file whose time stamp lies far back, by a clock that was set or another one", () => {
  test("is read again until its stamp can tell one change from the next", async () => {
    using b = bench();
    const path = b.write("accounts", "alice\n");
    const { seen } = await readList(path);
    assert.ok(seen);
    const stamp = { ...seen, mtimeMs: seen.mtimeMs - 3_600_000n };
    const stamped = Object.assign(Object.create(Object.getPrototypeOf(seen)), stamp);
    let text = "alice\n";
    let reads = 0;
    const list = new LsearchFile(path, b, {
      look: () => Promise.resolve(stamped),
      read() {
        reads += 1;
        return Promise.resolve({ content: { text }, seen: stamped });
      },
    });
    assert.deepEqual(brief(await list.read()), [["alice"], undefined]);
    // In the same tick of the file system's clock.
    text = "bob\n";
    assert.deepEqual(brief(await list.read()), [["bob"], undefined]);
    b.clock.advance(50);
    await list.read();
    await turn();
    assert.equal(reads, 3);
    b.clock.advance(50);
    await list.read();
    assert.equal(reads, 3, "a lookup costs one stat by now");
  });
});

describe("several lsearch files that hang", () => {
  test("hold up a recipient who is looked up in all of them for 100 ms together", async () => {
    using b = bench();
    const ice = Promise.withResolvers<void>();
    let isFrozen = false;
    const calls: ListCalls = {
      read: readList,
      async look(path) {
        if (isFrozen) await ice.promise;
        return lookAtList(path);
      },
    };
    const parts = { ...b, late: new Set<string>() };
    const lists = ["accounts", "groups", "domains"].map(
      (name) => new LsearchFile(b.write(name, "alice\n"), parts, calls),
    );
    const lookUp = async () => {
      const answers: unknown[] = [];
      for (const list of lists) answers.push(brief(await list.read()));
      return answers;
    };
    await lookUp();
    b.clock.advance(50);
    await lookUp();
    isFrozen = true;
    await turn();
    const looking = lookUp();
    for (const wait of [80, 10, 10]) {
      b.clock.advance(wait);
      for (let turns = 0; turns < 3; turns++) await turn();
    }
    assert.deepEqual(await looking, [FROZEN, FROZEN, FROZEN]);
    ice.resolve();
    while (parts.late.size > 0) await turn();
  });
});

describe("an lsearch file that hangs", () => {
  test("is answered for by the last list, at once after 100 ms, and is asked once", async () => {
    using b = frozenBench();
    assert.deepEqual(brief(await b.list.read()), [["alice"], undefined]);
    b.freeze();
    const before = b.calls();
    const waits = Array.from({ length: 20 }, async () => b.list.read());
    b.clock.advance(100);
    for (const answer of await Promise.all(waits)) assert.deepEqual(brief(answer), FROZEN);
    for (let second = 0; second < 60; second++) {
      const answer = b.list.read();
      assert.ok(!(answer instanceof Promise));
      assert.deepEqual(brief(answer), FROZEN);
      b.clock.advance(1000);
    }
    assert.equal(b.calls() - before, 1);
    assert.deepEqual(
      b.log.named("lookup.failed"),
      [{ lookup: b.path, error: "does not answer" }],
      "the log says so once",
    );
    assert.equal(b.clock.pending, 0);
  });

  test("is not taken for hanging when the process itself stood still", async () => {
    using b = bench();
    const path = b.write("accounts", "alice\n");
    const [seen, content] = [await lookAtList(path), await readList(path)];
    let disk = Promise.resolve();
    const calls = { look: () => disk.then(() => seen), read: () => disk.then(() => content) };
    const list = new LsearchFile(path, b, calls);
    await list.read();
    const answering = Promise.withResolvers<void>();
    disk = answering.promise;
    const asked = Promise.resolve(list.read());
    b.clock.advance(100);
    answering.resolve();
    assert.deepEqual(brief(await asked), [["alice"], undefined]);
  });

  for (const [name, standstills, wanted] of [
    ["has its time again when the process stood still for long", 5, [["alice"], undefined]],
    ["has it five times at most", 6, FROZEN],
  ] as const) {
    test(name, async () => {
      using b = bench();
      const path = b.write("accounts", "alice\n");
      const [seen, content] = [await lookAtList(path), await readList(path)];
      const { clock } = b;
      let stoodStill = 0;
      const monotonic = () => clock.monotonic() + stoodStill;
      let ice: Promise<void> | undefined;
      const list = new LsearchFile(
        path,
        { ...b, clock: { ...clock, monotonic } },
        { look: () => (ice ?? Promise.resolve()).then(() => seen), read: async () => content },
      );
      await list.read();
      const thawed = Promise.withResolvers<void>();
      ice = thawed.promise;
      const asked = Promise.resolve(list.read());
      for (let count = 0; count < standstills; count++) {
        stoodStill += 200;
        clock.advance(80);
        await turn();
      }
      thawed.resolve();
      assert.deepEqual(brief(await asked), wanted);
    });
  }

  test("is read when it is back", async () => {
    using b = frozenBench();
    await b.list.read();
    b.freeze();
    const hanging = b.list.read();
    b.clock.advance(100);
    await hanging;
    b.write("alice\nbob\n");
    b.thaw();
    await b.list.close();
    const seen = async () => brief(await b.list.read());
    while (JSON.stringify(await seen()) === JSON.stringify(FROZEN)) await new Promise(setImmediate);
    assert.deepEqual(await seen(), [["alice", "bob"], undefined]);
  });

  test("from the start, defers after a second, and then at once", async () => {
    using b = frozenBench();
    b.freeze();
    const first = b.list.read();
    b.clock.advance(1000);
    assert.equal(brief(await first), "does not answer");
    const next = b.list.read();
    assert.ok(!(next instanceof Promise));
    assert.equal(brief(next), "does not answer");
    assert.equal(b.calls(), 1);
  });

  test("holds up neither a reload nor the end, and an operator is told", async () => {
    using b = frozenBench();
    await b.list.read();
    b.freeze();
    const before = b.calls();
    const accepted = b.list.accept();
    await new Promise(setImmediate);
    const closed = b.list.close();
    b.clock.advance(100);
    assert.match((await accepted)?.why ?? "", /^does not answer$/);
    await closed;
    assert.match((await b.list.accept())?.why ?? "", /^does not answer$/);
    assert.equal(b.calls() - before, 1);
  });
});

test("a pipe in the place of a list is not waited for", async () => {
  using b = bench();
  const path = b.write("accounts", "alice\n");
  const list = b.lists.localParts(["lsearch:accounts"]);
  assert.equal((await list.match("alice")).kind, "in");
  execFileSync("mkfifo", [join(b.directory, "pipe")]);
  renameSync(join(b.directory, "pipe"), path);
  assert.equal((await list.match("alice")).kind, "defer");
  rmSync(path);
  b.write("accounts", "alice\n");
  assert.equal((await list.match("alice")).kind, "in");
});

// What is known of a list over a restart, and who may confirm one that has lost much.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { confirmList, keptListPath } from "../../src/lists/kept-list.ts";
import { names, place } from "./place.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("over a restart", () => {
  test("an emptied list is emptied, and a short one begins its ten minutes anew", async () => {
    using p = place();
    p.write(names(100));
    const before = p.start();
    await before.ask("user0");
    await before.lists.close();

    p.write("");
    const empty = p.start();
    assert.equal(await empty.ask("user99", "nobody"), "in defer");
    assert.equal(empty.log.named("alarm").length, 1);
    await empty.lists.close();

    p.write(names(10));
    for (let restart = 0; restart < 3; restart++) {
      const short = p.start();
      short.clock.step(restart * HOUR);
      assert.equal(await short.ask("user99", "nobody"), "in defer");
      short.clock.advance(9 * MINUTE);
      assert.equal(await short.ask("user99", "nobody"), "in defer");
      await short.lists.close();
    }
    const last = p.start();
    await last.ask("user0");
    last.clock.advance(10 * MINUTE);
    assert.equal(await last.ask("user0", "user99"), "in out");
    await last.lists.close();
    assert.equal(await p.start().ask("user0", "user99"), "in out", "and that is kept too");
  });

  test("the list is read and kept before anybody asks for it", async () => {
    using p = place();
    p.write(names(100));
    const first = p.start();
    await first.lists.refresh();
    await first.lists.close();
    p.write("");
    assert.equal(await p.start().ask("user99", "nobody"), "in defer");
  });

  test("only the relay's user may read the copy, which is the list under one line", async () => {
    using p = place();
    p.write("alice\nbob.smith: bob\n");
    const { ask, lists } = p.start();
    await ask("alice");
    await lists.close();
    const kept = keptListPath(p.spool, p.path);
    assert.equal(statSync(kept).mode & 0o777, 0o600);
    assert.match(readFileSync(kept, "utf8"), /^# .*accounts.*\nalice\nbob\.smith: bob\n$/);
    assert.equal(readdirSync(join(p.spool, "lists")).length, 1);
  });

  test("a dry run uses the copy, and writes none", async () => {
    using p = place();
    p.write(names(100));
    const { ask, lists } = p.start();
    await ask("user0");
    await lists.close();
    p.write(names(10));
    const dry = p.start({ readOnly: true });
    assert.equal(await dry.ask("user99", "nobody"), "in defer");
    dry.clock.advance(10 * MINUTE);
    assert.equal(await dry.ask("user99"), "out");
    await dry.lists.close();
    assert.equal(await p.start().ask("user99", "nobody"), "in defer");
  });

  test("a copy that is damaged: a list with names is believed, one without is not", async () => {
    using p = place();
    p.write(names(3));
    const { ask, lists } = p.start();
    await ask("user0");
    await lists.close();
    writeFileSync(keptListPath(p.spool, p.path), "rubbish\n");
    p.write("");
    const empty = p.start();
    assert.equal(await empty.ask("user0", "nobody"), "defer defer");
    p.write("alice\n");
    assert.equal(await empty.ask("alice", "nobody"), "in out");
  });

  test("a copy that cannot be written is a warning, and the list is used", async () => {
    using p = place();
    writeFileSync(p.spool, "a file is in the way");
    p.write("alice\n");
    const { ask, lists, log } = p.start();
    assert.equal(await ask("alice", "bob"), "in out");
    await lists.close();
    assert.match(JSON.stringify(log.named("relay.warning")), /no copy of .*accounts can be kept/);
  });
});

describe("by an operator's word", () => {
  test("a short list is believed at once, and over a restart", async () => {
    using p = place();
    p.write(names(100));
    const { ask, lists } = p.start();
    await ask("user0");
    p.write(names(3));
    assert.equal(await ask("user99"), "in");
    assert.deepEqual(await lists.accept(), [{ path: p.path }]);
    assert.equal(await ask("user0", "user99"), "in out");
    await lists.close();
    assert.equal(await p.start().ask("user0", "user99"), "in out");
  });

  test("also one that nobody has looked at since; one that is believed is nothing to accept", async () => {
    using p = place();
    p.write(names(100));
    const { ask, lists } = p.start();
    await ask("user0");
    assert.deepEqual(await lists.accept(), []);
    p.write(names(3));
    assert.deepEqual(await lists.accept(), [{ path: p.path }]);
  });

  for (const [name, content, why] of [
    ["without an entry", "", /no entry left/],
    ["of NULs", "\0\0\0", /NUL/],
  ] as const) {
    test(`a list ${name} is not believed even then`, async () => {
      using p = place();
      p.write(names(100));
      const { ask, lists } = p.start();
      await ask("user0");
      p.write(content);
      const [refused, ...more] = await lists.accept();
      assert.equal(refused?.path, p.path);
      assert.match(refused?.why ?? "", why);
      assert.deepEqual(more, []);
      assert.equal(await ask("user99", "nobody"), "in defer");
    });
  }

  test("a missing list cannot be accepted", async () => {
    using p = place();
    p.write(names(100));
    const { ask, lists } = p.start();
    await ask("user0");
    rmSync(p.path);
    assert.match((await lists.accept())[0]?.why ?? "", /ENOENT/);
  });
});

/** Resolves when the relay has written its copy. */
async function untilKept({ spool, path }: { readonly spool: string; readonly path: string }) {
  while (!existsSync(keptListPath(spool, path))) await setImmediate();
}

describe("a list that its writer confirms", () => {
  test("before it is written, is believed at once", async () => {
    using p = place();
    p.write(names(100));
    const { ask, log } = p.start();
    await ask("user0");
    await untilKept(p);
    assert.equal(await confirmList(p.spool, p.path, names(10)), 10);
    assert.equal(await ask("user99"), "in", "the file has them still");
    p.write(names(10));
    assert.equal(await ask("user0", "user99"), "in out");
    assert.deepEqual(log.named("alarm"), []);
  });

  test("after it was written, is believed from then on, over a restart too", async () => {
    using p = place();
    p.write(names(100));
    const first = p.start();
    await first.ask("user0");
    p.write(names(10));
    assert.equal(await first.ask("user99"), "in");
    await untilKept(p);
    assert.equal(await confirmList(p.spool, p.path), 10);
    assert.equal(await first.ask("user0", "user99"), "in out");
    await first.lists.close();
    assert.equal(await p.start().ask("user99"), "out");
  });

  test("is that list and no other", async () => {
    using p = place();
    p.write(names(100));
    const { ask } = p.start();
    await ask("user0");
    await untilKept(p);
    await confirmList(p.spool, p.path, names(10));
    p.write(names(9));
    assert.equal(await ask("user99", "nobody"), "in defer");
  });

  test("counts once: should it come back one day, it is judged as any other", async () => {
    using p = place();
    p.write(names(100));
    const first = p.start();
    await first.ask("user0");
    await untilKept(p);
    await confirmList(p.spool, p.path, names(10));
    p.write(names(10));
    assert.equal(await first.ask("user99"), "out");
    p.write(names(100));
    assert.equal(await first.ask("user99"), "in");
    await first.lists.close();
    p.write(names(10));
    assert.equal(await p.start().ask("user99", "nobody"), "in defer");
  });

  test("leaves nothing where nothing is kept: any list is believed there", async () => {
    using p = place();
    p.write(names(10));
    assert.equal(await confirmList(p.spool, p.path), 10);
    assert.equal(existsSync(p.spool), false);
  });

  test("has an entry: an empty or missing list is not confirmed", async () => {
    using p = place();
    await assert.rejects(confirmList(p.spool, p.path), /ENOENT/);
    p.write("# nobody\n");
    await assert.rejects(confirmList(p.spool, p.path), /has no entry/);
    await assert.rejects(confirmList(p.spool, p.path, ""), /has no entry/);
  });
});

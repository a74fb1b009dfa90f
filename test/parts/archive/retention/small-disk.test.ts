// Retention and the chains on file systems that are full, while mail comes in.

import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, statfsSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Chain } from "../../../../src/parts/archive/chain/chain.ts";
import { diskUse, fullness } from "../../../../src/parts/archive/retention/disk.ts";
import { Retention } from "../../../../src/parts/archive/retention/retention.ts";
import { manualClock } from "../../../support/clock.ts";
import { SmallDisk } from "../../../support/small-disk.ts";
import { independently, linesOf } from "../chain/chains.ts";
import { DAY, NOW, optionsOf, RetainedArchive } from "./retained-archive.ts";

const CANNOT = "this machine lets the test mount nothing";

it("the water mark is met on a real file system, while mail comes in", async (context) => {
  using disk = SmallDisk.of("8m");
  if (disk === undefined) return context.skip(CANNOT);
  await using archive = new RetainedArchive(join(disk.path, "archive"));
  const mail = join(archive.directory, "example.com/bob");
  for (const part of ["tmp", "new"]) mkdirSync(join(mail, part), { recursive: true });
  let count = 0;
  const deliver = () => {
    const name = `${100_000 + count++}`;
    writeFileSync(join(mail, "tmp", name), "x".repeat(20_000));
    const time = (NOW - 100 * DAY) / 1000 + count;
    utimesSync(join(mail, "tmp", name), time, time);
    renameSync(join(mail, "tmp", name), join(mail, "new", name));
  };
  const full = async () => fullness(await diskUse(disk.path));
  while ((await full()) < 0.91) deliver();
  await archive.filed();
  const retention = new Retention({
    directory: archive.directory,
    messages: archive.index,
    holds: archive.holds,
    store: archive.store,
    manifest: archive.manifest,
    audit: archive.audit,
    turns: archive.turns,
    clock: archive.clock,
    options: optionsOf({}),
    isBehind: () => false,
  });
  const delivering = (async () => {
    for (let left = 5; left > 0; left--) {
      deliver();
      await nextTurn();
    }
  })();
  const { octets } = await diskUse(disk.path);
  const result = { deleted: 0, octets: 0, isShort: false, nextEnd: 0 };
  const departures = await Array.fromAsync(retention.run(false, AbortSignal.any([]), result));
  await delivering;
  const names = departures.map(({ message }) => message.name);
  assert.deepEqual(names, names.toSorted());
  assert.equal(names[0], "100000");
  assert.equal(names.length, Math.ceil((octets * 0.05) / 20_480));
  assert.equal(result.isShort, false);
  assert.ok((await full()) < 0.9);
});

it("a chain on a full disk refuses lines, and goes on when there is room", async (context) => {
  using disk = SmallDisk.of("256k");
  if (disk === undefined) return context.skip(CANNOT);
  const directory = join(disk.path, "manifest");
  const chain = new Chain(directory, manualClock(NOW));
  await chain.append([{ word: "file", fields: ["first"] }]);
  const filler = join(disk.path, "filler");
  const { bavail, bsize } = statfsSync(disk.path);
  writeFileSync(filler, Buffer.alloc((bavail - 1) * bsize));
  const many = Array.from({ length: 200 }, (_, n) => ({ word: "file", fields: [`lost${n}`] }));
  await assert.rejects(chain.append(many), { code: "ENOSPC" });
  await chain.append([{ word: "file", fields: ["small"] }]);
  rmSync(filler);
  await chain.append([{ word: "file", fields: ["last"] }]);
  await chain.close();
  assert.deepEqual(
    independently(directory).map((text) => text.split(" ").at(-1)),
    ["first", "small", "last"],
  );
  assert.ok((await linesOf(directory)).every(({ state }) => state === "whole"));
});

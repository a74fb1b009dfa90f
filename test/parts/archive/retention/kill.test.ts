// kill -9 before each step of a deletion: the next process finishes what was begun, and the archive is right.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { isFault } from "../../../../src/parts/archive/proof/faults.ts";
import { RetainedArchive } from "./retained-archive.ts";

const PROCESS = join(import.meta.dirname, "deleting-process.ts");
const BOB = "bob@example.com";
const TABLE = { keep: "400d" };

it("no step of a deletion loses its end to a kill", { timeout: 300_000 }, async () => {
  const model = new RetainedArchive();
  for (const [name, days] of [
    ["1", 500],
    ["2", 499],
    ["3", 498],
    ["4", 300],
  ] as const) {
    model.put(BOB, name === "2" ? "Sent" : "INBOX", name, days);
  }
  model.put(BOB, "INBOX", "5", 497, "secret");
  await model.filed();
  assert.ok(await model.hold("case", "secret"));
  await model.close();
  let kills = 0;
  for (let isWhole = false; !isWhole; kills++) {
    const place = mkdtempSync(join(tmpdir(), "unseen-killed-"));
    cpSync(model.place, place, { recursive: true, preserveTimestamps: true });
    const { stdout, stderr } = spawnSync(process.execPath, [PROCESS, place, String(kills)], {
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    isWhole = stdout === "whole";
    await using archive = new RetainedArchive(place);
    await archive.index.walk();
    assert.ok(!(await archive.findings()).some(isFault), `after the kill at ${kills}`);
    await archive.run(TABLE);
    assert.deepEqual(archive.files(), ["4", "5"], `after the kill at ${kills}`);
    assert.deepEqual(archive.index.names, ["5", "4"]);
    assert.deepEqual(await archive.findings(), []);
    assert.deepEqual(archive.store.going(), []);
  }
  assert.ok(kills > 10, `${kills} kills`);
  rmSync(model.place, { recursive: true, force: true });
});

it("what was begun stays if a hold covers it meanwhile", async () => {
  await using archive = new RetainedArchive();
  archive.put(BOB, "INBOX", "1", 500);
  await archive.filed();
  const [message] = await archive.index.oldestFirst(0, 1);
  assert.ok(message);
  const { id, account, folder, name, sha256 } = message;
  const going = { id, account, folder, name, sha256, rule: "keep" };
  archive.store.begin([going], { octets: 0, inodes: 0 }, 0);
  await archive.manifest.append([{ word: "going", ...going }]);
  assert.ok(await archive.hold("case", `account:${BOB}`));
  await archive.run(TABLE);
  assert.deepEqual(archive.files(), ["1"]);
  assert.deepEqual(await archive.findings(), []);
  rmSync(join(archive.directory, "example.com/bob/new/1"));
  assert.deepEqual(
    (await archive.findings()).map(({ what }) => what),
    ["missing"],
  );
});

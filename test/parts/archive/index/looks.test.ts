import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Looks } from "../../../../src/parts/archive/index/looks.ts";
import { manualClock } from "../../../support/clock.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-looks-"));
after(() => rmSync(directory, { recursive: true }));

describe("looks at files", () => {
  test("say what is there, and do not follow links", async () => {
    const looks = new Looks(manualClock());
    const file = join(directory, "file");
    writeFileSync(file, "text");
    symlinkSync(file, join(directory, "link"));
    const paths = [file, directory, join(directory, "link"), join(directory, "none"), `${file}/x`];
    const kinds = (await looks.look(paths)).map((look) => look?.kind);
    assert.deepEqual(kinds, ["file", "directory", "other", undefined, undefined]);
    assert.partialDeepStrictEqual(await looks.look([file]), [{ size: 4 }]);
    looks.close();
  });

  test("give names in pieces, while other looks go on", async () => {
    const looks = new Looks(manualClock());
    const many = join(directory, "many");
    mkdirSync(many);
    for (let n = 0; n < 1200; n++) writeFileSync(join(many, String(n)), "");
    const names: string[] = [];
    let pieces = 0;
    for await (const piece of looks.names(many)) {
      pieces += 1;
      names.push(...piece);
      assert.equal((await looks.look([directory])).at(0)?.kind, "directory");
    }
    assert.equal(new Set(names).size, 1200);
    assert.ok(pieces >= 3);
    await assert.rejects(async () => {
      for await (const _ of looks.names(join(directory, "none")));
    }, /ENOENT/);
    looks.close();
  });
});

/** A look that ends by time, because its thread has not even started. */
async function late(looks: Looks, clock: ReturnType<typeof manualClock>): Promise<void> {
  const look = looks.look([directory]);
  await new Promise((resolve) => void setImmediate(resolve));
  clock.advance(20_000);
  await assert.rejects(look, /does not answer/);
}

describe("a file system that does not answer", () => {
  test("holds up one look for 20 seconds, and the next has a thread of its own", async () => {
    const clock = manualClock();
    const looks = new Looks(clock);
    await late(looks, clock);
    assert.equal((await looks.look([directory])).at(0)?.kind, "directory");
    looks.close();
  });

  test("takes four threads at most, until it answers", async () => {
    const clock = manualClock();
    const looks = new Looks(clock);
    for (let threads = 0; threads < 4; threads++) await late(looks, clock);
    await assert.rejects(looks.look([directory]), /does not answer/);
    assert.equal(clock.pending, 0, "it was refused at once");
    let kind: string | undefined;
    while (kind === undefined) {
      await new Promise((resolve) => void setTimeout(resolve, 5));
      kind = await looks.look([directory]).then(
        ([look]) => look?.kind,
        () => undefined,
      );
    }
    assert.equal(kind, "directory");
    looks.close();
  });
});

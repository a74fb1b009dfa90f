import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { Manifest } from "../../../../src/parts/archive/chain/manifest.ts";
import { independently } from "../chain/chains.ts";
import { entryOf } from "../proof/archives.ts";
import { ArchivePlace } from "./archive-place.ts";

const BOB = "bob@example.com";

async function noted(place: ArchivePlace, ...names: readonly string[]): Promise<void> {
  const manifest = new Manifest(place.state, systemClock);
  await manifest.append(names.map((name) => entryOf(BOB, "INBOX", `new/${name}`, name)));
  await manifest.close();
  for (const name of names) place.put(`example.com/bob/new/${name}`, name);
}

describe("relayctl archive verify", () => {
  it("says what is wrong, for people and for programs, and accepts a known loss", async () => {
    using place = new ArchivePlace();
    assert.equal((await place.archive("verify")).code, 0);
    await noted(place, "1.a", "1.b");
    const right = await place.archive("verify");
    assert.deepEqual([right.code, right.stderr], [0, ""]);
    assert.match(right.stdout, /^2 files compared with 2 lines .*\nAll is right\.\n$/);
    assert.equal((await place.archive("verify", "--json")).stdout, "");

    const lost = join(place.mail, "example.com/bob/new/1.a");
    rmSync(lost);
    const fault = await place.archive("verify", "--json");
    assert.equal(fault.code, 1);
    assert.deepEqual(JSON.parse(fault.stdout), { what: "missing", path: lost });
    assert.match(
      (await place.archive("verify")).stdout,
      /^missing +\S+1\.a\n.*\nFaults: 1 missing\.\n$/,
    );
    assert.equal((await place.archive("verify", "--account", "ann@example.com")).code, 0);

    assert.equal((await place.archive("verify", "--accept", lost)).code, 64);
    assert.equal((await place.archive("verify", "--accept", "--why", "x")).code, 64);
    assert.equal((await place.archive("verify", "--accept", `${lost}x`, "--why", "x")).code, 1);
    const accepted = await place.archive("verify", "--accept", lost, "--why", "a fire");
    assert.deepEqual([accepted.code, accepted.stdout], [0, `accepted ${lost}\n`]);
    assert.equal((await place.archive("verify")).code, 0);
    const [note = ""] = independently(join(place.state, "audit"));
    assert.match(note, / accept by=relayctl%20\(\S+\) path=\S+1\.a why=a%20fire$/);
  });

  it("finds a seal again, and misses it when the end was cut off", async () => {
    using place = new ArchivePlace();
    assert.equal((await place.archive("seal")).code, 1);
    await noted(place, "1.a", "1.b");
    const seal = await place.archive("seal");
    assert.match(seal.stdout, /^[0-9a-f]{64}\n$/);
    const hash = seal.stdout.trim();
    assert.deepEqual(JSON.parse((await place.archive("seal", "--json")).stdout), {
      manifest: hash,
      audit: null,
    });
    assert.equal((await place.archive("verify", "--seal", hash)).code, 0);
    assert.equal((await place.archive("verify", "--seal", "abc")).code, 64);
    const [day = ""] = independently(join(place.state, "manifest"));
    const file = join(place.state, "manifest", day.slice(0, 10));
    const text = readFileSync(file, "latin1");
    writeFileSync(file, text.slice(0, text.indexOf("\n") + 1));
    rmSync(join(place.mail, "example.com/bob/new/1.b"));
    assert.equal((await place.archive("verify")).code, 0);
    const cut = await place.archive("verify", "--seal", hash);
    assert.equal(cut.code, 1);
    assert.match(cut.stdout, /^cut +\S+manifest\n +has no line with the hash of the seal\n/);
  });
});

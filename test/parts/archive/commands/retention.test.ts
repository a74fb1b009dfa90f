import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isTable } from "../../../../src/base/table.ts";
import { independently } from "../chain/chains.ts";
import { ArchivePlace } from "./archive-place.ts";

const DAY = 86_400_000;

function message(subject: string): string {
  return `From: a@example.org\nTo: bob@example.com\nSubject: ${subject}\nDate: Thu, 01 Jan 2015 00:00:00 +0000\n\nHello\n`;
}

/** A value of each line of JSON. */
function values(text: string, field: string): string[] {
  const lines = text.split("\n").filter(Boolean);
  return lines.map((line) => {
    const value: unknown = JSON.parse(line);
    return isTable(value) ? String(value[field]) : "";
  });
}

describe("relayctl archive retain, hold and erase", () => {
  it("let go what the rules say and no hold covers", { timeout: 300_000 }, async () => {
    using place = new ArchivePlace(`[archive.retention]
keep = "1y"
rules = [{ folder = "Sent", keep = "2y" }]
`);
    const old = place.put("example.com/bob/new/1.a", message("old"), 400 * DAY);
    const kept = place.put("example.com/bob/new/1.b", message("contract"), 401 * DAY);
    const sent = place.put("example.com/bob/.Sent/cur/1.c:2,S", message("sent"), 402 * DAY);
    const young = place.put("example.com/bob/new/1.d", message("young"), 40 * DAY);
    const late = place.put("example.com/bob/.Sent/new/1.e", message("late"), 800 * DAY);

    const add = ["hold", "add", "case-7", "--query", "subject:contract"];
    assert.equal((await place.archive(...add)).code, 64);
    assert.equal((await place.archive(...add.slice(0, 4), "older:2m", "--why", "x")).code, 64);
    const held = await place.archive(...add, "--why", "a case");
    assert.deepEqual([held.code, held.stderr], [0, ""]);
    assert.equal((await place.archive(...add, "--why", "a case")).code, 1);

    const dry = await place.archive("retain", "--dry-run", "--json");
    assert.deepEqual([dry.code, dry.stderr], [0, ""]);
    assert.deepEqual(values(dry.stdout, "path"), [late, old]);
    assert.deepEqual(values(dry.stdout, "rule"), ["rules[0]", "keep"]);
    const retained = await place.archive("retain");
    assert.deepEqual([retained.code, retained.stderr], [0, ""]);
    assert.match(
      retained.stdout,
      /^\S+ rules\[0\] +\S+1\.e\n\S+ keep +\S+1\.a\n2 messages deleted, \d+\n$/,
    );
    assert.deepEqual([old, kept, sent, young, late].map(existsSync), [
      false,
      true,
      true,
      true,
      false,
    ]);
    assert.equal((await place.archive("verify")).code, 0);

    const list = await place.archive("hold", "list", "--json");
    assert.deepEqual(values(list.stdout, "covers"), ["1"]);
    const erase = ["erase", "--account", "bob@example.com"];
    assert.equal((await place.archive(...erase)).code, 64);
    const erased = await place.archive(...erase, "--why", "asked for", "--json");
    assert.equal(erased.code, 1);
    assert.deepEqual(values(erased.stdout, "what").toSorted(), ["deleted", "deleted", "held"]);
    assert.equal((await place.archive("hold", "release", "case-7")).code, 0);
    assert.equal((await place.archive("hold", "release", "case-7")).code, 1);
    assert.equal((await place.archive(...erase, "--why", "asked for")).code, 0);
    assert.equal((await place.archive(...erase, "--why", "asked for")).code, 1);
    assert.equal((await place.archive("verify")).code, 0);
    const acts = independently(join(place.state, "audit")).map((line) => line.split(" ")[1]);
    assert.deepEqual(acts, ["hold", "hold", "retain", "erase", "release", "erase", "erase"]);
    assert.match(readFileSync(join(place.directory, "routers.toml"), "utf8"), /keep/);
  });

  it("say what is missing in the configuration", async () => {
    using place = new ArchivePlace();
    assert.equal((await place.archive("retain")).code, 78);
    rmSync(join(place.directory, "routers.toml"));
    assert.equal((await place.archive("retain")).code, 66);
    using wrong = new ArchivePlace('[archive.retention]\nkeep = "10d"\n');
    const check = await wrong.relayctl("check", "--config", "routers.toml");
    assert.equal(check.code, 78);
    assert.match(
      check.stderr + check.stdout,
      /archive\.retention\.keep: is shorter than `minimum`/,
    );
    using warned = new ArchivePlace('[archive.retention]\nkeep = "10y"\n');
    const warning = await warned.relayctl("check", "--config", "routers.toml");
    assert.equal(warning.code, 0);
    assert.match(warning.stderr + warning.stdout, /an age is no promise/);
  });
});

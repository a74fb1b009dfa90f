// The pages for people: what they link to is there.

import assert from "node:assert/strict";
import { globSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parseLsearch } from "../src/lists/lsearch-text.ts";

const ROOT = join(import.meta.dirname, "..");
const pages = globSync(["*.md", "{docs,routers,src,transports,test}/**/*.md"], { cwd: ROOT });

/** "## What is not there yet" is #what-is-not-there-yet. */
function anchors(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^#+ (.*)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

for (const page of pages) {
  test(`every link in ${page} leads somewhere`, () => {
    const text = readFileSync(join(ROOT, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? join(ROOT, page) : join(ROOT, dirname(page), path);
      assert.ok(statSync(file, { throwIfNoEntry: false }), target);
      if (anchor === undefined) continue;
      assert.ok(anchors(readFileSync(file, "utf8")).includes(anchor), target);
    }
  });
}

test("the accounts that docs/set-up.md shows are read as it says", async () => {
  const text = readFileSync(join(ROOT, "docs/set-up.md"), "utf8");
  const accounts = /^```\n(alice\n[^`]*)```$/m.exec(text)?.[1] ?? "";
  assert.deepEqual(
    [...(await parseLsearch(accounts))],
    [
      ["alice", "alice"],
      ["bob", "bob"],
      ["bob.smith", "bob"],
      ["sales", "sales"],
      ["postmaster", "postmaster"],
      ["abuse", "abuse"],
    ],
  );
});

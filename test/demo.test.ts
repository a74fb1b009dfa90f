// The demo is the first thing that anybody sees of us, and it checks what it shows.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const DEMO = join(import.meta.dirname, "..", "demo", "demo.ts");

test("the demo keeps every promise that it makes", async () => {
  const directory = await mkdtemp(join(tmpdir(), "unseen-demo-test-"));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [DEMO], {
      env: { ...process.env, TMPDIR: directory, NO_COLOR: "1" },
    });
    assert.match(stdout, /All \d+ promises were kept/);
    assert.doesNotMatch(stdout, /BROKEN/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

// A file that the configuration names, on a file system that may hang.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { NamedFiles } from "../../src/base/named-file.ts";
import { manualClock } from "../support/clock.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-named-file-"));
after(() => rmSync(directory, { recursive: true }));
const file = join(directory, "key");
writeFileSync(file, "secret\n");

/** Files whose names contain "hung" do not answer until `answer`. */
function hanging() {
  const clock = manualClock();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const opened: string[] = [];
  const files = new NamedFiles({
    clock,
    async open(path, flags) {
      opened.push(path);
      if (path.includes("hung")) await answered;
      return open(file, flags);
    },
  });
  return { clock, answer, opened, files };
}

test("is read whole, with its mode", async () => {
  const { bytes, mode } = await new NamedFiles().read(file);
  assert.equal(bytes.toString(), "secret\n");
  assert.ok((mode & 0o400) !== 0);
});

test("a pipe and a directory are none, and nobody waits for a writer", async () => {
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  await assert.rejects(new NamedFiles().read(pipe), /it is no regular file/);
  await assert.rejects(new NamedFiles().read(directory), /it is a directory/);
});

test("one that does not answer counts as one that cannot be read, after five seconds, and then at once", async () => {
  const { clock, answer, opened, files } = hanging();
  const first = assert.rejects(files.read("hung"), /its file system does not answer/);
  clock.advance(5000);
  await first;
  for (let count = 0; count < 20; count++) {
    await assert.rejects(files.read("hung"), /its file system does not answer/);
  }
  assert.deepEqual(opened, ["hung"]);
  assert.equal((await files.read("other")).bytes.toString(), "secret\n");
  answer();
  const mayRead = () => files.read("hung").catch(() => setImmediate());
  while ((await mayRead()) === undefined);
  assert.equal(clock.pending, 0);
});

test("ten that hang hold two threads, and all are said not to answer", async () => {
  const { clock, opened, files } = hanging();
  const names = Array.from({ length: 10 }, (_, index) => `hung${index}`);
  const all = Promise.allSettled(names.map((name) => files.read(name)));
  clock.advance(5000);
  assert.ok((await all).every(({ status }) => status === "rejected"));
  assert.equal(opened.length, 2);
});

// Directories that are made and synced on the way to a path, and their order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DirectoryMaker } from "../../../src/base/durable/directory-maker.ts";
import { DirectorySyncs } from "../../../src/base/durable/directory-syncs.ts";
import { type FileCalls, nodeFileCalls } from "../../../src/base/durable/file-calls.ts";
import { systemError } from "../../support/file-calls.ts";

/** Directories in memory. */
function disk(...existing: string[]) {
  const directories = new Set(["/", ...existing]);
  const made: string[] = [];
  const calls: FileCalls = {
    ...nodeFileCalls,
    mkdir(path, mode) {
      if (directories.has(path)) return Promise.reject(systemError("EEXIST"));
      const parent = path.slice(0, path.lastIndexOf("/")) || "/";
      if (!directories.has(parent)) return Promise.reject(systemError("ENOENT"));
      directories.add(path);
      made.push(`mkdir ${path} ${mode.toString(8)}`);
      return Promise.resolve();
    },
    open(path) {
      made.push(`sync ${path}`);
      return Promise.resolve(0);
    },
    fsync: () => Promise.resolve(),
    close: () => undefined,
  };
  return { calls, made, maker: new DirectoryMaker(new DirectorySyncs(), "/var/mail", 0o700) };
}

test("below the root every directory is synced into its parent, also one that exists", async () => {
  const { calls, made, maker } = disk("/var", "/var/mail", "/var/mail/example.com");
  await maker.make("/var/mail/example.com/bob", calls);
  assert.deepEqual(made, [
    "sync /var/mail",
    "mkdir /var/mail/example.com/bob 700",
    "sync /var/mail/example.com",
  ]);
});

test("the root and above it only missing directories are made and synced", async () => {
  const { calls, made, maker } = disk("/var");
  await maker.make("/var/mail", calls);
  await maker.make("/var/mail", calls);
  assert.deepEqual(made, ["mkdir /var/mail 700", "sync /var"]);
});

test("missing parents are made first", async () => {
  const { calls, made, maker } = disk();
  await maker.make("/var/mail/bob", calls);
  assert.deepEqual(made, [
    "mkdir /var 700",
    "sync /",
    "mkdir /var/mail 700",
    "sync /var",
    "mkdir /var/mail/bob 700",
    "sync /var/mail",
  ]);
});

test("an error of the system is passed on, and nothing is synced", async () => {
  const { calls, made, maker } = disk("/var");
  const full: FileCalls = { ...calls, mkdir: () => Promise.reject(systemError("ENOSPC")) };
  await assert.rejects(maker.make("/var/mail", full), { code: "ENOSPC" });
  assert.deepEqual(made, []);
});

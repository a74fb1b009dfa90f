// Files that go into a Maildir with a time of long ago: whole, synced and under their final name, or not there at all.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { type FileCalls, nodeFileCalls } from "../../src/base/durable/file-calls.ts";
import { NewFiles } from "../../src/maildir/new-files.ts";
import { filesBelow } from "../support/archive-files.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SERVICES = { clock: systemClock, hostname: "mx.example.com" };
const TIME = Date.UTC(2001, 1, 3, 4, 5, 6) + 789;

function newFiles(root: string, calls?: FileCalls): NewFiles {
  return new NewFiles({ root, mode: 0o640 }, SERVICES, calls);
}

const short = (path: string): string => /\/a\/b\/(tmp|new)/.exec(path)?.[1] ?? "above";

/** Notes calls on files, with the part of the Maildir or the directory that they are about. */
function noted(notes: string[]): FileCalls {
  const names = new Map<number, string>();
  return {
    ...nodeFileCalls,
    open: async (path, flags, mode) => {
      const fd = await nodeFileCalls.open(path, flags, mode);
      names.set(fd, short(path));
      return fd;
    },
    fsync: async (fd) => {
      notes.push(`sync ${names.get(fd)}`);
      await nodeFileCalls.fsync(fd);
    },
    rename: async (from, to) => {
      notes.push(`${short(from)} to ${short(to)}`);
      await nodeFileCalls.rename(from, to);
    },
  };
}

test("the file is synced with its time, then named, then the name is synced", async () => {
  const root = temporaryDirectory();
  const notes: string[] = [];
  const draft = await newFiles(root, noted(notes)).begin(join(root, "a/b"));
  notes.length = 0;
  await draft.write(Buffer.from("one "));
  await draft.write(Buffer.from("two"));
  const path = await draft.place("Ikey", TIME);
  assert.deepEqual(notes, ["sync tmp", "tmp to new", "sync new"]);
  assert.match(path, /\/a\/b\/new\/\d+\.M\d+IkeyP.*\.mx\.example\.com,S=7$/);
  assert.equal(readFileSync(path, "utf8"), "one two");
  const { mode, mtimeMs } = statSync(path);
  assert.deepEqual([mode & 0o777, mtimeMs], [0o640, TIME]);
});

test("a file that cannot be synced gets no name", async () => {
  const root = temporaryDirectory();
  const maildir = join(root, "a");
  const files = newFiles(root);
  await (await files.begin(maildir)).discard();
  const fails = newFiles(root, {
    ...nodeFileCalls,
    fsync: (fd) =>
      statSync(`/proc/self/fd/${fd}`).isFile()
        ? Promise.reject(new Error("EIO"))
        : nodeFileCalls.fsync(fd),
  });
  const draft = await fails.begin(maildir);
  await assert.rejects(draft.place("Ikey", TIME), /EIO/);
  assert.deepEqual(readdirSync(join(maildir, "new")), []);
});

test("drafts of a killed process are removed, and nothing else", async () => {
  const root = temporaryDirectory();
  const maildir = join(root, "a");
  const files = newFiles(root);
  await files.removeDrafts(maildir);
  await files.begin(maildir);
  mkdirSync(join(maildir, "tmp"), { recursive: true });
  writeFileSync(join(maildir, "tmp", "1.M2E3G00000000P4Q5R6.host"), "a copy on its way");
  await files.removeDrafts(maildir);
  assert.deepEqual(
    filesBelow(maildir).map((path) => readFileSync(path, "utf8")),
    ["a copy on its way"],
  );
});

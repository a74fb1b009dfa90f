// Files that are replaced together: all of them or none, with the owner and mode that they had.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { replaceFiles } from "../../../src/base/durable/file-set.ts";
import { findUser } from "../../../src/base/users.ts";

class Place implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "file-set-"));

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

const isRoot = process.getuid?.() === 0;
const NOBODY = findUser("nobody");

test("new files have the mode, and replaced ones keep theirs", async () => {
  using place = new Place();
  writeFileSync(place.path("old"), "old");
  chmodSync(place.path("old"), 0o604);
  const files = ["old", "new", "below/new"].map((name) => ({ path: place.path(name), text: name }));
  await replaceFiles(files, { mode: 0o640 });
  const modes = ["old", "new", "below/new", "below"].map((name) => {
    return statSync(place.path(name)).mode & 0o777;
  });
  assert.deepEqual(modes, [0o604, 0o640, 0o640, 0o750]);
  assert.deepEqual([place.read("old"), place.read("below/new")], ["old", "below/new"]);
  assert.deepEqual(
    readdirSync(place.directory).toSorted((a, b) => (a < b ? -1 : 1)),
    ["below", "new", "old"],
  );
});

test("if one file cannot be written, all are as they were, and no draft is left", async () => {
  using place = new Place();
  writeFileSync(place.path("one"), "old");
  writeFileSync(place.path("no-directory"), "");
  const files = [
    { path: place.path("one"), text: "new" },
    { path: place.path("no-directory/two"), text: "new" },
  ];
  await assert.rejects(replaceFiles(files, { mode: 0o640 }), { code: "ENOTDIR" });
  assert.equal(place.read("one"), "old");
  assert.deepEqual(readdirSync(place.directory).length, 2);
});

test("a link is replaced, and the file that it leads to stays", async () => {
  using place = new Place();
  writeFileSync(place.path("target"), "precious");
  symlinkSync("target", place.path("link"));
  await replaceFiles([{ path: place.path("link"), text: "new" }], { mode: 0o640 });
  assert.deepEqual([place.read("target"), place.read("link")], ["precious", "new"]);
});

test(
  "root gives what is new to the owner, and what is replaced to its owner",
  { skip: !isRoot },
  async () => {
    assert.ok(NOBODY);
    using place = new Place();
    mkdirSync(place.path("root"));
    writeFileSync(place.path("root/kept"), "old");
    writeFileSync(place.path("root/theirs"), "old");
    chownSync(place.path("root/theirs"), 12_345, 12_345);
    const files = ["root/kept", "root/theirs", "new/file"].map((name) => ({
      path: place.path(name),
      text: "new",
    }));
    await replaceFiles(files, { mode: 0o640, owner: NOBODY });
    const owners = ["root/kept", "root/theirs", "new", "new/file"].map(
      (name) => statSync(place.path(name)).uid,
    );
    assert.deepEqual(owners, [0, 12_345, NOBODY.uid, NOBODY.uid]);
  },
);

// What an account has already: by the index, by the names of imported files, and by the files themselves.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { IndexedContent } from "../../../../src/parts/archive/index/index-reader.ts";
import {
  markKey,
  readAccountContents,
} from "../../../../src/parts/archive/import/account-contents.ts";
import { importKey } from "../../../../src/parts/archive/model/imported-name.ts";
import { storeMessages } from "../../../support/archive-files.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const BOB = "bob@example.com";
const hashOf = (text: string) => createHash("sha256").update(text).digest();

async function* rows(...contents: readonly IndexedContent[]): AsyncGenerator<IndexedContent> {
  yield* contents;
}

test("a file that the index has is not read; one that it lacks is", async () => {
  const root = temporaryDirectory();
  const copy = "Return-path: <a@b.example>\nEnvelope-to: bob@example.com\na: 2\n";
  const [one] = storeMessages(root, BOB, [
    { content: Buffer.from("a: 1\n"), folder: "Sent", time: 1e12 },
    { content: Buffer.from(copy), folder: "INBOX", time: 1e12 },
  ]);
  assert.ok(one !== undefined);
  const indexed = {
    directory: ".Sent",
    name: one.name,
    contentSha256: hashOf("as indexed").toString("hex"),
  };
  const { known } = await readAccountContents(root, BOB, rows(indexed));
  const answers = ["as indexed", "a: 1\n", "a: 2\n", copy].map((text) => known.has(hashOf(text)));
  assert.deepEqual(answers, [true, false, true, false]);
});

test("a message that the index has and the disk has not does not count", async () => {
  const root = temporaryDirectory();
  const content = hashOf("gone");
  const gone = { directory: "", name: "1.M1P1.host", contentSha256: content.toString("hex") };
  const { known, maildirs } = await readAccountContents(root, BOB, rows(gone));
  assert.deepEqual([known.has(content), known.size, maildirs], [false, 0, []]);
});

test("the name of an imported file says content and mark, wherever a reader has put it", async () => {
  const root = temporaryDirectory();
  const [one] = storeMessages(root, BOB, [
    { content: Buffer.from("x"), folder: "INBOX", time: 1e12 },
  ]);
  assert.ok(one !== undefined);
  const content = hashOf("below the labels");
  const key = importKey({ sha256: content.toString("hex"), mark: "0123456789abcdef" });
  renameSync(
    one.path,
    join(dirname(dirname(one.path)), "cur", `1796138332.M826000${key}P1Q2R3.host,S=1:2,RS`),
  );
  const { known, marks } = await readAccountContents(root, BOB, rows());
  assert.deepEqual([known.has(content), known.has(hashOf("x"))], [true, false]);
  assert.deepEqual([marks.has(markKey("0123456789abcdef")), marks.size], [true, 1]);
});

// Zips as other people make them: encrypted, broken, or bombs.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ZipWriter } from "../../../../src/parts/archive/formats/zip-writer.ts";
import { storedIn } from "../../../support/archive-files.ts";
import { type Imported, importPaths } from "../../../support/archive-import.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const BOB = "bob@example.com";
const TIME = Date.UTC(2026, 5, 4, 3, 2, 1);
const CENTRAL = Buffer.from("PK\u0001\u0002");

async function zipOf(entries: Readonly<Record<string, string>>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const waiting: Buffer[] = [];
  const zip = new ZipWriter({
    write: async (bytes) => void pieces.push(bytes),
    writeLater: async (bytes) => void waiting.push(bytes),
    later: async function* () {
      yield Buffer.concat(waiting);
    },
    truncate: async () => assert.fail("nothing failed"),
  });
  for (const [name, text] of Object.entries(entries)) {
    const content = (async function* () {
      yield Buffer.from(text);
    })();
    await zip.add({ name, time: TIME, size: text.length, content });
  }
  await zip.end("");
  return Buffer.concat(pieces);
}

async function imported(bytes: Buffer): Promise<Imported & { readonly stored: readonly string[] }> {
  const root = temporaryDirectory();
  const path = join(root, "x.zip");
  writeFileSync(path, bytes);
  const result = await importPaths(join(root, "to"), [path]);
  const refusals = result.refusals.map((text) => text.replace(`${root}/`, ""));
  const stored = result.imported === 0 ? [] : storedIn(join(root, "to"), BOB);
  return { ...result, refusals, stored: stored.map((line) => line.replace(/ \w{64}$/, "")) };
}

test("messages and mboxes, with their folders and times", async () => {
  const from = "From a@b.example Thu Jan  1 00:00:00 2026\n";
  const { stored, skipped } = await imported(
    await zipOf({
      "a.eml": "a: 1\n",
      "Work/Old/b.EML": "a: 2\n",
      "Takeout/Mail/Work.mbox": `${from}X-Gmail-Labels: Sent\na: 3\n\n${from}a: 4\n\n`,
      "Maildir/cur/1.host:2,S": "a: 5\n",
      "../../evil/../c.eml": "a: 6\n",
      "readme.txt": "no mail",
      "__MACOSX/._a.eml": "no mail",
    }),
  );
  const file = TIME / 1000;
  const line = Date.UTC(2026, 0, 1) / 1000;
  assert.equal(skipped, 2);
  assert.deepEqual(stored, [
    `.Maildir ${file}`,
    `.Sent ${line}`,
    `.Takeout.Mail.Work ${line}`,
    `.Work.Old ${file}`,
    `.evil ${file}`,
    `INBOX ${file}`,
  ]);
});

test("an entry that is a bomb is refused, and the rest is imported", async () => {
  const bomb = "\0".repeat(100_000_000);
  const result = await imported(
    await zipOf({ "a.eml": "a: 1\n", "b.eml": bomb, "c.eml": "a: 2\n" }),
  );
  assert.equal(result.imported, 2);
  assert.match(
    result.refusals[0] ?? "",
    /^x\.zip: b\.eml: it unpacks to 100000000 octets .* bomb$/,
  );
});

test("entries that share octets are a bomb", async () => {
  const bytes = await zipOf({ "a.eml": `a: ${Math.random()}\n`.repeat(1000) });
  const at = bytes.indexOf(CENTRAL);
  const record = bytes.subarray(at, -22);
  const end = Buffer.from(bytes.subarray(-22));
  end.writeUInt16LE(1000, 8);
  end.writeUInt16LE(1000, 10);
  end.writeUInt32LE(1000 * record.length, 12);
  const records = Array.from({ length: 1000 }, () => record);
  const result = await imported(Buffer.concat([bytes.subarray(0, at), ...records, end]));
  const [refusal] = result.refusals;
  if (refusal !== undefined) assert.match(refusal, /share octets/);
  assert.equal(result.imported, 1);
});

test("an encrypted entry is refused by name", async () => {
  const bytes = await zipOf({ "über.eml": "a: 1\n" });
  for (const at of [6, bytes.indexOf(CENTRAL) + 8])
    bytes.writeUInt16LE(bytes.readUInt16LE(at) | 1, at);
  const { refusals } = await imported(bytes);
  assert.deepEqual(refusals, ["x.zip: über.eml: it is encrypted"]);
});

test("names of any octets", async () => {
  const bytes = await zipOf({ "A/?.eml": "a: 1\n", "A/!.eml": "a: 2\n" });
  for (let at = bytes.indexOf("A/?"); at !== -1; at = bytes.indexOf("A/?", at + 1))
    bytes[at + 2] = 0xff;
  const { stored } = await imported(bytes);
  assert.deepEqual(stored, [`.A ${TIME / 1000}`, `.A ${TIME / 1000}`]);
});

test("a changed octet is seen, and the rest is imported", async () => {
  const bytes = await zipOf({ "a.eml": "a: 1\n", "b.eml": "a: 2\n" });
  const sum = bytes.indexOf(CENTRAL) + 16;
  bytes[sum] = (bytes[sum] ?? 0) ^ 1;
  const result = await imported(bytes);
  assert.equal(result.imported, 1);
  assert.match(result.refusals.join(), /^x\.zip: a\.eml: /);
});

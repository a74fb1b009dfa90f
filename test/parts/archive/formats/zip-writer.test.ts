// Zip files: what is written is read by a library that others have made.

import assert from "node:assert/strict";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openPromise } from "yauzl";
import { ZipWriter } from "../../../../src/parts/archive/formats/zip-writer.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

interface Written {
  readonly name: string;
  readonly time: number;
  readonly content: string;
}

async function* piecesOf(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

function zipInMemory() {
  let written = Buffer.alloc(0);
  let waiting = Buffer.alloc(0);
  const zip = new ZipWriter({
    write: async (bytes) => void (written = Buffer.concat([written, bytes])),
    writeLater: async (bytes) => void (waiting = Buffer.concat([waiting, bytes])),
    later: async function* () {
      yield waiting;
    },
    truncate: async (length) => void (written = written.subarray(0, length)),
  });
  return { zip, bytes: () => written };
}

async function readBack(bytes: Buffer): Promise<{ entries: Written[]; comment: string }> {
  const path = join(temporaryDirectory(), "x.zip");
  await writeFile(path, bytes);
  const file = await openPromise(path, { lazyEntries: true });
  const entries: Written[] = [];
  for await (const entry of file.eachEntry()) {
    const pieces: Buffer[] = [];
    for await (const piece of await file.openReadStreamPromise(entry)) pieces.push(piece);
    const time = entry.getLastModDate().getTime();
    entries.push({ name: entry.fileName, time, content: Buffer.concat(pieces).toString() });
  }
  return { entries, comment: file.comment };
}

const TIME = Date.UTC(2026, 5, 4, 3, 2, 1);

test("entries of all sizes, with their names and times", async () => {
  const entries = ["", "x", "y".repeat(300_000), "z".repeat(3_000_000)].map((content, index) => ({
    name: `über/${index}.eml`,
    time: TIME + index * 1000,
    content,
  }));
  const { zip, bytes } = zipInMemory();
  for (const { name, time, content } of entries) {
    await zip.add({ name, time, size: content.length, content: piecesOf(content) });
  }
  await zip.end("a comment");
  assert.deepEqual(await readBack(bytes()), { entries, comment: "a comment" });
});

test("no entry at all", async () => {
  const { zip, bytes } = zipInMemory();
  await zip.end("");
  assert.deepEqual(await readBack(bytes()), { entries: [], comment: "" });
});

test("an entry whose content fails leaves no trace", async () => {
  for (const length of [10, 3_000_000]) {
    const { zip, bytes } = zipInMemory();
    const add = (name: string, content: AsyncIterable<Buffer>) =>
      zip.add({ name, time: TIME, size: length, content });
    await add("a", piecesOf("a"));
    const broken = async function* () {
      yield Buffer.from("b".repeat(length));
      throw new Error("unreadable");
    };
    await assert.rejects(add("b", broken()), /unreadable/);
    await add("c", piecesOf("c"));
    await zip.end("");
    const { entries } = await readBack(bytes());
    assert.deepEqual(
      entries.map(({ name }) => name),
      ["a", "c"],
    );
  }
});

test("more than 65535 entries", async () => {
  const path = join(temporaryDirectory(), "many.zip");
  const waiting: Buffer[] = [];
  {
    await using file = await open(path, "w");
    let batch: Buffer[] = [];
    const zip = new ZipWriter({
      write: async (bytes) => {
        batch.push(bytes);
        if (batch.length < 5000) return;
        await file.appendFile(Buffer.concat(batch));
        batch = [];
      },
      writeLater: async (bytes) => void waiting.push(bytes),
      later: async function* () {
        yield Buffer.concat(waiting);
      },
      truncate: async () => assert.fail("nothing failed"),
    });
    for (let index = 0; index < 65_600; index++) {
      await zip.add({ name: `${index}`, time: TIME, size: 1, content: piecesOf("x") });
    }
    await zip.end("");
    await file.appendFile(Buffer.concat(batch));
  }
  const file = await openPromise(path, { lazyEntries: true });
  assert.equal(file.entryCount, 65_600);
  let last = "";
  for await (const { fileName } of file.eachEntry()) last = fileName;
  assert.equal(last, "65599");
});

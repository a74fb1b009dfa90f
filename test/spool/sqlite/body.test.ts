// Bodies with a length that differs from the recorded one, though the checksum of what should be there fits.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { crc32 } from "node:zlib";
import { readBuffers } from "../../../src/base/net/read-buffers.ts";
import type { Body } from "../../../src/mail/envelope.ts";
import {
  CorruptBody,
  databaseBody,
  fileBody,
  type Recorded,
} from "../../../src/spool/sqlite/body.ts";

type Reader = (bytes: Buffer, recorded: Recorded, onDamage: () => void) => Body;

const fromDatabase: Reader = (bytes, recorded, onDamage) =>
  databaseBody(async (from, length) => bytes.subarray(from, from + length), recorded, onDamage);

describe("a stored body", () => {
  for (const where of ["the database", "a file"]) {
    for (const size of [100_000, 131_072]) {
      for (const surplus of [-1, 1, 70_000]) {
        it(`of ${size} octets in ${where} with ${surplus} more than that is damaged`, async (t) => {
          const directory = mkdtempSync(join(tmpdir(), "unseen-body-"));
          t.after(() => rmSync(directory, { recursive: true }));
          const path = join(directory, "body");
          const bytes = Buffer.alloc(size + surplus, "0123456789");
          writeFileSync(path, bytes);
          const fromFile: Reader = (_, ...rest) => fileBody(path, ...rest);
          const reader = where === "a file" ? fromFile : fromDatabase;
          const recorded = { size, checksum: crc32(bytes.subarray(0, size)) };
          let damages = 0;
          const body = reader(bytes, recorded, () => (damages += 1));
          await assert.rejects(Array.fromAsync(body.chunks()), CorruptBody);
          assert.equal(damages, 1);
        });
      }
    }
  }
});

test("the memory of what was read from a file is given back", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "unseen-body-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "body");
  const bytes = Buffer.alloc(1_000_000, "0123456789");
  writeFileSync(path, bytes);
  const { mock } = t.mock.method(readBuffers, "count");
  const recorded = { size: bytes.length, checksum: crc32(bytes) };
  await Array.fromAsync(fileBody(path, recorded, () => undefined).chunks());
  const counted = mock.calls.reduce((sum, call) => sum + (call.arguments[0] ?? 0), 0);
  assert.equal(counted, bytes.length);
});

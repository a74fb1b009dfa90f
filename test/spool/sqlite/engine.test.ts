import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { Engine } from "../../../src/spool/sqlite/engine.ts";
import { insertion } from "../../../src/spool/sqlite/rows.ts";
import { alice } from "./place.ts";
import { idText } from "../../../src/mail/ids.ts";

test("space that a drained queue held goes back to the file system, a little at a time", () => {
  const directory = mkdtempSync(join(tmpdir(), "unseen-engine-"));
  const engine = new Engine(directory);
  try {
    const bytes = Buffer.alloc(60_000, "x");
    const ids = Array.from({ length: 600 }, (_, i) => i + 1);
    const stored = engine.commit(
      ids.map((id) => {
        const client = { address: "192.0.2.1", helo: "client.test" };
        const rest = { client, receivedAt: 1, eightBit: false, smtputf8: false };
        const envelope = { id: idText(id), sender: alice, ...rest };
        const message = { envelope, recipients: [{ mailbox: alice }] };
        return [insertion(message, "queued", bytes.length, crc32(bytes), bytes)];
      }),
      1,
    );
    assert.deepEqual(new Set(stored), new Set([undefined]));
    assert.equal(engine.tidy(), false, "nothing is free yet");
    engine.commit(
      ids.map((id) => [{ kind: "remove", id }]),
      1,
    );
    let steps = 0;
    while (engine.tidy()) steps += 1;
    assert.ok(steps > 1, `${steps} steps`);
    const { size } = statSync(join(directory, "spool.sqlite"));
    assert.ok(size < 20 * 2 ** 20, `${size} bytes`);
  } finally {
    engine.close();
    rmSync(directory, { recursive: true });
  }
});

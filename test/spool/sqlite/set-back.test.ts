// What a clock that was ahead has written into the spool.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import type { RecipientChange } from "../../../src/spool/spool.ts";
import { Engine } from "../../../src/spool/sqlite/engine.ts";
import { insertion, type Transaction, type Write } from "../../../src/spool/sqlite/rows.ts";
import { status } from "../../../src/mail/status.ts";
import { alice } from "./place.ts";
import { idText } from "../../../src/mail/ids.ts";

const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function engine() {
  const directory = mkdtempSync(join(tmpdir(), "unseen-engine-"));
  const opened = new Engine(directory);
  const close = () => {
    opened.close();
    rmSync(directory, { recursive: true });
  };
  return { spool: opened, [Symbol.dispose]: close };
}

function message(id: number, receivedAt: number): Write {
  const bytes = Buffer.from("hello");
  const client = { address: "192.0.2.1", helo: "client.test" };
  const envelope = { id: idText(id), sender: null, client, receivedAt };
  const described = { ...envelope, eightBit: false, smtputf8: false };
  const given = { envelope: described, recipients: [{ mailbox: alice }] };
  return insertion(given, "queued", bytes.length, crc32(bytes), bytes);
}

function putOff(id: number, at: number, nextAttempt: number, copyAt = nextAttempt): Write {
  const copy = {
    address: alice.address,
    router: "r",
    attempts: 1,
    firstFailure: at,
    lastStatus: status(451, "3.0", "later"),
    nextAttempt: copyAt,
  };
  const change: RecipientChange = {
    position: 0,
    state: "pending",
    attempts: 1,
    firstFailure: at,
    nextAttempt,
    clocks: { mail: { nextAttempt }, copies: [copy] },
  };
  const rest = { warnings: 0, recipients: [change], journal: [] };
  return { kind: "settle", id, state: "queued", at, ...rest };
}

function mendAll(spool: Engine, now: number): number {
  let calls = 0;
  for (let after: number | undefined = 0; after !== undefined; calls++)
    after = spool.mendTimes(now, after);
  return calls;
}

describe("a next attempt", () => {
  test("that a clock two hours ahead has decided is due, and so are its clocks", () => {
    using at = engine();
    const ahead = NOW + 2 * HOUR;
    at.spool.commit([[message(1, NOW)]], NOW);
    at.spool.commit([[putOff(1, ahead, ahead + HOUR, ahead + 6 * HOUR)]], ahead);
    assert.deepEqual(at.spool.take(NOW, 10), []);
    mendAll(at.spool, NOW);
    const [row] = at.spool.take(NOW, 10);
    const recipient = row?.recipients[0];
    assert.deepEqual([recipient?.["next_attempt"], recipient?.["first_failure"]], [NOW, NOW]);
    const times = String(recipient?.["clocks"]).match(/(?<="nextAttempt":)\d+/g);
    assert.deepEqual(times, [String(NOW), String(NOW)]);
  });

  test("that this clock has decided stays as it is", () => {
    using at = engine();
    at.spool.commit([[message(1, NOW)]], NOW);
    at.spool.commit([[putOff(1, NOW, NOW + DAY)]], NOW);
    mendAll(at.spool, NOW);
    assert.deepEqual([at.spool.take(NOW, 10), at.spool.nextDue()], [[], NOW + DAY]);
  });

  test("that lies further ahead than any rule allows is due at the next look, whoever decided it", () => {
    using at = engine();
    at.spool.commit([[message(1, NOW), putOff(1, NOW, NOW + 400 * DAY)]], NOW);
    assert.equal(at.spool.take(NOW, 10).length, 1);
  });

  test("of a settlement that reaches the spool after the clock was set back is due", () => {
    using at = engine();
    at.spool.commit([[message(1, NOW)]], NOW);
    at.spool.commit([[putOff(1, NOW + DAY, NOW + DAY + HOUR)]], NOW);
    assert.equal(at.spool.take(NOW, 10).length, 1);
  });

  test("of mail that came when the clock was ahead is now, also when it is stored after that", () => {
    using at = engine();
    at.spool.commit([[message(1, NOW + DAY)], [message(2, NOW + 400 * DAY)]], NOW);
    assert.equal(at.spool.take(NOW, 10).length, 2);
  });

  test("is mended at the start of the relay", () => {
    using at = engine();
    at.spool.commit([[message(1, NOW + HOUR)]], NOW + HOUR);
    at.spool.recover(NOW);
    assert.equal(at.spool.take(NOW, 10).length, 1);
  });
});

test("a long queue is looked through in pieces, and every message that was put off is found", () => {
  using at = engine();
  const ids = Array.from({ length: 5000 }, (_, index) => index + 1);
  const ahead = NOW + HOUR;
  const transactions = ids.map((id): Transaction => [message(id, id % 2 === 0 ? ahead : NOW)]);
  at.spool.commit(transactions, ahead);
  assert.equal(at.spool.take(NOW, 5000).length, 2500);
  assert.ok(mendAll(at.spool, NOW) > 10);
  assert.equal(at.spool.take(NOW, 5000).length, 2500);
});

// What the history costs at most: for one message, for refusals, in all, and on a disk that is nearly full.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { History } from "../../../src/observe/history/history.ts";
import { HistoryDays, type HistoryLimits } from "../../../src/observe/history/day-files.ts";
import { historyDirectory } from "../../../src/observe/history/files.ts";
import type { Piece } from "../../../src/observe/history/event-keys.ts";
import { HistoryReader } from "../../../src/observe/history/read.ts";
import { idText } from "../../../src/mail/ids.ts";
import { manualClock } from "../../support/clock.ts";
import { recordingLog } from "../../support/services.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1, 12);
const ID = idText(START * 1000);
const MEGABYTE = 2 ** 20;

interface Place {
  readonly directory: string;
  /** Octets of all files. */
  readonly size: () => number;
  readonly names: () => string[];
  readonly limits: HistoryLimits;
}

async function inPlace(play: (place: Place) => Promise<void> | void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "unseen-history-"));
  const names = () => readdirSync(historyDirectory(directory));
  const size = () =>
    names().reduce((sum, name) => sum + statSync(join(historyDirectory(directory), name)).size, 0);
  const limits = { keep: 7 * DAY, sizeMax: 512 * MEGABYTE, reserve: 0 };
  try {
    await play({ directory, size, names, limits });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function read<T>(directory: string, look: (history: HistoryReader) => T): T {
  using history = new HistoryReader(directory, assert.fail);
  return look(history);
}

const RECIPIENTS = Array.from({ length: 1000 }, (_, index) => `recipient${index}@example.com`);

function accepted(id: string) {
  const from = { sender: "<a@example.net>", client: "192.0.2.1", helo: "h" };
  return { id, ...from, recipients: RECIPIENTS, rule: "local_domains", size: 1 };
}

function delivered(id: string, recipient: string) {
  const by = { router: "world", transport: "remote_smtp", host: "mx.example.com [192.0.2.9]" };
  return { id, recipient, ...by, status: "250 2.0.0 Ok: queued as 0123456789ABCDEF" };
}

/** With `octets` of events, in the millisecond `at`. */
function piece(number: number, at: number, octets: number): Piece {
  const fields = { sender: "<a@example.com>", why: "x".repeat(octets) };
  const events = JSON.stringify([at, "message.frozen", fields]);
  return { key: idText(number), at, events, count: 1, leftOut: 0, addresses: ["a@example.com"] };
}

describe("the story of a message", () => {
  it("with a thousand recipients is bounded, tells its end, and how much it leaves out", () =>
    inPlace(async ({ directory, limits, size }) => {
      const clock = manualClock(START);
      const options = { spoolDirectory: directory, ...limits };
      const history = new History(options, clock, recordingLog());
      history.start();
      history.record("message.accepted", accepted(ID));
      for (let round = 0; round < 50; round++) {
        for (const one of RECIPIENTS) history.record("delivery.done", delivered(ID, one));
      }
      history.record("message.completed", { id: ID, seconds: 1 });
      await history.close();
      assert.ok(size() < MEGABYTE / 4, `${size()} octets`);
      const story = read(directory, (told) => told.story(ID));
      assert.equal(story.events.at(-1)?.name, "message.completed");
      assert.equal(story.events.length + (story.leftOut ?? 0), 50_002);
      const [accept] = story.events;
      const { recipients, more_recipients: more } = accept?.fields ?? {};
      assert.ok(Array.isArray(recipients) && recipients.length + Number(more) === 1000);
      const found = read(directory, (told) => [...told.stories("Recipient999@example.com")]);
      assert.deepEqual(
        found.map(({ id }) => id),
        [ID],
      );
    }));

  it("does not grow without end with each attempt, and still tells of its end", () =>
    inPlace(({ directory, limits, size }) => {
      const days = new HistoryDays(directory, limits);
      const number = START * 1000;
      for (let attempt = 0; attempt < 300; attempt++) {
        days.write([{ ...piece(number, START + attempt, 10_000), count: 25 }], START);
      }
      days.write([piece(number, START + 300, 10)], START);
      days.close();
      assert.ok(size() < MEGABYTE / 4, `${size()} octets`);
      const story = read(directory, (told) => told.story(ID));
      assert.equal(story.events.at(-1)?.at, START + 300);
      assert.equal(story.leftOut, (300 - (story.events.length - 1)) * 25);
    }));

  it("pushes out no other that is told in the same second", () =>
    inPlace(async ({ directory, limits }) => {
      const options = { spoolDirectory: directory, ...limits };
      const log = recordingLog();
      const history = new History(options, manualClock(START), log);
      history.start();
      for (let count = 0; count < 200_000; count++)
        history.record("delivery.done", delivered(ID, "bob@example.com"));
      const other = idText(START * 1000 + 1);
      history.record("message.completed", { id: other, seconds: 1 });
      await history.close();
      assert.equal(read(directory, (told) => told.events(other)).length, 1);
      assert.deepEqual(log.named("relay.warning"), []);
    }));
});

describe("refusals", () => {
  it("of long messages cost a few kilobytes each, and can be found by their first recipients", () =>
    inPlace(async ({ directory, limits, size }) => {
      const options = { spoolDirectory: directory, ...limits };
      const history = new History(options, manualClock(START), recordingLog());
      history.start();
      const { sender, client, recipients } = accepted(ID);
      const why = "x".repeat(100_000);
      const refused = { sender, client, recipients, reply: `550 ${why}`, why };
      for (let count = 0; count < 100; count++) history.record("message.refused", refused);
      await history.close();
      assert.ok(size() < 20 * 10_000, `${size()} octets`);
      const found = read(directory, (told) => [...told.stories("recipient0@example.com")]);
      assert.equal(found.length, 20);
    }));

  it("have a quarter of a file, and messages have the rest", () =>
    inPlace(({ directory, limits, size }) => {
      const sizeMax = 8 * MEGABYTE;
      const days = new HistoryDays(directory, { ...limits, sizeMax });
      for (let second = 0; second < 500; second++) {
        const at = START + second * 1000;
        const refusals = Array.from({ length: 20 }, (_, index) => ({
          ...piece(1, at, 3000),
          key: `-${index + 1}`,
        }));
        days.write(refusals, at);
      }
      days.write([piece(START * 1000, START, 3000)], START);
      days.close();
      assert.ok(size() < MEGABYTE / 2, `${size()} octets`);
      assert.equal(read(directory, (told) => told.events(ID)).length, 1);
    }));
});

describe("all files of the history", () => {
  it("stay below the bound: the oldest is forgotten, of one day too", () =>
    inPlace(({ directory, limits, size, names }) => {
      const sizeMax = 2 * MEGABYTE;
      const days = new HistoryDays(directory, { ...limits, sizeMax });
      const last = START * 1000 + 1000;
      let largest = 0;
      for (let number = START * 1000; number < last; number += 10) {
        const pieces = Array.from({ length: 10 }, (_, index) => piece(number + index, START, 5000));
        days.write(pieces, START);
        largest = Math.max(largest, size());
      }
      days.close();
      assert.ok(largest <= sizeMax, `${largest} octets in ${names().join(", ")}`);
      assert.ok(size() > sizeMax / 2);
      assert.deepEqual(
        read(directory, (told) => told.events(ID)),
        [],
      );
      assert.equal(read(directory, (told) => told.events(idText(last - 1))).length, 1);
      assert.ok(read(directory, (told) => [...told.stories("a@example.com")]).length > 200);
    }));

  it("stay below the bound when one write is larger than it", () =>
    inPlace(({ directory, limits, size }) => {
      const sizeMax = 2 * MEGABYTE;
      const days = new HistoryDays(directory, { ...limits, sizeMax });
      const pieces = Array.from({ length: 1000 }, (_, index) => piece(index + 1, START, 5000));
      days.write(pieces, START);
      assert.ok(size() <= sizeMax, `${size()} octets`);
      days.close();
    }));

  it("give way to the queue on a disk that is nearly full, and are written again when it is not", () =>
    inPlace(({ directory, limits, names }) => {
      let free = 100;
      const means = { free: () => free, monotonic: () => 0 };
      const days = new HistoryDays(directory, { ...limits, reserve: 50 }, means);
      days.write([piece(1, START, 10)], START);
      days.write([piece(2, START + DAY, 10)], START + DAY);
      free = 49;
      assert.throws(() => days.write([piece(3, START + DAY, 10)], START + DAY), /nearly full/);
      const dates = new Set(names().map((name) => name.slice(0, 10)));
      assert.deepEqual([...dates], ["2026-01-02"]);
      free = 50;
      days.write([piece(4, START + DAY, 10)], START + DAY);
      days.close();
      const known = [1, 2, 3, 4].filter(
        (number) => read(directory, (told) => told.events(idText(number))).length > 0,
      );
      assert.deepEqual(known, [2, 4]);
    }));

  it("are not forgotten because the clock was 400 days ahead for a while, and are when it stays so", () =>
    inPlace(({ directory, limits, names }) => {
      let monotonic = 0;
      const means = { free: () => 100, monotonic: () => monotonic };
      const days = new HistoryDays(directory, limits, means);
      const ahead = START + 400 * DAY;
      days.write([piece(1, START, 10)], START);
      days.write([piece(2, ahead, 10)], ahead);
      days.write([piece(3, START, 10)], START);
      monotonic += 2 * HOUR;
      days.write([piece(4, START, 10)], START);
      assert.deepEqual([...new Set(names().map((name) => name.slice(0, 4)))], ["2026"]);
      assert.equal(read(directory, (told) => told.events(idText(1))).length, 1);
      days.write([piece(5, ahead, 10)], ahead);
      monotonic += HOUR;
      days.write([piece(6, ahead, 10)], ahead);
      days.close();
      assert.deepEqual([...new Set(names().map((name) => name.slice(0, 4)))], ["2027"]);
    }));
});

it("a file of version 0.1 is read, and goes on", () =>
  inPlace(async ({ directory, limits }) => {
    const { DatabaseSync } = await import("node:sqlite");
    const days = new HistoryDays(directory, limits);
    days.write([piece(START * 1000, START + 1, 10)], START);
    days.close();
    const old = new DatabaseSync(join(historyDirectory(directory), "2026-01-01.sqlite"));
    old.exec(`CREATE TABLE stories (message INTEGER PRIMARY KEY, events TEXT NOT NULL) STRICT;
      INSERT INTO stories VALUES (${START * 1000}, '[${START},"message.accepted",{}]')`);
    old.close();
    const names = read(directory, (told) => told.events(ID)).map(({ name }) => name);
    assert.deepEqual(names, ["message.accepted", "message.frozen"]);
  }));

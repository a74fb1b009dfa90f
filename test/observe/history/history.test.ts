import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { History, rememberingLog } from "../../../src/observe/history/history.ts";
import { HistoryDays } from "../../../src/observe/history/day-files.ts";
import { dayFile, historyDirectory } from "../../../src/observe/history/files.ts";
import { HistoryReader } from "../../../src/observe/history/read.ts";
import { idText } from "../../../src/mail/ids.ts";
import { type ManualClock, manualClock } from "../../support/clock.ts";
import { recordingLog } from "../../support/services.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1, 12);
const ID = idText(START * 1000);

async function inPlace(
  play: (place: { directory: string; clock: ManualClock }) => Promise<void> | void,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "unseen-history-"));
  try {
    await play({ directory, clock: manualClock(START) });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function limits(keep = DAY) {
  return { keep, sizeMax: 2 ** 29, reserve: 0 };
}

function accepted(id: string, sender: string, ...recipients: string[]) {
  return { id, sender, recipients, client: "192.0.2.1", helo: "h", rule: "local_domains", size: 1 };
}

const REFUSED = {
  client: "192.0.2.1",
  sender: "<mallory@example.net>",
  recipient: "<nobody@example.com>",
  reply: "550 5.1.1 no",
  why: "local_domains",
};

function read<T>(directory: string, look: (history: HistoryReader) => T): T {
  using history = new HistoryReader(directory, assert.fail);
  return look(history);
}

const single = { count: 1, leftOut: 0 };

/** Its one event, of a@example.com, has the name of the key. */
function piece(key: string, at: number) {
  const events = JSON.stringify([at, key, { sender: "<a@example.com>" }]);
  return { key, at, events, count: 1, leftOut: 0, addresses: ["a@example.com"] };
}

/** A message that came at this time and by this rule, in the file of its day. */
function arrival(at: number, rule: string) {
  const events = JSON.stringify([at, "message.accepted", { rule }]);
  return { key: idText(at * 1000), at, events, count: 1, leftOut: 0, addresses: [] };
}

const namesOf = (events: readonly { readonly name: string }[]) => events.map(({ name }) => name);

describe("the history", () => {
  it("tells what the log told of a message, in order, with its times", () =>
    inPlace(async ({ directory, clock }) => {
      const log = recordingLog();
      const history = new History({ spoolDirectory: directory, ...limits() }, clock, log);
      const both = rememberingLog(log, history);
      history.start();
      both.event("message.accepted", accepted(ID, "<a@example.net>", "b@example.com"));
      clock.advance(20);
      both.event("message.frozen", { id: ID, why: "x" });
      both.event("relay.stopping", { reason: "SIGTERM" });
      await history.close();
      assert.deepEqual(namesOf(log.events), [
        "message.accepted",
        "message.frozen",
        "relay.stopping",
      ]);
      const events = read(directory, (told) => told.events(ID));
      assert.deepEqual(namesOf(events), ["message.accepted", "message.frozen"]);
      assert.deepEqual(
        events.map(({ at }) => at),
        [START, START + 20],
      );
      assert.deepEqual(events[1]?.fields, { id: ID, why: "x" });
      assert.deepEqual(
        read(directory, (told) => told.events("0000000000")),
        [],
      );
    }));

  it("tells when messages came by a rule, in either order, over the days", () =>
    inPlace(({ directory }) => {
      const days = new HistoryDays(directory, limits(9 * DAY));
      const times = [0, 1, 2, 3].map((day) => START + day * DAY);
      for (const [index, at] of times.entries()) {
        const rule = index === 2 ? "gate.relay[0]" : "local_domains";
        days.write([arrival(at, rule), arrival(at + 1000, "local_domains, gate.relay[1]")], at);
      }
      days.close();
      read(directory, (told) => {
        const came = (rule: string, from: number, to: number, order = "oldest first" as const) =>
          Array.from(told.arrivals(rule, { from, to }, order), (at) => at - START);
        assert.equal(told.beginning, START);
        assert.deepEqual(came("gate.relay", START, START + 4 * DAY), [
          1000,
          DAY + 1000,
          2 * DAY,
          2 * DAY + 1000,
          3 * DAY + 1000,
        ]);
        assert.deepEqual(came("local_domains", START + DAY, START + 2 * DAY), [DAY, DAY + 1000]);
        const [last] = told.arrivals(
          "local_domains",
          { from: 0, to: START + 3 * DAY },
          "newest first",
        );
        assert.equal(last, START + 2 * DAY + 1000);
        const named = [...told.named(["message.accepted"], START + 3 * DAY)];
        assert.deepEqual(
          named.map(({ id, at }) => [id, at - START]),
          [0, 1000].map((late) => [idText((START + 3 * DAY + late) * 1000), 3 * DAY + late]),
        );
      });
    }));

  it("writes by itself within about a second, and keeps no timer when nothing happens", () =>
    inPlace(async ({ directory, clock }) => {
      const history = new History(
        { spoolDirectory: directory, ...limits() },
        clock,
        recordingLog(),
      );
      history.start();
      assert.equal(clock.pending, 0);
      history.record("message.frozen", { id: ID, why: "x" });
      clock.advance(1000);
      while (read(directory, (told) => told.events(ID)).length === 0) {
        await new Promise(setImmediate);
      }
      assert.equal(clock.pending, 0);
      await history.close();
    }));

  it("finds everything that has to do with an address, the newest first", () =>
    inPlace(async ({ directory, clock }) => {
      const history = new History(
        { spoolDirectory: directory, ...limits() },
        clock,
        recordingLog(),
      );
      history.start();
      history.record("message.accepted", accepted(ID, "<Carol@example.net>", "bob@example.com"));
      clock.advance(1);
      history.record("recipient.refused", { ...REFUSED, recipient: "<BOB@example.com>" });
      history.record("recipient.refused", REFUSED);
      clock.advance(1);
      const later = idText((START + 2) * 1000);
      history.record(
        "message.accepted",
        accepted(later, "<>", '"b b"@example.com', "bob@example.com"),
      );
      const report = idText((START + 3) * 1000);
      history.record("message.bounced", {
        id: later,
        report,
        sender: "<x@example.net>",
        recipients: ["bob@example.com"],
      });
      await history.close();
      const idsOf = (address: string) =>
        read(directory, (told) => [...told.stories(address)]).map(({ id }) => id);
      assert.deepEqual(idsOf("bob@example.com"), [report, later, undefined, ID]);
      assert.deepEqual(idsOf("CAROL@example.net"), [ID]);
      assert.deepEqual(idsOf('"b b"@example.com'), [later]);
      assert.deepEqual(idsOf("nobody@example.com"), [undefined]);
      assert.deepEqual(idsOf("bob@example.co"), []);
    }));

  it("takes the refusals of a millisecond for older than its messages, in their order", () =>
    inPlace(({ directory }) => {
      const days = new HistoryDays(directory, limits());
      const earlier = idText((START - 1) * 1000);
      days.write([piece("-1", START), piece(ID, START), piece("-2", START)], START);
      days.write([piece(earlier, START - 1)], START);
      days.close();
      const stories = read(directory, (told) => [...told.stories("a@example.com")]);
      const names = stories.flatMap(({ events }) => namesOf(events));
      assert.deepEqual(names, [ID, "-2", "-1", earlier]);
    }));

  it("joins what happened on several days", () =>
    inPlace(({ directory }) => {
      const days = new HistoryDays(directory, limits(3 * DAY));
      for (const [name, at] of [
        ["message.accepted", START],
        ["message.completed", START + DAY],
      ] as const) {
        const events = JSON.stringify([at, name, { id: ID, sender: "<a@example.com>" }]);
        days.write([{ key: ID, at, events, ...single, addresses: ["a@example.com"] }], at);
      }
      days.close();
      const names = ["message.accepted", "message.completed"];
      assert.deepEqual(namesOf(read(directory, (told) => told.events(ID))), names);
      const stories = read(directory, (told) => [...told.stories("a@example.com")]);
      assert.deepEqual(
        stories.map(({ events }) => namesOf(events)),
        [names],
      );
    }));

  it("forgets days that are over for longer than it is kept", () =>
    inPlace(({ directory }) => {
      const days = new HistoryDays(directory, limits(2 * DAY));
      for (let day = 0; day < 6; day++) {
        const at = START + day * DAY;
        days.write([{ key: ID, at, events: `[${at},"x",{}]`, ...single, addresses: [] }], at);
      }
      days.close();
      const names = readdirSync(historyDirectory(directory)).toSorted();
      assert.deepEqual(names, ["2026-01-04.sqlite", "2026-01-05.sqlite", "2026-01-06.sqlite"]);
    }));

  it("keeps only so many refusals of one second, and the messages all the same", () =>
    inPlace(async ({ directory, clock }) => {
      const history = new History(
        { spoolDirectory: directory, ...limits() },
        clock,
        recordingLog(),
      );
      history.start();
      for (let count = 0; count < 1000; count++) history.record("recipient.refused", REFUSED);
      history.record("message.frozen", { id: ID, why: "x" });
      await history.close();
      const found = read(directory, (told) => [...told.stories("nobody@example.com")]);
      assert.equal(found.length, 20);
      assert.equal(read(directory, (told) => told.events(ID)).length, 1);
    }));

  it("hands the events of many messages over within the second, and counts its refusals on", () =>
    inPlace(async ({ directory, clock }) => {
      const history = new History(
        { spoolDirectory: directory, ...limits() },
        clock,
        recordingLog(),
      );
      history.start();
      const ids = Array.from({ length: 200 }, (_, count) => `a${String(count).padStart(9, "0")}`);
      for (const id of ids) {
        history.record("recipient.refused", REFUSED);
        history.record("message.frozen", { id, why: "x" });
        clock.advance(1);
        if (id === ids[100]) {
          // The second is not over.
          while (read(directory, (told) => told.events("a000000000")).length === 0) {
            await new Promise(setImmediate);
          }
        }
      }
      await history.close();
      const found = read(directory, (told) => [...told.stories("nobody@example.com")]);
      assert.equal(found.length, 20);
      for (const id of ids) assert.equal(read(directory, (told) => told.events(id)).length, 1);
    }));

  it("begins a day anew whose file is damaged, and says when it cannot write", () =>
    inPlace(async ({ directory, clock }) => {
      new HistoryDays(directory, limits()).write([], START);
      writeFileSync(dayFile(historyDirectory(directory), "2026-01-01"), "no database at all");
      const days = new HistoryDays(directory, limits());
      days.write([{ key: ID, at: START, events: '[1,"x",{}]', ...single, addresses: [] }], START);
      days.close();
      assert.equal(read(directory, (told) => told.events(ID)).length, 1);

      rmSync(historyDirectory(directory), { recursive: true });
      writeFileSync(historyDirectory(directory), "in the way");
      const log = recordingLog();
      const history = new History({ spoolDirectory: directory, ...limits() }, clock, log);
      history.start();
      history.record("message.frozen", { id: ID, why: "x" });
      await history.close();
      assert.match(JSON.stringify(log.named("relay.warning")), /the history was not written/);
    }));
});

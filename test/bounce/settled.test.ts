// What an attempt leads to: which report, about whom, how often.

import assert from "node:assert/strict";
import { test } from "node:test";

import { hostPlace } from "../support/place.ts";
import type { Outcome } from "../../src/contract/contract.ts";
import type { Finding } from "../../src/retry/clocks/finding.ts";
import { reportKind, reportsOn, type Told, told } from "../../src/settle/report.ts";
import type { NewReport, StoredMessage, StoredRecipient } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { outboxOf } from "../support/outbox.ts";
import { recordingLog } from "../support/services.ts";
import { mailbox, finding, storedMessage, storedRecipient } from "../support/build.ts";
import { body, ENVELOPE, MESSAGE, NOW, reply } from "./report.ts";

const HOUR = 3_600_000;
const HOST = hostPlace("mx.example.net [192.0.2.1]");
const LATER = reply(451, "7.1", "Greylisted");

const BOB = mailbox("bob@example.net");

function bobs(outcome: Outcome, more: Partial<Finding> = {}): Finding {
  return finding(outcome, { mailbox: BOB, original: BOB, router: "world", ...more });
}

function stored(address: string, position: number, more: Partial<StoredRecipient> = {}) {
  const given = { mailbox: mailbox(address), position, attempts: 1, nextAttempt: NOW };
  return storedRecipient({ ...given, ...more });
}

function message(more: Partial<StoredMessage> = {}, text = MESSAGE): StoredMessage {
  return storedMessage({
    envelope: { ...ENVELOPE, receivedAt: NOW - 25 * HOUR },
    recipients: [stored("bob@example.net", 0)],
    body: body(text),
    ...more,
  });
}

function services() {
  let ids = 0;
  const log = recordingLog();
  return {
    hostname: "mx.example.com",
    elapsed: believed,
    returnSizeLimit: 1000,
    warnAfter: [24 * HOUR, 72 * HOUR],
    outbox: outboxOf(() => String(++ids).padStart(10, "0"), log),
    log,
  };
}

const delayedBob = told(
  "delayed",
  stored("bob@example.net", 0),
  bobs({ kind: "deferred", status: LATER, scope: "recipient", place: HOST }),
  NOW,
  NOW + HOUR,
);

/** After an attempt on the first recipient. */
function reports(given: StoredMessage, lines: readonly Told[], now = NOW) {
  return reportsOn(given, "queued", given.recipients.slice(0, 1), lines, now, services());
}

function actions({ bytes }: NewReport): string[] {
  return [...bytes.toString().matchAll(/^Final-Recipient: rfc822; (\S+)\r\nAction: (\w+)/gm)].map(
    ([, address, action]) => `${action} ${address}`,
  );
}

const kindOf = (outcome: Outcome) => reportKind(bobs(outcome), "delivered");

test("what a host took on is relayed, what was written is delivered", () => {
  const done = { kind: "delivered", status: reply(250, "0.0", "ok") } as const;
  assert.equal(kindOf({ ...done, place: HOST }), "relayed");
  assert.equal(kindOf({ ...done, place: HOST, final: true }), "delivered");
  assert.equal(
    kindOf({ ...done, place: { kind: "file", path: "/var/mail/bob/new/1" } }),
    "delivered",
  );
  assert.equal(kindOf({ ...done, place: { kind: "socket", path: "/run/lmtp" } }), "delivered");
  assert.equal(kindOf(done), "delivered");
});

test("a host that took NOTIFY over reports by itself", () => {
  const done = { kind: "delivered", status: reply(250, "0.0", "ok"), place: HOST } as const;
  assert.equal(kindOf({ ...done, dsnPassedOn: true }), undefined);
});

test("a copy is never spoken of, and what is frozen is the postmaster's", () => {
  const done = { kind: "delivered", status: status(250, "0.0", "stored") } as const;
  for (const ending of ["delivered", "deferred", "failed", "frozen"] as const) {
    assert.equal(reportKind(bobs(done, { unseen: true }), ending), undefined);
  }
  assert.equal(reportKind(bobs(done), "frozen"), undefined);
});

function line(kind: Told["kind"], address: string): Told {
  const to = mailbox(address);
  const answer = reply(kind === "failed" ? 550 : 250, "0.0", "x");
  return { kind, recipient: { mailbox: to, original: to, status: answer, place: HOST } };
}

test("all failures of one attempt leave in one report, and success in another", async () => {
  const lines = [line("failed", "a@x"), line("relayed", "b@x"), line("failed", "c@x")];
  const { reports: sent, warnings } = await reports(message(), lines);
  assert.deepEqual(sent.map(actions), [["failed a@x", "failed c@x"], ["relayed b@x"]]);
  assert.deepEqual(sent[0]?.envelope.sender, null);
  assert.deepEqual(
    sent[0].recipients.map(({ mailbox: to }) => to.address),
    ["alice@example.org"],
  );
  assert.equal(warnings, 0);
});

test("a warning goes out once at each time of warn_after", async () => {
  const young = message({ envelope: { ...ENVELOPE, receivedAt: NOW - 23 * HOUR } });
  assert.deepEqual(await reports(young, [delayedBob]), { reports: [], warnings: 0 });
  const first = await reports(message(), [delayedBob]);
  assert.deepEqual(first.reports.map(actions), [["delayed bob@example.net"]]);
  assert.equal(first.warnings, 1);
  const again = await reports(message({ warnings: 1 }), [delayedBob], NOW + 24 * HOUR);
  assert.deepEqual(again, { reports: [], warnings: 1 });
  const second = await reports(message({ warnings: 1 }), [delayedBob], NOW + 48 * HOUR);
  assert.deepEqual([second.reports.length, second.warnings], [1, 2]);
  const overslept = await reports(message(), [delayedBob], NOW + 48 * HOUR);
  assert.deepEqual([overslept.reports.length, overslept.warnings], [1, 2]);
});

test("there is no warning when the sender declined it, or is a list", async () => {
  assert.deepEqual((await reports(message(), [])).reports, []);
  const list = message({}, `List-Id: <x.example.org>\r\n${MESSAGE}`);
  assert.deepEqual(await reports(list, [delayedBob]), { reports: [], warnings: 1 });
});

test("a warning speaks of all who wait, whosever turn it was", async () => {
  const lastStatus = LATER;
  const recipients = [
    stored("bob@example.net", 0),
    stored("waits@example.net", 1, { lastStatus }),
    stored("declined@example.net", 2, { lastStatus, notify: "FAILURE" }),
    stored("done@example.net", 3, { lastStatus, state: "delivered" }),
    stored("copy-only@example.net", 4, { lastStatus: reply(250, "0.0", "ok") }),
    stored("untried@example.net", 5),
  ];
  const { reports: sent } = await reports(message({ recipients }), [delayedBob]);
  assert.deepEqual(sent.map(actions), [["delayed bob@example.net", "delayed waits@example.net"]]);
});

test("every report is in the log, under the id of its message", async () => {
  const means = services();
  const given = message();
  await reportsOn(given, "queued", given.recipients, [delayedBob], NOW, means);
  assert.deepEqual(means.log.named("message.reported"), [
    {
      id: ENVELOPE.id,
      report: "0000000001",
      sender: "<alice@example.org>",
      recipients: ["bob@example.net"],
      kind: "delayed",
    },
  ]);
});

// What settling makes of deliveries that were not tried, and of those that have a clock of their own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPlace } from "../support/place.ts";
import type { Outcome } from "../../src/contract/contract.ts";
import { settle } from "../../src/settle/settle.ts";
import type { StoredRecipient } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { envelope, finding, storedMessage, storedRecipient } from "../support/build.ts";
import { outboxOf } from "../support/outbox.ts";
import { recordingLog } from "../support/services.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;
const PLACE = hostPlace("mx.example.net [192.0.2.1]");
const AWAITED = { key: "mx.example.net [192.0.2.1]", host: "mx.example.net" };
const DOWN = status(451, "4.1", "cannot connect: connection refused");
const PACED = status(451, "4.5", "yet to come");

const HINTED: Outcome = {
  kind: "deferred",
  status: DOWN,
  scope: "host",
  place: PLACE,
  notBefore: NOW + 10 * MINUTE,
  waitsFor: AWAITED,
  untried: true,
};

async function settled(outcome: Outcome, given: Partial<StoredRecipient> = {}) {
  const recipient = storedRecipient({ attempts: 2, nextAttempt: NOW, ...given });
  const message = storedMessage({
    envelope: envelope({ receivedAt: NOW - MINUTE }),
    recipients: [recipient],
  });
  const log = recordingLog();
  const services = {
    hostname: "mx.example.com",
    elapsed: believed,
    returnSizeLimit: 1000,
    warnAfter: [],
    outbox: outboxOf(() => "0000000002", log),
    log,
    retry: [],
    replies: [],
    random: () => 0,
  };
  const settlement = await settle(message, [recipient], [finding(outcome)], NOW, services);
  const [change] = settlement.recipients;
  assert.ok(change);
  return { change, log, state: settlement.state };
}

test("what was not tried is no attempt and no event, and comes when it makes sense", async () => {
  const { change, log, state } = await settled(HINTED);
  assert.equal(state, "queued");
  assert.equal(change.attempts, 2);
  assert.equal(change.nextAttempt, NOW + 10 * MINUTE);
  assert.deepEqual(change.waitsFor, AWAITED);
  assert.deepEqual(log.events, []);
});

test("it has a reason all the same, but not in the place of a better one", async () => {
  assert.deepEqual((await settled(HINTED)).change.lastStatus, DOWN);
  const paced: Outcome = {
    kind: "deferred",
    status: PACED,
    scope: "recipient",
    notBefore: NOW + 1,
    untried: true,
  };
  assert.deepEqual((await settled(paced)).change.lastStatus, PACED);
  assert.deepEqual((await settled(paced, { lastStatus: DOWN })).change.lastStatus, DOWN);
});

test("why it waits now is told beside what came of its last attempt, and an older reason is not", async () => {
  const paced: Outcome = { ...HINTED, status: PACED };
  const { waitsFor: _, ...turn } = paced;
  const tried = (await settled(turn, { lastStatus: DOWN, waitsBecause: "for something else" }))
    .change;
  assert.deepEqual([tried.lastStatus, tried.waitsBecause], [DOWN, PACED.text]);
  const untried = (await settled(turn, { attempts: 0, lastStatus: DOWN })).change;
  assert.deepEqual([untried.lastStatus, untried.waitsBecause], [PACED, PACED.text]);
  const { untried: _flag, ...attempt } = HINTED;
  const now = (await settled(attempt, { waitsBecause: PACED.text })).change;
  assert.deepEqual([now.lastStatus, now.waitsBecause], [DOWN, undefined]);
});

test("its time in the queue runs from when it was first put off", async () => {
  assert.equal((await settled(HINTED)).change.firstFailure, NOW);
  const since = { firstFailure: NOW - MINUTE };
  assert.equal((await settled(HINTED, since)).change.firstFailure, NOW - MINUTE);
});

test("what was tried waits for the host only if the host has a clock", async () => {
  const { untried: _, ...tried } = HINTED;
  assert.deepEqual((await settled(tried)).change.waitsFor, AWAITED);
  const { notBefore: _time, waitsFor: _key, ...own } = tried;
  const { change, log } = await settled(own);
  assert.equal(change.waitsFor, undefined);
  assert.equal(change.attempts, 3);
  assert.equal(change.nextAttempt, NOW + 15 * MINUTE);
  assert.equal(log.named("delivery.deferred").length, 1);
});

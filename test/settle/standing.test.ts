import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import { parseRetryRules } from "../../src/retry/retry.ts";
import { settle, type SettleServices } from "../../src/settle/settle.ts";
import { giveUp } from "../../src/queue/give-up.ts";
import type { Settlement, StoredMessage, StoredRecipient } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { envelope, mailbox, finding, storedMessage, storedRecipient } from "../support/build.ts";
import { outboxOf } from "../support/outbox.ts";
import { recordingLog } from "../support/services.ts";
import type { Finding } from "../../src/retry/clocks/finding.ts";

const NOW = Date.UTC(2026, 0, 1) + 1000;
const MINUTE = 60_000;
const REFUSED: Outcome = { kind: "failed", status: status(550, "1.1", "no such user") };
const LATER: Outcome = { kind: "deferred", status: status(451, "3.0", "x"), scope: "recipient" };

function message(
  given: Partial<StoredMessage> = {},
  recipient: Partial<StoredRecipient> = {},
): StoredMessage {
  const recipients = [storedRecipient({ nextAttempt: NOW, ...recipient })];
  return storedMessage({ recipients, ...given });
}

/** What becomes of it where `answers` is what is said of the sender, and how often that was asked. */
async function settled(
  answers: boolean | undefined,
  findings: readonly Finding[] = [finding(REFUSED)],
  whole = message(),
): Promise<Settlement & { asked: number; events: readonly string[] }> {
  const parsed = parseRetryRules("F,8h,1h");
  assert.ok("rules" in parsed);
  let asked = 0;
  const log = recordingLog();
  const services: SettleServices = {
    hostname: "mx.example.com",
    returnSizeLimit: 100_000,
    warnAfter: [0],
    retry: [{ match: "*", rules: parsed.rules }],
    replies: [],
    random: () => 0,
    elapsed: believed,
    outbox: outboxOf(() => "r000000001", log),
    log,
    vouching: {
      of() {
        asked++;
        return Promise.resolve(answers);
      },
    },
  };
  const settlement =
    findings.length === 0
      ? await giveUp(whole, undefined, NOW, services)
      : await settle(whole, whole.recipients, findings, NOW, services);
  return { ...settlement, asked, events: log.events.map(({ name }) => name) };
}

describe("a failure", () => {
  test("of a sender who is vouched for bounces, and that is remembered", async () => {
    const { state, reports, listed, vouched, asked } = await settled(true);
    assert.deepEqual(
      [state, reports.length, listed, vouched, asked],
      ["completed", 1, undefined, true, 1],
    );
  });

  test("of any other goes on the postmaster's list, and that is remembered", async () => {
    const { state, reports, listed, vouched, asked, events } = await settled(false);
    assert.deepEqual([state, reports, vouched, asked], ["completed", [], false, 1]);
    const entry = { why: "unvouched", at: NOW, id: "0000000001", sender: "alice@example.org" };
    assert.deepEqual(listed, [
      { ...entry, recipient: "bob@example.com", status: "550 5.1.1 no such user" },
    ]);
    assert.deepEqual(events, ["delivery.failed", "message.listed", "message.completed"]);
  });

  test("of whom nobody can say waits, a few times, and keeps what was said of it", async () => {
    for (const [vouchTries, minutes] of [15, 60, 240, 960].entries()) {
      const given = await settled(undefined, undefined, message({ vouchTries }));
      assert.deepEqual([given.state, given.reports, given.listed], ["queued", [], undefined]);
      const [change] = given.recipients;
      assert.equal(change?.nextAttempt, NOW + minutes * MINUTE);
      assert.equal(change.lastStatus?.code, 550);
      assert.deepEqual([given.vouched, given.vouchTries], [undefined, vouchTries + 1]);
      assert.deepEqual(given.journal, []);
      assert.deepEqual(given.events, ["bounce.put_off", "delivery.deferred"]);
    }
    const { state, listed } = await settled(undefined, undefined, message({ vouchTries: 4 }));
    assert.equal(state, "completed");
    assert.equal(listed?.length, 1);
  });

  test("that nobody wants to hear of asks nobody, and ends", async () => {
    const { asked, state, listed } = await settled(
      undefined,
      undefined,
      message({}, { notify: "NEVER" }),
    );
    assert.deepEqual([asked, state, listed], [0, "completed", undefined]);
  });

  test("by the postmaster's word ends now, whatever the DNS says", async () => {
    const { state, listed, reports } = await settled(undefined, []);
    assert.deepEqual([state, listed?.length, reports], ["completed", 1, []]);
  });

  test("beside a delivery: what is delivered stays delivered while the failure waits", async () => {
    const given = await settled(undefined, [
      finding(REFUSED),
      finding(
        { kind: "delivered", status: status(250, "0.0", "ok") },
        { mailbox: mailbox("eve@example.com") },
      ),
    ]);
    assert.equal(given.state, "queued");
    assert.deepEqual(
      given.journal.map(({ target, outcome }) => [target, outcome]),
      [["eve@example.com", "delivered"]],
    );
  });
});

describe("a delay", () => {
  test("is told to a sender who is vouched for", async () => {
    const { reports, warnings, asked } = await settled(true, [finding(LATER)]);
    assert.deepEqual([reports.length, warnings, asked], [1, 1, 1]);
  });

  test("is not told to others, and nobody is asked again", async () => {
    const { reports, warnings, vouched } = await settled(false, [finding(LATER)]);
    assert.deepEqual([reports, warnings, vouched], [[], 1, false]);
  });

  test("is told later while nobody can say, and that is none of the tries of a bounce", async () => {
    const { reports, warnings, vouchTries } = await settled(undefined, [finding(LATER)]);
    assert.deepEqual([reports, warnings, vouchTries], [[], 0, undefined]);
  });
});

describe("why it is frozen", () => {
  const NULL = { envelope: envelope({ sender: null }) };
  const copied = { router: "copy", transport: "file", unseen: true } as const;
  const freeze: Outcome = { ...LATER, kind: "deferred", scope: "recipient", freeze: true };

  for (const [why, findings] of [
    ["nobody-to-tell", [finding(REFUSED)]],
    ["delivery", [finding(freeze)]],
    ["copy", [finding(REFUSED), finding(freeze, copied)]],
    [
      "copy",
      [finding({ kind: "delivered", status: status(250, "0.0", "ok") }), finding(freeze, copied)],
    ],
  ] as const) {
    test(`is ${why}, of the recipient`, async () => {
      const { recipients, asked } = await settled(true, findings, message(NULL));
      assert.equal(recipients[0]?.state, "frozen");
      assert.equal(recipients[0].frozenWhy, why);
      assert.equal(asked, 0);
    });
  }

  test("is kept while a copy waits beside it, and is the copy's when that fails", async () => {
    const first = await settled(true, [finding(REFUSED), finding(LATER, copied)], message(NULL));
    assert.equal(first.recipients[0]?.state, "pending");
    assert.equal(first.recipients[0].frozenWhy, "nobody-to-tell");
    const { journal } = first;
    const waiting = message({ ...NULL, journal }, { frozenWhy: "nobody-to-tell" });
    const delivered = { kind: "delivered", status: status(250, "0.0", "ok") } as const;
    const done = await settled(true, [finding(delivered, copied)], waiting);
    assert.equal(done.recipients[0]?.state, "frozen");
    assert.equal(done.recipients[0].frozenWhy, "nobody-to-tell");
    const failed = await settled(true, [finding(freeze, copied)], waiting);
    assert.equal(failed.recipients[0]?.frozenWhy, "copy");
  });
});

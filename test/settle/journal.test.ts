import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settle } from "../../src/settle/settle.ts";
import type { JournalEntry, RecipientState } from "../../src/spool/spool.ts";
import { envelope, mailbox, storedMessage, storedRecipient } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import {
  HOUR,
  NOW,
  RECEIVED,
  type Word,
  copy,
  finding,
  journalOf,
  services,
  settled,
  short,
} from "./settling.ts";

const entry = (outcome: JournalEntry["outcome"], position = 0): JournalEntry => ({
  target: `${outcome}@example.com`,
  position,
  address: "x@example.com",
  router: "main",
  transport: "smtp",
  outcome,
  at: RECEIVED,
});

const after = async (...journal: readonly JournalEntry[]): Promise<RecipientState | undefined> =>
  (await settled([copy("delivered")], { journal })).recipients[0]?.state;

describe("the journal", () => {
  test("has the address that was delivered to, and when", async () => {
    const to = mailbox("robert@example.org");
    const { journal } = await settled([finding("delivered", { mailbox: to })]);
    assert.deepEqual(journal, [
      {
        target: "robert@example.org",
        outcome: "delivered",
        at: NOW,
        position: 0,
        address: "robert@example.org",
        router: "main",
        transport: "smtp",
      },
    ]);
  });

  test("of earlier attempts counts for the end of the recipient", async () => {
    assert.equal(await after(entry("failed")), "failed");
    assert.equal(await after(entry("frozen"), entry("failed")), "frozen");
    assert.equal(await after(entry("failed", 1)), "delivered");
  });

  test("is marked once when only copies are left, and not while the mail may be thawed", async () => {
    const first = await settled([copy("deferred"), finding("delivered")]);
    assert.deepEqual(journalOf(first), ["main delivered", "ended"]);
    const [change] = first.recipients;
    const recipients = [storedRecipient({ ...change, nextAttempt: RECEIVED })];
    const second = await settled([copy("deferred")], { recipients, journal: first.journal });
    assert.deepEqual(journalOf(second), ["ended"]);
    const frozen = await settled([copy("deferred"), finding("freeze")]);
    assert.deepEqual(journalOf(frozen), ["main frozen"]);
  });
});

const two = (one: RecipientState, other: RecipientState) => ({
  recipients: [
    storedRecipient({ state: one }),
    storedRecipient({ position: 1, mailbox: mailbox("eve@example.com"), state: other }),
  ],
});

const stateAfter = async (other: RecipientState) => {
  const whole = storedMessage(two("pending", other));
  const attempted = whole.recipients.slice(0, 1);
  const { state } = await settle(whole, attempted, [finding("delivered")], NOW, services());
  return state;
};

const ID = envelope().id;

describe("the message", () => {
  test("waits for every recipient, is frozen when one is, and else completed", async () => {
    assert.equal(await stateAfter("pending"), "queued");
    assert.equal(await stateAfter("frozen"), "frozen");
    assert.equal(await stateAfter("failed"), "completed");
    assert.equal(await stateAfter("delivered"), "completed");
  });

  test("changes nothing of a recipient whose time had not come", async () => {
    const whole = storedMessage(two("pending", "pending"));
    const attempted = whole.recipients.slice(0, 1);
    const { recipients } = await settle(whole, attempted, [finding("deferred")], NOW, services());
    assert.deepEqual(
      recipients.map(({ position }) => position),
      [0],
    );
  });

  test("says why it is frozen", async () => {
    const log = recordingLog();
    await settled([copy("failed"), finding("delivered")], {}, NOW, log);
    await settled([finding("freeze")], {}, NOW, log);
    await settled([finding("failed")], { envelope: envelope({ sender: null }) }, NOW, log);
    assert.deepEqual(log.named("message.frozen"), [
      { id: ID, why: "a copy cannot be made" },
      { id: ID, why: "a delivery needs the postmaster" },
      { id: ID, why: "it has failed, and no sender may be told" },
    ]);
  });

  test("logs each delivery by what became of it, and its own end", async () => {
    const log = recordingLog();
    await settled([copy("failed"), finding("failed")], {}, NOW, log);
    await settled([copy("deferred"), finding("delivered")], {}, NOW, log);
    await settled([finding("delivered")], {}, NOW, log);
    assert.deepEqual(
      log.events.map(({ name }) => name),
      [
        "delivery.frozen",
        "delivery.failed",
        "message.bounced",
        "message.frozen",
        "delivery.deferred",
        "delivery.done",
        "delivery.done",
        "message.completed",
      ],
    );
  });
});

test("a delivery is logged with the address that was written to, if that is another", async () => {
  const log = recordingLog();
  const one = storedRecipient();
  const redirected = finding("delivered", { original: mailbox("team@example.com") });
  await settle(storedMessage(), [one], [redirected, finding("failed")], NOW, services(log));
  const by = { id: envelope().id, recipient: "bob@example.com", router: "main", transport: "smtp" };
  assert.deepEqual(log.named("delivery.done"), [
    { ...by, original: "team@example.com", status: "250 2.0.0 done" },
  ]);
  assert.deepEqual(log.named("delivery.failed"), [{ ...by, status: "550 5.1.1 no such user" }]);
});

describe("reports", () => {
  const bob = storedRecipient();
  const eve = storedRecipient({ position: 1, mailbox: mailbox("eve@example.com") });
  const both = (word: Word) => [
    finding(word),
    finding(word, { position: 1, mailbox: eve.mailbox, original: eve.mailbox }),
  ];

  test("all failures of one attempt are in one, from <> to the sender", async () => {
    const { reports } = await settled(both("failed"), { recipients: [bob, eve] });
    assert.equal(reports.length, 1);
    const text = reports[0]?.bytes.toString() ?? "";
    assert.match(text, /rfc822; bob@example\.com/);
    assert.match(text, /rfc822; eve@example\.com/);
    assert.equal(reports[0]?.envelope.sender, null);
    assert.deepEqual(
      reports[0]?.recipients.map(({ mailbox: { address } }) => address),
      ["alice@example.org"],
    );
  });

  test("NOTIFY decides for each recipient; what nobody wants to hear is not sent", async () => {
    const quiet = { ...bob, notify: "NEVER" };
    const { reports, state } = await settled(both("failed"), { recipients: [quiet, eve] });
    const text = reports[0]?.bytes.toString() ?? "";
    assert.match(text, /eve@example\.com/);
    assert.doesNotMatch(text, /bob@example\.com\r\nAction/);
    assert.equal(state, "completed");
    const silent = await settled([finding("failed")], {
      recipients: [{ ...bob, notify: "SUCCESS,DELAY" }],
    });
    assert.equal(short(silent), "completed | failed | main failed | 0");
  });

  test("a copy is never spoken of, neither its failure nor its delay", async () => {
    const { reports } = await settled([copy("failed"), finding("delivered")]);
    assert.deepEqual(reports, []);
    const late = await settled([copy("deferred"), finding("delivered")], {}, RECEIVED + 3 * HOUR);
    assert.deepEqual([late.reports, late.warnings], [[], 0]);
  });

  test("a delay is told once at each time of warn_after", async () => {
    const told: string[] = [];
    let warnings = 0;
    for (let hour = 1; hour <= 7; hour++) {
      const recipients = [storedRecipient({ firstFailure: RECEIVED })];
      const at = RECEIVED + hour * HOUR;
      const settlement = await settled([finding("deferred")], { recipients, warnings }, at);
      ({ warnings } = settlement);
      if (settlement.reports.length > 0) told.push(`${hour}h`);
    }
    assert.deepEqual(told, ["2h", "5h"]);
  });

  test("a message that missed both times is told of once", async () => {
    const first = await settled([finding("deferred")], {}, RECEIVED + 6 * HOUR);
    assert.deepEqual([first.reports.length, first.warnings], [1, 2]);
  });

  test("nobody is warned at <>", async () => {
    const given = { envelope: envelope({ sender: null }) };
    const { reports } = await settled([finding("deferred")], given, RECEIVED + 3 * HOUR);
    assert.deepEqual(reports, []);
  });
});

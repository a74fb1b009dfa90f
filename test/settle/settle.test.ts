import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import { settle } from "../../src/settle/settle.ts";
import { attemptOf } from "../../src/retry/clocks/due.ts";
import type { StoredRecipient } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import {
  envelope,
  mailbox,
  storedMessage,
  storedRecipient,
  waitingCopy,
} from "../support/build.ts";
import type { Finding } from "../../src/retry/clocks/finding.ts";
import {
  HOUR,
  NOW,
  OUTCOMES,
  RECEIVED,
  type Word,
  copy,
  finding,
  services,
  settled,
  short,
} from "./settling.ts";

/** When the retry rules have ended. */
const AT_THE_END = {
  recipients: [
    storedRecipient({
      firstFailure: RECEIVED,
      attempts: 8,
      clocks: { mail: { nextAttempt: RECEIVED }, copies: [waitingCopy({ attempts: 8 })] },
    }),
  ],
};

describe("one recipient with a copy", () => {
  /** copy, mail: message, recipient, journal, reports; from a sender, then from <>. */
  const cases: readonly (readonly [Word, Word, string, string?])[] = [
    ["delivered", "delivered", "completed | delivered | copy delivered, main delivered | 0"],
    [
      "delivered",
      "failed",
      "completed | failed | copy delivered, main failed | 1",
      "frozen | frozen | copy delivered, main frozen | 0",
    ],
    ["delivered", "deferred", "queued | pending | copy delivered | 0"],
    ["delivered", "freeze", "frozen | frozen | copy delivered, main frozen | 0"],
    ["failed", "delivered", "frozen | frozen | copy frozen, main delivered, ended | 0"],
    [
      "failed",
      "failed",
      "frozen | frozen | copy frozen, main failed, ended | 1",
      "frozen | frozen | copy frozen, main frozen | 0",
    ],
    ["failed", "deferred", "queued | pending | copy frozen | 0"],
    ["deferred", "delivered", "queued | pending | main delivered, ended | 0"],
    [
      "deferred",
      "failed",
      "queued | pending | main failed, ended | 1",
      "queued | pending | main frozen | 0",
    ],
    ["deferred", "deferred", "queued | pending |  | 0"],
    ["deferred", "freeze", "queued | pending | main frozen | 0"],
    ["freeze", "delivered", "frozen | frozen | copy frozen, main delivered, ended | 0"],
    ["freeze", "deferred", "queued | pending | copy frozen | 0"],
    ["final", "delivered", "frozen | frozen | copy frozen, main delivered, ended | 0"],
    [
      "delivered",
      "final",
      "completed | failed | copy delivered, main failed | 1",
      "frozen | frozen | copy delivered, main frozen | 0",
    ],
    [
      "final",
      "final",
      "frozen | frozen | copy frozen, main failed, ended | 1",
      "frozen | frozen | copy frozen, main frozen | 0",
    ],
  ];
  for (const [copied, mailed, fromSender, fromNobody = fromSender] of cases) {
    test(`copy ${copied}, mail ${mailed}`, async () => {
      const isFinal = copied === "final" || mailed === "final";
      const given = isFinal ? AT_THE_END : {};
      const now = isFinal ? RECEIVED + 9 * HOUR : NOW;
      const findings = [copy(copied), finding(mailed)];
      assert.equal(short(await settled(findings, given, now)), fromSender);
      const bounce = { ...given, envelope: envelope({ sender: null }) };
      assert.equal(short(await settled(findings, bounce, now)), fromNobody, "from <>");
    });
  }
});

describe("a temporary failure", () => {
  test("waits for the interval of the rules, counted from the end of the attempt", async () => {
    const { recipients } = await settled([finding("deferred")]);
    assert.deepEqual(recipients, [
      {
        position: 0,
        state: "pending",
        attempts: 1,
        firstFailure: NOW,
        nextAttempt: NOW + HOUR,
        lastStatus: OUTCOMES.deferred.status,
      },
    ]);
  });

  test("keeps the time of the first failure, and counts attempts", async () => {
    const before = [storedRecipient({ firstFailure: RECEIVED, attempts: 3 })];
    const { recipients } = await settled([finding("deferred")], { recipients: before });
    assert.deepEqual([recipients[0]?.firstFailure, recipients[0]?.attempts], [RECEIVED, 4]);
  });

  test("puts recipients of one attempt off to the same moment", async () => {
    const attempted = [storedRecipient(), storedRecipient({ position: 1 })];
    const chances = [0.25, 0.75, 0.5];
    const random = () => chances.pop() ?? 0;
    const { recipients } = await settle(
      storedMessage({ recipients: attempted }),
      attempted,
      [finding("deferred"), finding("deferred", { position: 1 })],
      NOW,
      { ...services(), random },
    );
    const [one, other] = recipients.map(({ nextAttempt }) => nextAttempt);
    assert.ok((one ?? 0) > NOW + HOUR);
    assert.equal(one, other);
  });

  test("ends when the rules end, as a failure with the status of the last attempt", async () => {
    const end = RECEIVED + 8 * HOUR;
    const { state, reports } = await settled([finding("deferred")], AT_THE_END, end);
    assert.equal(state, "completed");
    assert.match(reports[0]?.bytes.toString() ?? "", /\r\nAction: failed\r\n/);
    const before = await settled([finding("deferred")], AT_THE_END, end - 1);
    assert.equal(before.state, "queued");
  });

  test("of one recipient does not hold up the end of another", async () => {
    const recipients = [
      storedRecipient(),
      storedRecipient({ position: 1, mailbox: mailbox("eve@example.com") }),
    ];
    const settlement = await settled(
      [
        finding("deferred"),
        finding("failed", { position: 1, mailbox: mailbox("eve@example.com") }),
      ],
      { recipients },
    );
    assert.equal(settlement.state, "queued");
    assert.deepEqual(
      settlement.recipients.map(({ state }) => state),
      ["pending", "failed"],
    );
    assert.equal(settlement.reports.length, 1);
  });
});

const statusAfter = async (...findings: readonly Finding[]) =>
  (await settled(findings)).recipients[0]?.lastStatus?.enhanced;

describe("the last status", () => {
  test("is what keeps the mail in the queue; what keeps a copy there is on its own clock", async () => {
    assert.equal(await statusAfter(copy("deferred"), finding("delivered")), "2.0.0");
    assert.equal(await statusAfter(copy("delivered"), finding("deferred")), "4.3.0");
    assert.equal(await statusAfter(copy("failed"), finding("delivered")), "5.1.1");
    const { recipients } = await settled([copy("deferred"), finding("delivered")]);
    assert.equal(recipients[0]?.clocks?.copies[0]?.lastStatus.enhanced, "4.3.0");
  });

  test("is the mail's rather than a copy's", async () => {
    const full: Outcome = { ...OUTCOMES.deferred, status: status(452, "3.1", "full") };
    assert.equal(
      await statusAfter(copy("deferred", { outcome: full }), finding("deferred")),
      "4.3.0",
    );
    assert.equal(await statusAfter(copy("delivered"), finding("failed")), "5.1.1");
  });

  test("stays when nothing was found", async () => {
    const before = [storedRecipient({ lastStatus: status(451, "3.0", "x") })];
    const { recipients, state } = await settled([], { recipients: before });
    assert.equal(recipients[0]?.lastStatus?.enhanced, "4.3.0");
    assert.equal(state, "completed");
  });
});

describe("the clocks of a recipient", () => {
  const MAIL = { nextAttempt: RECEIVED + 5 * HOUR };

  test("are those of the mail and of each copy, and the first is the recipient's", async () => {
    const other: Outcome = { ...OUTCOMES.deferred, notBefore: NOW + HOUR / 2 };
    const { recipients } = await settled([
      copy("deferred", { outcome: other }),
      copy("deferred", { router: "archive" }),
      finding("deferred"),
    ]);
    const failed = { attempts: 1, firstFailure: NOW };
    assert.equal(recipients[0]?.nextAttempt, NOW + HOUR / 2);
    assert.deepEqual(recipients[0].clocks, {
      mail: { nextAttempt: NOW + HOUR },
      copies: [
        waitingCopy({ ...failed, nextAttempt: NOW + HOUR / 2 }),
        waitingCopy({ ...failed, router: "archive", nextAttempt: NOW + HOUR }),
      ],
    });
  });

  test("begin with the first failure of each", async () => {
    const clocks = { mail: MAIL, copies: [waitingCopy({ attempts: 8 })] };
    const before = [storedRecipient({ clocks })];
    const { recipients } = await settled([copy("deferred"), finding("deferred")], {
      recipients: before,
    });
    assert.equal(recipients[0]?.firstFailure, NOW);
    assert.equal(recipients[0].clocks?.copies[0]?.firstFailure, RECEIVED);
    const late = [storedRecipient({ firstFailure: RECEIVED })];
    const after = await settled([copy("deferred"), finding("deferred")], { recipients: late });
    assert.equal(after.recipients[0]?.firstFailure, RECEIVED);
    assert.equal(after.recipients[0].clocks?.copies[0]?.firstFailure, NOW);
  });

  test("that were not due stay, and keep their recipient pending", async () => {
    const archive = waitingCopy({
      attempts: 8,
      router: "archive",
      nextAttempt: RECEIVED + 3 * HOUR,
    });
    const clocks = { mail: MAIL, copies: [waitingCopy({ attempts: 8 }), archive] };
    const lastStatus = status(451, "4.1", "down");
    const given = storedRecipient({ firstFailure: RECEIVED, attempts: 2, clocks, lastStatus });
    const attempted = attemptOf(given, NOW);
    assert.deepEqual(attempted?.rest, { mail: MAIL, copies: [archive] });
    const whole = storedMessage({ recipients: [given] });
    const late = RECEIVED + 3 * HOUR;
    const { state, recipients, journal, reports } = await settle(
      whole,
      [attempted],
      [copy("delivered")],
      late,
      services(),
    );
    assert.deepEqual([state, journal.length, reports.length], ["queued", 1, 0]);
    const { state: was, ...kept } = given;
    assert.deepEqual(recipients, [
      {
        ...pick(kept),
        state: was,
        nextAttempt: archive.nextAttempt,
        clocks: { mail: MAIL, copies: [archive] },
      },
    ]);
  });

  test("are forgotten when no copy waits any more", async () => {
    const { recipients } = await settled([copy("delivered"), finding("deferred")], AT_THE_END);
    assert.equal(recipients[0]?.clocks, undefined);
    assert.equal(recipients[0]?.attempts, 9);
  });

  test("that wait for a hint are woken with their recipient, in whose place they wait", async () => {
    const waits: Outcome = { ...OUTCOMES.deferred, notBefore: NOW + HOUR, waitsFor: { key: "mx" } };
    const { recipients, journal } = await settled([
      copy("deferred", { outcome: { ...waits, untried: true } }),
      finding("delivered"),
    ]);
    assert.deepEqual(recipients[0]?.waitsFor, { key: "mx" });
    assert.equal(recipients[0].clocks?.copies[0]?.attempts, 0);
    assert.deepEqual([journal.length, recipients[0].mailDone], [1, true]);
    const { waitsFor: _, ...woken } = { ...storedRecipient(), ...recipients[0], nextAttempt: NOW };
    assert.deepEqual(attemptOf(woken, NOW)?.rest, { copies: [] });
    const asleep = { ...woken, waitsFor: { key: "mx" } };
    assert.equal(attemptOf(asleep, NOW)?.rest?.copies.length, 1);
  });

  test("of recipients that failed together are due together", async () => {
    const recipients = [storedRecipient(), storedRecipient({ position: 1 })];
    const findings = [copy("deferred"), copy("deferred", { position: 1 })];
    let drawn = 0;
    const means = { ...services(), random: () => (drawn += 0.25) };
    const settlement = await settle(
      storedMessage({ recipients }),
      recipients,
      findings,
      NOW,
      means,
    );
    const [one, other] = settlement.recipients.map(({ nextAttempt }) => nextAttempt);
    assert.ok(one !== undefined && one > NOW + HOUR);
    assert.equal(one, other);
  });
});

const pick = ({
  position,
  attempts,
  firstFailure,
  lastStatus,
}: Omit<StoredRecipient, "state">) => ({
  position,
  attempts,
  firstFailure,
  lastStatus,
});

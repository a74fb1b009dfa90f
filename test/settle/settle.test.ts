import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import { parseRetryRules } from "../../src/retry/retry.ts";
import { settle, type SettleServices } from "../../src/settle/settle.ts";
import { attemptOf } from "../../src/retry/due.ts";
import type {
  JournalEntry,
  RecipientState,
  Settlement,
  StoredMessage,
  StoredRecipient,
  WaitingCopy,
} from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { envelope, inlineBody, mailbox } from "../support/message.ts";
import { outboxOf } from "../support/outbox.ts";
import { recordingLog, type RecordingLog } from "../support/services.ts";
import type { Finding } from "../../src/retry/finding.ts";

const HOUR = 3_600_000;
const RECEIVED = Date.UTC(2026, 0, 1);
const NOW = RECEIVED + 1000;

const OUTCOMES = {
  delivered: { kind: "delivered", status: status(250, "0.0", "done") },
  failed: { kind: "failed", status: status(550, "1.1", "no such user") },
  deferred: { kind: "deferred", status: status(451, "3.0", "later"), scope: "recipient" },
  freeze: { kind: "deferred", status: status(451, "3.5", "x"), scope: "recipient", freeze: true },
} as const satisfies Record<string, Outcome>;
type Word = keyof typeof OUTCOMES | "final";

function finding(word: Word, given: Partial<Finding> = {}): Finding {
  const bob = mailbox("bob@example.com");
  return {
    position: 0,
    mailbox: bob,
    original: bob,
    router: "main",
    transport: "smtp",
    unseen: false,
    outcome: OUTCOMES[word === "final" ? "deferred" : word],
    ...given,
  };
}

const copy = (word: Word, given: Partial<Finding> = {}) =>
  finding(word, { router: "copy", transport: "file", unseen: true, ...given });

function recipient(given: Partial<StoredRecipient> = {}): StoredRecipient {
  const fields = { position: 0, mailbox: mailbox("bob@example.com"), attempts: 0 };
  return { ...fields, state: "pending", nextAttempt: RECEIVED, ...given };
}

function message(given: Partial<StoredMessage> = {}): StoredMessage {
  return {
    envelope: envelope(),
    state: "active",
    recipients: [recipient()],
    journal: [],
    warnings: 0,
    body: inlineBody(),
    ...given,
  };
}

function services(log: RecordingLog = recordingLog()): SettleServices {
  const parsed = parseRetryRules("F,8h,1h");
  assert.ok("rules" in parsed);
  let ids = 0;
  return {
    hostname: "mx.example.com",
    elapsed: believed,
    returnSizeLimit: 100_000,
    warnAfter: [2 * HOUR, 5 * HOUR],
    retry: [{ match: "*", rules: parsed.rules }],
    replies: [],
    random: () => 0,
    outbox: outboxOf(() => `r00000000${++ids}`, log),
    log,
  };
}

/** What becomes of a message when the recipients in `given` were attempted with these findings. */
function settled(
  findings: readonly Finding[],
  given: Partial<StoredMessage> = {},
  now = NOW,
  log?: RecordingLog,
): Promise<Settlement> {
  const whole = message(given);
  return settle(whole, whole.recipients, findings, now, services(log));
}

/** When the retry rules have ended. */
const AT_THE_END = {
  recipients: [
    recipient({
      firstFailure: RECEIVED,
      attempts: 8,
      clocks: { mail: { nextAttempt: RECEIVED }, copies: [waitingCopy()] },
    }),
  ],
};

function waitingCopy(given: Partial<WaitingCopy> = {}): WaitingCopy {
  return {
    address: "bob@example.com",
    router: "copy",
    attempts: 8,
    firstFailure: RECEIVED,
    nextAttempt: RECEIVED,
    lastStatus: OUTCOMES.deferred.status,
    ...given,
  };
}

const journalOf = ({ journal, recipients }: Settlement) => [
  ...journal.map(({ router, outcome }) => `${router} ${outcome}`),
  ...recipients.flatMap(({ mailDone }) => (mailDone === true ? ["ended"] : [])),
];

/** The state of the message, of its first recipient, what is new in the journal, how many reports. */
function short(settlement: Settlement): string {
  const { state, recipients, reports } = settlement;
  const journal = journalOf(settlement).join(", ");
  return `${state} | ${recipients[0]?.state} | ${journal} | ${reports.length}`;
}

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
    const before = [recipient({ firstFailure: RECEIVED, attempts: 3 })];
    const { recipients } = await settled([finding("deferred")], { recipients: before });
    assert.deepEqual([recipients[0]?.firstFailure, recipients[0]?.attempts], [RECEIVED, 4]);
  });

  test("puts recipients of one attempt off to the same moment", async () => {
    const attempted = [recipient(), recipient({ position: 1 })];
    const chances = [0.25, 0.75, 0.5];
    const random = () => chances.pop() ?? 0;
    const { recipients } = await settle(
      message({ recipients: attempted }),
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
      recipient(),
      recipient({ position: 1, mailbox: mailbox("eve@example.com") }),
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
    const before = [recipient({ lastStatus: status(451, "3.0", "x") })];
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
    const clocks = { mail: MAIL, copies: [waitingCopy()] };
    const before = [recipient({ clocks })];
    const { recipients } = await settled([copy("deferred"), finding("deferred")], {
      recipients: before,
    });
    assert.equal(recipients[0]?.firstFailure, NOW);
    assert.equal(recipients[0].clocks?.copies[0]?.firstFailure, RECEIVED);
    const late = [recipient({ firstFailure: RECEIVED })];
    const after = await settled([copy("deferred"), finding("deferred")], { recipients: late });
    assert.equal(after.recipients[0]?.firstFailure, RECEIVED);
    assert.equal(after.recipients[0].clocks?.copies[0]?.firstFailure, NOW);
  });

  test("that were not due stay, and keep their recipient pending", async () => {
    const archive = waitingCopy({ router: "archive", nextAttempt: RECEIVED + 3 * HOUR });
    const clocks = { mail: MAIL, copies: [waitingCopy(), archive] };
    const lastStatus = status(451, "4.1", "down");
    const given = recipient({ firstFailure: RECEIVED, attempts: 2, clocks, lastStatus });
    const attempted = attemptOf(given, NOW);
    assert.deepEqual(attempted?.rest, { mail: MAIL, copies: [archive] });
    const whole = message({ recipients: [given] });
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
    const { waitsFor: _, ...woken } = { ...recipient(), ...recipients[0], nextAttempt: NOW };
    assert.deepEqual(attemptOf(woken, NOW)?.rest, { copies: [] });
    const asleep = { ...woken, waitsFor: { key: "mx" } };
    assert.equal(attemptOf(asleep, NOW)?.rest?.copies.length, 1);
  });

  test("of recipients that failed together are due together", async () => {
    const recipients = [recipient(), recipient({ position: 1 })];
    const findings = [copy("deferred"), copy("deferred", { position: 1 })];
    let drawn = 0;
    const means = { ...services(), random: () => (drawn += 0.25) };
    const settlement = await settle(message({ recipients }), recipients, findings, NOW, means);
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
assert.equal(await after(entry("failed")), "failed");

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
    assert.equal(await after(entry("frozen"), entry("failed")), "frozen");
    assert.equal(await after(entry("failed", 1)), "delivered");
  });

  test("is marked once when only copies are left, and not while the mail may be thawed", async () => {
    const first = await settled([copy("deferred"), finding("delivered")]);
    assert.deepEqual(journalOf(first), ["main delivered", "ended"]);
    const [change] = first.recipients;
    const recipients = [recipient({ ...change, nextAttempt: RECEIVED })];
    const second = await settled([copy("deferred")], { recipients, journal: first.journal });
    assert.deepEqual(journalOf(second), ["ended"]);
    const frozen = await settled([copy("deferred"), finding("freeze")]);
    assert.deepEqual(journalOf(frozen), ["main frozen"]);
  });
});

const two = (one: RecipientState, other: RecipientState) => ({
  recipients: [
    recipient({ state: one }),
    recipient({ position: 1, mailbox: mailbox("eve@example.com"), state: other }),
  ],
});

const stateAfter = async (other: RecipientState) => {
  const whole = message(two("pending", other));
  const attempted = whole.recipients.slice(0, 1);
  const { state } = await settle(whole, attempted, [finding("delivered")], NOW, services());
  return state;
};

describe("the message", () => {
  test("waits for every recipient, is frozen when one is, and else completed", async () => {
    assert.equal(await stateAfter("pending"), "queued");
    assert.equal(await stateAfter("frozen"), "frozen");
    assert.equal(await stateAfter("failed"), "completed");
    assert.equal(await stateAfter("delivered"), "completed");
  });

  test("changes nothing of a recipient whose time had not come", async () => {
    const whole = message(two("pending", "pending"));
    const attempted = whole.recipients.slice(0, 1);
    const { recipients } = await settle(whole, attempted, [finding("deferred")], NOW, services());
    assert.deepEqual(
      recipients.map(({ position }) => position),
      [0],
    );
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
  const one = recipient();
  const redirected = finding("delivered", { original: mailbox("team@example.com") });
  await settle(message(), [one], [redirected, finding("failed")], NOW, services(log));
  const by = { id: envelope().id, recipient: "bob@example.com", router: "main", transport: "smtp" };
  assert.deepEqual(log.named("delivery.done"), [
    { ...by, original: "team@example.com", status: "250 2.0.0 done" },
  ]);
  assert.deepEqual(log.named("delivery.failed"), [{ ...by, status: "550 5.1.1 no such user" }]);
});

describe("reports", () => {
  const bob = recipient();
  const eve = recipient({ position: 1, mailbox: mailbox("eve@example.com") });
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
      const recipients = [recipient({ firstFailure: RECEIVED })];
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

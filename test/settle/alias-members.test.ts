// A member of an alias who is gone: the postmaster hears of it, and no stranger; unless nobody has the mail.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import type { Envelope } from "../../src/mail/envelope.ts";
import { parseRetryRules } from "../../src/retry/retry.ts";
import { settle, type SettleServices } from "../../src/settle/settle.ts";
import type { JournalEntry } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { given as defined } from "../../src/base/given.ts";
import { envelope, mailbox, finding, storedMessage, storedRecipient } from "../support/build.ts";
import { outboxOf } from "../support/outbox.ts";
import { recordingLog } from "../support/services.ts";

const NOW = Date.UTC(2026, 0, 1) + 1000;
const DONE: Outcome = { kind: "delivered", status: status(250, "0.0", "done") };
const GONE: Outcome = { kind: "failed", status: status(550, "1.1", "No such user here") };
const LATER: Outcome = { kind: "deferred", status: status(451, "3.0", "x"), scope: "recipient" };
const TEAM = "team@example.com";

interface Case {
  readonly outcomes: Readonly<Record<string, Outcome>>;
  readonly journal?: readonly JournalEntry[];
  readonly given?: Partial<Envelope>;
  readonly notify?: string;
}

/** Whom the sender hears of, and what stands on the postmaster's list, when team@ leads to these. */
async function told({ outcomes, journal = [], given = {}, notify }: Case) {
  const parsed = parseRetryRules("F,8h,1h");
  assert.ok("rules" in parsed);
  const log = recordingLog();
  const services: SettleServices = {
    hostname: "mx.example.com",
    returnSizeLimit: 100_000,
    warnAfter: [],
    retry: [{ match: "*", rules: parsed.rules }],
    replies: [],
    random: () => 0,
    elapsed: believed,
    outbox: outboxOf(() => "r000000001", log),
    log,
  };
  const team = mailbox(TEAM);
  const message = storedMessage({
    envelope: envelope(given),
    recipients: [storedRecipient({ mailbox: team, nextAttempt: NOW, ...defined({ notify }) })],
    journal,
  });
  const findings = Object.entries(outcomes).map(([to, outcome]) =>
    finding(outcome, { mailbox: mailbox(to), original: team }),
  );
  const { reports, listed = [] } = await settle(
    message,
    message.recipients,
    findings,
    NOW,
    services,
  );
  const bounced = reports.flatMap(({ bytes }) =>
    [...bytes.toString().matchAll(/^Final-Recipient: rfc822; ?(.*)\r$/gim)].map(([, who]) => who),
  );
  return {
    bounced,
    listed: listed.map(({ why, recipient, original }) => [why, recipient, original]),
  };
}

const ALICE = "alice@example.com";
const EVE = "eve@example.com";
const onList = [["alias-member", EVE, TEAM]];

const delivered: JournalEntry = {
  target: ALICE,
  outcome: "delivered",
  at: NOW,
  position: 0,
  address: ALICE,
  router: "main",
  transport: "smtp",
};

describe("a member of an alias who is gone", () => {
  const cases: Readonly<Record<string, Case>> = {
    "while another has the mail": { outcomes: { [ALICE]: DONE, [EVE]: GONE } },
    "while another still waits": { outcomes: { [ALICE]: LATER, [EVE]: GONE } },
    "when another had it at an earlier attempt": {
      outcomes: { [EVE]: GONE },
      journal: [delivered],
    },
  };
  for (const [what, one] of Object.entries(cases)) {
    test(`${what} stands on the postmaster's list, and the sender hears nothing`, async () => {
      assert.deepEqual(await told(one), { bounced: [], listed: onList });
    });
  }

  test("is told to a sender of ours, who wrote through a relay rule", async () => {
    const own = { ...cases["while another has the mail"], given: { relayed: true } };
    assert.deepEqual(await told({ outcomes: {}, ...own }), { bounced: [EVE], listed: [] });
  });

  test("is told when nobody has the mail: then it has not arrived", async () => {
    assert.deepEqual(await told({ outcomes: { [ALICE]: GONE, [EVE]: GONE } }), {
      bounced: [ALICE, EVE],
      listed: [],
    });
  });

  test("is told to nobody when the sender has declined it", async () => {
    const outcomes = { [ALICE]: DONE, [EVE]: GONE };
    assert.deepEqual(await told({ outcomes, notify: "NEVER" }), { bounced: [], listed: [] });
  });

  test("and a recipient who fails beside the alias's own address are told apart", async () => {
    const outcomes = { [TEAM]: GONE, [ALICE]: DONE, [EVE]: GONE };
    assert.deepEqual(await told({ outcomes }), { bounced: [TEAM], listed: onList });
  });
});

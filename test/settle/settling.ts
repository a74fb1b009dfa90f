// Findings, messages and what settle makes of them, for the tests of settle.

import assert from "node:assert/strict";
import type { Outcome } from "../../src/contract/contract.ts";
import { parseRetryRules } from "../../src/retry/retry.ts";
import { settle, type SettleServices } from "../../src/settle/settle.ts";
import type { Settlement, StoredMessage } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { finding as found, storedMessage } from "../support/build.ts";
import { outboxOf } from "../support/outbox.ts";
import { recordingLog, type RecordingLog } from "../support/services.ts";
import type { Finding } from "../../src/retry/clocks/finding.ts";

export const HOUR = 3_600_000;

export const RECEIVED = Date.UTC(2026, 0, 1);

export const NOW = RECEIVED + 1000;

export const OUTCOMES = {
  delivered: { kind: "delivered", status: status(250, "0.0", "done") },
  failed: { kind: "failed", status: status(550, "1.1", "no such user") },
  deferred: { kind: "deferred", status: status(451, "3.0", "later"), scope: "recipient" },
  freeze: { kind: "deferred", status: status(451, "3.5", "x"), scope: "recipient", freeze: true },
} as const satisfies Record<string, Outcome>;

export type Word = keyof typeof OUTCOMES | "final";

export function finding(word: Word, given: Partial<Finding> = {}): Finding {
  return found(OUTCOMES[word === "final" ? "deferred" : word], given);
}

export const copy = (word: Word, given: Partial<Finding> = {}) =>
  finding(word, { router: "copy", transport: "file", unseen: true, ...given });

export function services(log: RecordingLog = recordingLog()): SettleServices {
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
export function settled(
  findings: readonly Finding[],
  given: Partial<StoredMessage> = {},
  now = NOW,
  log?: RecordingLog,
): Promise<Settlement> {
  const whole = storedMessage(given);
  return settle(whole, whole.recipients, findings, now, services(log));
}

export const journalOf = ({ journal, recipients }: Settlement) => [
  ...journal.map(({ router, outcome }) => `${router} ${outcome}`),
  ...recipients.flatMap(({ mailDone }) => (mailDone === true ? ["ended"] : [])),
];

/** The state of the message, of its first recipient, what is new in the journal, how many reports. */
export function short(settlement: Settlement): string {
  const { state, recipients, reports } = settlement;
  const journal = journalOf(settlement).join(", ");
  return `${state} | ${recipients[0]?.state} | ${journal} | ${reports.length}`;
}

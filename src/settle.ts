// What an attempt means for its message: done, next attempt, bounce, freeze. The only writer of recipient state.
//
// Invariants: a temporary failure is never more than a delay until its retry rules end. A copy never bounces and
// never keeps the address itself from its end: it is retried, and at last frozen and reported. Nobody is ever
// bounced to at <>: such a failure freezes. All failures of one attempt leave in one report, in the transaction
// that records them.

import { type ReportedRecipient, wantsReport, wantsWarning } from "./bounce.ts";
import type { Outcome } from "./contract.ts";
import type { Mailbox } from "./envelope.ts";
import type { Log } from "./log.ts";
import { matchRetryRule, nextAttempt, type RetryConfig, retryUntil } from "./retry.ts";
import { type Ending, logFinding, logMessage } from "./settle/log.ts";
import { firstChunk, newReport, type ReportServices, warningsDue } from "./settle/report.ts";
import type {
  JournalEntry,
  NewReport,
  RecipientChange,
  RecipientState,
  Settlement,
  StoredMessage,
  StoredRecipient,
} from "./spool.ts";

/** How one delivery of one recipient ended, the chain's own verdicts included. */
export interface Finding {
  readonly position: number;
  readonly mailbox: Mailbox;
  readonly original: Mailbox;
  readonly router: string;
  /** "" when no router led to a transport. */
  readonly transport: string;
  /** A copy. */
  readonly unseen: boolean;
  readonly outcome: Outcome;
}

export interface SettleServices extends ReportServices {
  readonly retry: readonly RetryConfig[];
  /** Ages in ms at which a warning goes out, rising. */
  readonly warnAfter: readonly number[];
  readonly log: Log;
  readonly random?: () => number;
}

/** `attempted` are the recipients whose time had come; the others keep their state. */
export async function settle(
  message: StoredMessage,
  attempted: readonly StoredRecipient[],
  findings: readonly Finding[],
  now: number,
  services: SettleServices,
): Promise<Settlement> {
  const verdicts = attempted.map((recipient) =>
    judge(
      message,
      recipient,
      findings.filter(({ position }) => position === recipient.position),
      now,
      services,
    ),
  );
  const changes = verdicts.map(({ change }) => change);
  const states = message.recipients.map(
    ({ position, state }) => changes.find((change) => change.position === position)?.state ?? state,
  );
  const state = messageState(states);
  const failed = verdicts.flatMap((verdict) => verdict.failed);
  const delayed = verdicts.flatMap((verdict) => verdict.delayed);
  const reports: NewReport[] = [];
  if (failed.length > 0) {
    reports.push(await newReport({ kind: "failed", recipients: failed }, message, now, services));
  }
  const due = warningsDue(message, now, services.warnAfter);
  const warns = state === "queued" && due > message.warnings && delayed.length > 0;
  if (warns && wantsWarning(await firstChunk(message))) {
    const retryUntilAt = Math.max(...verdicts.map((verdict) => verdict.retryUntil));
    const told = { kind: "delayed", recipients: delayed, retryUntil: retryUntilAt } as const;
    reports.push(await newReport(told, message, now, services));
  }
  logMessage(message, state, reports, failed, now, services.log);
  return {
    id: message.envelope.id,
    state,
    recipients: changes,
    journal: verdicts.flatMap(({ journal }) => journal),
    warnings: warns ? due : message.warnings,
    reports,
  };
}

interface Verdict {
  readonly change: RecipientChange;
  readonly journal: readonly JournalEntry[];
  readonly failed: readonly ReportedRecipient[];
  readonly delayed: readonly ReportedRecipient[];
  /** When the retry rules of its deferred deliveries end; 0 without any. */
  readonly retryUntil: number;
}

function judge(
  message: StoredMessage,
  recipient: StoredRecipient,
  findings: readonly Finding[],
  now: number,
  services: SettleServices,
): Verdict {
  const { sender, id } = message.envelope;
  const { position, notify } = recipient;
  const journal: JournalEntry[] = [];
  const failed: ReportedRecipient[] = [];
  const delayed: ReportedRecipient[] = [];
  const anyDeferred = findings.some(({ outcome }) => outcome.kind === "deferred");
  const firstFailure = recipient.firstFailure ?? (anyDeferred ? now : undefined);
  let until = 0;
  let next: number | undefined;
  let lastStatus = recipient.lastStatus;

  for (const finding of findings) {
    const { outcome, mailbox, router, transport } = finding;
    const again =
      outcome.kind === "deferred"
        ? retryTime(finding, firstFailure ?? now, now, services)
        : undefined;
    const ending = endingOf(finding, again, sender);
    if (lastStatus === undefined || !finding.unseen) lastStatus = outcome.status;
    logFinding(id, finding, ending, again, services.log);
    if (ending === "deferred") {
      next = Math.min(next ?? Number.POSITIVE_INFINITY, again ?? now);
      if (!finding.unseen && wantsReport("delayed", sender, notify)) {
        delayed.push(reported(recipient, finding));
        until = Math.max(until, retryUntil(rulesFor(finding, services), firstFailure ?? now));
      }
      continue;
    }
    journal.push({
      position,
      address: mailbox.address,
      router,
      transport,
      outcome: ending,
      at: now,
    });
    if (ending === "failed" && wantsReport("failed", sender, notify)) {
      failed.push(reported(recipient, finding));
    }
  }
  const endings = [...message.journal.filter((entry) => entry.position === position), ...journal];
  const change: RecipientChange = {
    position,
    state: next === undefined ? finalState(endings) : "pending",
    attempts: recipient.attempts + 1,
    nextAttempt: next ?? recipient.nextAttempt,
    ...(firstFailure === undefined ? {} : { firstFailure }),
    ...(lastStatus === undefined ? {} : { lastStatus }),
  };
  return { change, journal, failed, delayed, retryUntil: until };
}

function endingOf(finding: Finding, again: number | undefined, sender: Mailbox | null): Ending {
  const { outcome, unseen } = finding;
  if (outcome.kind === "delivered") return "delivered";
  if (outcome.kind === "deferred") {
    if (outcome.freeze === true) return "frozen";
    if (again !== undefined) return "deferred";
  }
  return unseen || sender === null ? "frozen" : "failed";
}

function rulesFor({ mailbox, outcome }: Finding, { retry }: SettleServices) {
  const host = outcome.remoteMta?.split(" ")[0];
  const subject = { domain: mailbox.domain, address: `${mailbox.localPart}@${mailbox.domain}` };
  return matchRetryRule(retry, host === undefined ? subject : { ...subject, host });
}

/** When a deferred delivery is tried again; undefined when its rules have ended. */
function retryTime(
  finding: Finding,
  firstFailureAt: number,
  now: number,
  services: SettleServices,
): number | undefined {
  const { random } = services;
  const times = { firstFailureAt, now, ...(random === undefined ? {} : { random }) };
  const next = nextAttempt(rulesFor(finding, services), times);
  return next.kind === "retry" ? next.at : undefined;
}

function reported(recipient: StoredRecipient, finding: Finding): ReportedRecipient {
  const { mailbox, original, outcome } = finding;
  return {
    mailbox,
    original,
    status: outcome.status,
    ...(recipient.orcpt === undefined ? {} : { orcpt: recipient.orcpt }),
    ...(outcome.remoteMta === undefined ? {} : { remoteMta: outcome.remoteMta }),
  };
}

function finalState(endings: readonly JournalEntry[]): RecipientState {
  if (endings.some(({ outcome }) => outcome === "frozen")) return "frozen";
  return endings.some(({ outcome }) => outcome === "failed") ? "failed" : "delivered";
}

function messageState(states: readonly RecipientState[]): Settlement["state"] {
  if (states.includes("pending")) return "queued";
  return states.includes("frozen") ? "frozen" : "completed";
}

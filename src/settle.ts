// What an attempt means for its message: done, next attempt, bounce, freeze. The only writer of recipient state.
//
// Invariants: a temporary failure is never more than a delay until its retry rules end. A copy never bounces and
// never keeps the address itself from its end: it is retried, and at last frozen and reported. Nobody is ever
// bounced to at <>: such a failure freezes. All failures of one attempt leave in one report, in the transaction
// that records them.

import { wantsReport } from "./bounce.ts";
import type { Outcome } from "./contract.ts";
import type { Mailbox } from "./envelope.ts";
import { retryUntil } from "./retry.ts";
import type { ReplyAlarms } from "./settle/alarms.ts";
import { type Attempted, clockOf, clocksAfter, type End, inOrder } from "./settle/clocks.ts";
import { endedMark, hasEnded } from "./settle/ended.ts";
import { type Ending, logFinding, logMessage } from "./settle/log.ts";
import type { RetryPolicy } from "./reply-rules.ts";
import { retryTime, replyRule, rulesFor } from "./settle/retry-time.ts";
import { reportKind, type ReportServices, reportsOn, type Told, told } from "./settle/report.ts";
import type {
  Clocks,
  JournalEntry,
  RecipientChange,
  RecipientState,
  Settlement,
  StoredMessage,
} from "./spool.ts";
import type { Status } from "./status.ts";

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
  /** A copy for a sender whom no list of accounts names. */
  readonly unlisted?: true;
  readonly outcome: Outcome;
}

export type SettleServices = ReportServices &
  RetryPolicy & {
    /** The client has been told in its session that the next host refuses the mail: nobody else is told. */
    readonly refused?: boolean;
    /** Absent: each alarm is logged. */
    readonly alarms?: Pick<ReplyAlarms, "raise">;
  };

/** `attempted` are the recipients whose time had come; the others keep their state, and these what was not due. */
export async function settle(
  message: StoredMessage,
  attempted: readonly Attempted[],
  findings: readonly Finding[],
  now: number,
  services: SettleServices,
): Promise<Settlement> {
  // One for all: recipients that were put off together come back together, in one attempt.
  const chance = (services.random ?? Math.random)();
  const judging = { ...services, random: () => chance };
  const verdicts = attempted.map((recipient) =>
    judge(
      message,
      recipient,
      findings.filter(({ position }) => position === recipient.position),
      now,
      judging,
    ),
  );
  const changes = verdicts.map(({ change }) => change);
  const states = message.recipients.map(
    ({ position, state }) => changes.find((change) => change.position === position)?.state ?? state,
  );
  const state = messageState(states);
  const lines = verdicts.flatMap((verdict) => verdict.lines);
  const due = attempted.filter(({ rest }) => rest?.mail === undefined);
  const reported = await reportsOn(message, state, due, lines, now, services);
  logMessage(message, state, now, services.log);
  return {
    id: message.envelope.id,
    state,
    recipients: changes,
    journal: verdicts.flatMap(({ journal }) => journal),
    ...reported,
  };
}

interface Verdict {
  readonly change: RecipientChange;
  readonly journal: readonly JournalEntry[];
  /** What the sender is to hear of it. */
  readonly lines: readonly Told[];
}

function judge(
  message: StoredMessage,
  recipient: Attempted,
  findings: readonly Finding[],
  now: number,
  services: SettleServices,
): Verdict {
  const { sender, id } = message.envelope;
  const { position, notify } = recipient;
  const journal: JournalEntry[] = [];
  const lines: Told[] = [];
  const ends: End[] = [];

  for (const finding of findings) {
    const { mailbox, router, transport } = finding;
    const clock = finding.unseen ? clockOf(recipient.clocks, finding) : recipient;
    const firstFailure = clock?.firstFailure ?? now;
    const again = retryTime(finding, firstFailure, now, services);
    const isTold = services.refused === true && !finding.unseen;
    const ending = isTold ? "failed" : endingOf(finding, again, sender);
    ends.push({ finding, ending, again, firstFailure });
    logFinding(id, finding, ending, again, services.log);
    const alarm = replyRule(finding, services)?.alarm;
    if (alarm !== undefined) {
      if (services.alarms === undefined) services.log.event("alarm", { id, what: alarm });
      else services.alarms.raise(id, alarm);
    }
    const kind = reportKind(finding, ending);
    if (kind !== undefined && !isTold && wantsReport(kind, sender, notify)) {
      const rules = ending === "deferred" ? rulesFor(finding, services) : undefined;
      const until = rules && retryUntil(rules, firstFailure);
      lines.push(told(kind, recipient, finding, now, until));
    }
    if (ending !== "deferred") {
      const key = { position, address: mailbox.address, router, transport };
      const copy = finding.unseen ? ({ unseen: true } as const) : {};
      journal.push({ ...key, ...copy, outcome: ending, at: now });
    }
  }
  const endings = [...message.journal.filter((entry) => entry.position === position), ...journal];
  const clocks = clocksAfter(recipient, ends);
  if (onlyCopiesAreLeft(endings, clocks) && !hasEnded(endings, position)) {
    journal.push(endedMark(position, now));
  }
  return { change: changeOf(recipient, ends, clocks, finalState(endings)), journal, lines };
}

/** `final` is its state if nothing of it waits. */
function changeOf(
  recipient: Attempted,
  ends: readonly End[],
  clocks: Clocks,
  final: RecipientState,
): RecipientChange {
  const mail = ends.filter(({ finding }) => !finding.unseen);
  const tried = mail.filter(({ finding }) => !("untried" in finding.outcome));
  const deferred = mail.find(({ ending }) => ending === "deferred");
  const firstFailure = recipient.firstFailure ?? deferred?.firstFailure;
  // Waiting for its turn says less than what was said before.
  const isKnown = tried.length < mail.length || recipient.rest?.mail !== undefined;
  const known = isKnown ? recipient.lastStatus : undefined;
  const lastStatus = known ?? statusOf(ends) ?? recipient.lastStatus;
  const [first] = inOrder(clocks);
  const waitsFor = [clocks.mail, ...clocks.copies].find((one) => one?.waitsFor)?.waitsFor;
  return {
    position: recipient.position,
    state: first === undefined ? final : "pending",
    attempts: recipient.attempts + (tried.length > 0 ? 1 : 0),
    nextAttempt: first?.nextAttempt ?? recipient.nextAttempt,
    ...(firstFailure === undefined ? {} : { firstFailure }),
    ...(lastStatus === undefined ? {} : { lastStatus }),
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(clocks.copies.length === 0 ? {} : { clocks }),
  };
}

/** What is frozen is left too: it may be thawed, and then it is to be delivered. */
function onlyCopiesAreLeft(endings: readonly JournalEntry[], { mail, copies }: Clocks): boolean {
  if (mail !== undefined) return false;
  const frozen = endings.filter(({ outcome }) => outcome === "frozen");
  return frozen.length + copies.length > 0 && frozen.every(({ unseen }) => unseen === true);
}

/** What keeps the mail in the queue, else what ended it; of a copy only that it is frozen. */
function statusOf(ends: readonly End[]): Status | undefined {
  const [first] = ends
    .filter(({ finding, ending }) => !finding.unseen || ending === "frozen")
    .toSorted((a, b) => weightOf(b) - weightOf(a));
  return first?.finding.outcome.status;
}

const WEIGHTS = { delivered: 1, failed: 2, frozen: 3, deferred: 4 } as const;

function weightOf({ finding, ending }: End): number {
  return 2 * WEIGHTS[ending] + (finding.unseen ? 0 : 1);
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

function finalState(endings: readonly JournalEntry[]): RecipientState {
  if (endings.some(({ outcome }) => outcome === "frozen")) return "frozen";
  return endings.some(({ outcome }) => outcome === "failed") ? "failed" : "delivered";
}

function messageState(states: readonly RecipientState[]): Settlement["state"] {
  if (states.includes("pending")) return "queued";
  return states.includes("frozen") ? "frozen" : "completed";
}

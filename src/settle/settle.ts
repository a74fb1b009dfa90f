// Decides the effect of an attempt on its message: done, next attempt, bounce, freeze. The only writer of recipient
// state.
//
// Invariants:
// - A temporary failure only delays mail until its retry rules end.
// - A copy never bounces, and never delays the end of the address itself. It is retried, and at last frozen and
//   reported.
// - The relay sends no bounce to <>: such a failure freezes. It sends none to a sender that is not vouched for
//   either: the failure goes on the postmaster's list.
// - All failures of one attempt are in one report, in the transaction that records them.
// - A delivery is logged and journalled once, even if several recipients lead to it.
// - A recipient is done when all that it leads to is done.
//
// Doors: alarms.ts, events.ts, frozen-mail.ts, journal.ts, vouching.ts.

import type { Draft } from "../base/given.ts";
import { wantsReport } from "../bounce/bounce.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { ReplyAlarms } from "./alarms.ts";
import {
  awaited,
  clockOf,
  clocksAfter,
  type End,
  inOrder,
  putOff,
} from "../retry/clocks/clocks.ts";
import { type Attempted, mailRests } from "../retry/clocks/due.ts";
import { frozenWhyOf } from "./frozen-why.ts";
import { entryOf } from "./journal.ts";
import { logDelivery, logMessage, logPutOff } from "./log.ts";
import { SenderStanding, type StandingServices } from "./standing.ts";
import type { RetryPolicy } from "../retry/reply-rules.ts";
import { type Failures, nextTime, replyRule } from "../retry/retry-time.ts";
import { ReportLines } from "./report-lines.ts";
import { type ReportServices, reportsOn } from "./report.ts";
import { reasonOf } from "./reason.ts";
import type { LoopShare } from "../base/loop-share.ts";
import type {
  Clocks,
  JournalEntry,
  RecipientChange,
  RecipientState,
  Settlement,
  StoredMessage,
} from "../spool/spool.ts";
import type { AlsoTo, Ending, Finding } from "../retry/clocks/finding.ts";

export type SettleServices = ReportServices &
  StandingServices &
  RetryPolicy & {
    /** The client was told in its session that the next host refuses the mail: the relay sends no bounce for it. */
    readonly refused?: boolean;
    /** The time until which bounces wait, because it is unknown whether the sender is vouched for. */
    readonly failuresWait?: number;
    /** Absent: each alarm is logged. */
    readonly alarms?: Pick<ReplyAlarms, "raise">;
    /** The share of the event loop. Absent: all work is done in one turn. */
    readonly share?: LoopShare;
  };

/** Deliveries after which settling asks for its share of the turn, and their cost in it. */
const SLICE = 200;
const SLICE_COST = 24 * 1024;
/** Writing a line of the log costs as much as this many deliveries. */
const LOG_WEIGHT = 10;

/**
 * The settlement of an attempt. `attempted` are the recipients that were due. The others keep their state, and so do
 * mail and copies of `attempted` that were not due.
 */
export async function settle(
  message: StoredMessage,
  attempted: readonly Attempted[],
  findings: readonly Finding[],
  now: number,
  services: SettleServices,
): Promise<Settlement> {
  const standing = new SenderStanding(message, now, services);
  let work = new Settling(message, attempted, now, services);
  await inSlices(findings, services.share, (finding) => work.judge(finding));
  const sender = work.bounces ? await standing.get() : undefined;
  if (sender?.kind === "unknown") {
    work = new Settling(message, attempted, now, { ...services, failuresWait: sender.until });
    await inSlices(findings, services.share, (finding) => work.judge(finding));
    logPutOff(message, sender.until, services.log);
  }
  const logged = work.logged.toSorted((one, other) => one.position - other.position);
  await inSlices(logged, services.share, ({ end, ...to }) => {
    logDelivery(message.envelope.id, end, to, services.log);
    if (to.mailbox === end.finding.mailbox) work.alarm(end.finding);
    return LOG_WEIGHT;
  });
  await inSlices(attempted, services.share, (recipient) => work.conclude(recipient));
  const states = message.recipients.map(
    ({ position, state }) => work.changes.get(position)?.state ?? state,
  );
  const state = messageState(states);
  const due = attempted.filter((one) => !mailRests(one));
  const reported = await reportsOn(message, state, due, work.lines.all, now, services, standing);
  const known = sender?.kind === "unknown" ? standing.oneMoreTry : await standing.toStore();
  logMessage(message, { state, changes: work.changes }, now, services.log);
  return {
    ...known,
    id: message.envelope.id,
    at: now,
    state,
    recipients: [...work.changes.values()],
    journal: work.journal,
    ...reported,
  };
}

/** `work` returns the number of deliveries that it has handled. */
async function inSlices<T>(
  all: readonly T[],
  share: LoopShare | undefined,
  work: (one: T) => number,
): Promise<void> {
  let seen = 0;
  for (const one of all) {
    seen += work(one);
    if (seen < SLICE) continue;
    seen = 0;
    const turn = share?.turn(SLICE_COST);
    if (turn !== undefined) await turn;
  }
}

interface Logged extends AlsoTo {
  readonly original: Mailbox;
  readonly end: End;
}

/** The settlement of one message while it is made. */
class Settling {
  readonly changes = new Map<number, RecipientChange>();
  readonly journal: JournalEntry[] = [];
  /** The log lines: each address once, however many recipients lead to it. */
  readonly logged: Logged[] = [];
  readonly lines: ReportLines;
  /** Whether mail has failed, and the sender must be told. */
  bounces = false;
  readonly #message: StoredMessage;
  readonly #attempted: ReadonlyMap<number, Attempted>;
  readonly #before = new Map<number, JournalEntry[]>();
  readonly #now: number;
  readonly #services: SettleServices;
  readonly #ends = new Map<number, End[]>();

  constructor(
    message: StoredMessage,
    attempted: readonly Attempted[],
    now: number,
    services: SettleServices,
  ) {
    this.#message = message;
    this.#attempted = new Map(attempted.map((one) => [one.position, one]));
    for (const entry of message.journal) add(this.#before, entry.position, entry);
    this.#now = now;
    // One random number for all: recipients that were put off together come back in one attempt.
    const chance = (services.random ?? Math.random)();
    this.#services = { ...services, random: () => chance };
    this.lines = new ReportLines(message.envelope, now, this.#services);
  }

  /** Records how one delivery ended, or when it is tried again. Returns its cost. */
  judge(reported: Finding): number {
    const end = this.#endOf(reported);
    const { finding, ending } = end;
    const positions = positionsOf(finding);
    for (const position of positions) add(this.#ends, position, end);
    for (const to of [finding, ...(finding.alsoTo ?? [])]) {
      const { position, mailbox } = to;
      const { original } =
        to === finding ? finding : { original: this.#ownOf(position) ?? mailbox };
      this.logged.push({ position, mailbox, original, end });
    }
    if (ending !== "deferred") this.journal.push(entryOf(finding, ending, this.#now));
    return LOG_WEIGHT + positions.length;
  }

  #endOf(finding: Finding): End {
    const services = this.#services;
    const failures = this.#failuresOf(finding);
    const again = nextTime(finding, failures, this.#now, services);
    const isTold = this.#isTold(finding);
    const isListed = this.#wasWithheld(finding);
    const canFail = isListed || this.#message.envelope.sender !== null;
    const ending = isTold ? "failed" : endingOf(finding, again, canFail);
    const end: End = { finding, ending, again, firstFailure: failures.firstFailure };
    if (ending !== "failed" || isTold || isListed || !this.#isWanted(finding)) return end;
    const { failuresWait } = services;
    this.bounces = true;
    return failuresWait === undefined ? end : putOff(end, failuresWait);
  }

  /** Whether a recipient that led to the delivery wants a report of a failure. */
  #isWanted(finding: Finding): boolean {
    const { sender } = this.#message.envelope;
    return positionsOf(finding).some((position) =>
      wantsReport("failed", sender, this.#attempted.get(position)?.notify),
    );
  }

  /** Whether its failure goes on the postmaster's list, whoever the sender is. */
  #wasWithheld(finding: Finding): boolean {
    const { unseen } = finding;
    const was = (position: number) => this.#attempted.get(position)?.withheld === true;
    return !unseen && positionsOf(finding).some(was);
  }

  /** Raises the alarm of the reply table for this reply, if it has one. */
  alarm(finding: Finding): void {
    const { id } = this.#message.envelope;
    const { alarms, log } = this.#services;
    const what = replyRule(finding, this.#services)?.alarm;
    if (what === undefined) return;
    if (alarms === undefined) log.event("alarm", { id, what });
    else alarms.raise(id, what);
  }

  #ownOf(position: number): Mailbox | undefined {
    return this.#attempted.get(position)?.mailbox;
  }

  /** Whether the client was told of the refusal of this mail in its session. */
  #isTold({ unseen }: Finding): boolean {
    return this.#services.refused === true && !unseen;
  }

  /**
   * The failures before this one. If several recipients lead to the delivery, those of the one that has waited
   * longest.
   */
  #failuresOf(finding: Finding): Failures {
    let firstFailure = this.#now;
    let failedBefore = false;
    for (const position of positionsOf(finding)) {
      const recipient = this.#attempted.get(position);
      const clock = finding.unseen ? clockOf(recipient?.clocks, finding) : recipient;
      if (clock === undefined) continue;
      // A time in the future was written before the clock was set back.
      if (clock.firstFailure !== undefined)
        firstFailure = Math.min(firstFailure, clock.firstFailure);
      failedBefore ||= clock.attempts > 0 || clock.waitsFor !== undefined;
    }
    return { firstFailure, failedBefore };
  }

  /** Decides the state of one recipient, after all deliveries have been judged. Returns its cost. */
  conclude(recipient: Attempted): number {
    const { position } = recipient;
    const ends = this.#ends.get(position) ?? [];
    const before = this.#before.get(position) ?? [];
    const outcomes = new Set(before.map(({ outcome }) => outcome));
    let mailIsFrozen = before.some(
      ({ outcome, unseen }) => outcome === "frozen" && unseen !== true,
    );
    for (const { finding, ending } of ends) {
      if (ending === "deferred") continue;
      outcomes.add(ending);
      if (ending === "frozen" && !finding.unseen) mailIsFrozen = true;
    }
    const clocks = clocksAfter(recipient, ends, this.#now);
    const mailDone = recipient.mailDone === true || (clocks.mail === undefined && !mailIsFrozen);
    const frozenWhy = frozenWhyOf(recipient, before, ends);
    const final = finalState(outcomes);
    const change = changeOf({ recipient, ends, clocks, final, now: this.#now });
    if (frozenWhy !== undefined) change.frozenWhy = frozenWhy;
    if (recipient.withheld === true || change.heldTransport !== undefined) change.withheld = true;
    const isOpen = change.state === "pending" || change.state === "frozen";
    // A frozen delivery may be thawed later, and must then be made.
    if (mailDone && isOpen) change.mailDone = mailDone;
    this.changes.set(position, change);
    this.lines.add(recipient, ends, before);
    return 5 + ends.length;
  }
}

function add<T>(groups: Map<number, T[]>, position: number, one: T): void {
  const group = groups.get(position);
  if (group === undefined) groups.set(position, [one]);
  else group.push(one);
}

/** The recipients that this delivery decides. A copy only decides the first recipient that led to it. */
function positionsOf({ position, others = [], unseen }: Finding): readonly number[] {
  return unseen || others.length === 0 ? [position] : [position, ...others];
}

interface Concluded {
  readonly recipient: Attempted;
  readonly ends: readonly End[];
  readonly clocks: Clocks;
  /** The state of the recipient if neither its mail nor a copy waits. */
  readonly final: RecipientState;
  readonly now: number;
}

function changeOf({ recipient, ends, clocks, final, now }: Concluded): Draft<RecipientChange> {
  const mail = ends.filter(({ finding }) => !finding.unseen);
  const tried = mail.filter(({ finding }) => !("untried" in finding.outcome));
  const deferred = mail.find(({ ending }) => ending === "deferred");
  const known = recipient.firstFailure;
  const isAhead = known !== undefined && known > now;
  const firstFailure = isAhead ? now : (known ?? deferred?.firstFailure);
  const [first] = inOrder(clocks);
  const waits = [...(clocks.mail === undefined ? [] : [clocks.mail]), ...clocks.copies];
  const waitsFor = waits.find((one) => one.waitsFor !== undefined)?.waitsFor;
  const { heldDomain, heldTransport } = clocks.mail ?? {};
  const change: Draft<RecipientChange> = {
    position: recipient.position,
    state: first === undefined ? final : "pending",
    attempts: recipient.attempts + (tried.length > 0 ? 1 : 0),
    nextAttempt: first?.nextAttempt ?? recipient.nextAttempt,
    ...reasonOf(recipient, ends),
    ...awaited({ waitsFor, heldDomain, heldTransport }),
  };
  if (firstFailure !== undefined) change.firstFailure = firstFailure;
  if (clocks.copies.length > 0) change.clocks = clocks;
  return change;
}

/** `canFail`: the sender or the postmaster's list is told of a failure. */
function endingOf(finding: Finding, again: number | undefined, canFail: boolean): Ending {
  const { outcome, unseen } = finding;
  if (outcome.kind === "delivered") return "delivered";
  if (outcome.kind === "deferred") {
    if (outcome.freeze === true) return "frozen";
    if (again !== undefined) return "deferred";
  }
  return unseen || !canFail ? "frozen" : "failed";
}

function finalState(outcomes: ReadonlySet<JournalEntry["outcome"]>): RecipientState {
  if (outcomes.has("frozen")) return "frozen";
  return outcomes.has("failed") ? "failed" : "delivered";
}

function messageState(states: readonly RecipientState[]): Settlement["state"] {
  if (states.includes("pending")) return "queued";
  return states.includes("frozen") ? "frozen" : "completed";
}

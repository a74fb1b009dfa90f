// What an attempt means for its message: done, next attempt, bounce, freeze. The only writer of recipient state.
//
// Invariants: a temporary failure is never more than a delay until its retry rules end. A copy never bounces and
// never keeps the address itself from its end: it is retried, and at last frozen and reported. Nobody is ever
// bounced to at <>: such a failure freezes; nor is a sender for whom nobody vouches: the postmaster hears of it. All
// failures of one attempt leave in one report, in the transaction that records them. A delivery is logged and journalled
// once, however many recipients lead to it; a recipient is done when all that it leads to is done.
//
// Doors: address-keys.ts, alarms.ts, events.ts, frozen-mail.ts, give-up.ts, journal.ts, store.ts, vouching.ts.

import { given } from "../base/given.ts";
import { wantsReport } from "../bounce/bounce.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { ReplyAlarms } from "./alarms.ts";
import { awaited, clockOf, clocksAfter, type End, inOrder, putOff } from "../retry/clocks.ts";
import { type Attempted, mailRests } from "../retry/due.ts";
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
import type { AlsoTo, Ending, Finding } from "../retry/finding.ts";

export type SettleServices = ReportServices &
  StandingServices &
  RetryPolicy & {
    /** The client has been told in its session that the next host refuses the mail: nobody else is told. */
    readonly refused?: boolean;
    /** Until then what would bounce is put off: nobody can say whether the sender may be written to. */
    readonly failuresWait?: number;
    /** Absent: each alarm is logged. */
    readonly alarms?: Pick<ReplyAlarms, "raise">;
    /** Of the event loop. Without one, everything is done in one turn. */
    readonly share?: LoopShare;
  };

/** Deliveries that are looked at between two looks at the share of the turn, and what they count in it. */
const SLICE = 200;
const SLICE_COST = 24 * 1024;
/** To write a line of the log is the work of so many. */
const LOG_WEIGHT = 10;

/** `attempted` are the recipients whose time had come; the others keep their state, and these what was not due. */
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

/** `work` gives the number of deliveries that it has looked at. */
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

/** One message between its attempt and the spool. */
class Settling {
  readonly changes = new Map<number, RecipientChange>();
  readonly journal: JournalEntry[] = [];
  /** What the log is to say: of each address once, however many recipients lead to it. */
  readonly logged: Logged[] = [];
  readonly lines: ReportLines;
  /** Something has failed, and the sender is to hear of it. */
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
    // One for all: recipients that were put off together come back together, in one attempt.
    const chance = (services.random ?? Math.random)();
    this.#services = { ...services, random: () => chance };
    this.lines = new ReportLines(message.envelope, now, this.#services);
  }

  /** Of one delivery: how it ended, or when it is tried again. */
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
    const ending = isTold ? "failed" : endingOf(finding, again, this.#message.envelope.sender);
    const end: End = { finding, ending, again, firstFailure: failures.firstFailure };
    if (ending !== "failed" || isTold || !this.#isWanted(finding)) return end;
    const { failuresWait } = services;
    this.bounces = true;
    return failuresWait === undefined ? end : putOff(end, failuresWait);
  }

  /** Somebody who led to it has asked to be told of a failure. */
  #isWanted(finding: Finding): boolean {
    const { sender } = this.#message.envelope;
    return positionsOf(finding).some((position) =>
      wantsReport("failed", sender, this.#attempted.get(position)?.notify),
    );
  }

  /** Of what the postmaster has to act on. */
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

  /** The sender's server has been told of the mail in its session. */
  #isTold({ unseen }: Finding): boolean {
    return this.#services.refused === true && !unseen;
  }

  /** Of a delivery that several recipients lead to, that of the one who has waited longest. */
  #failuresOf(finding: Finding): Failures {
    let firstFailure = this.#now;
    let failedBefore = false;
    for (const position of positionsOf(finding)) {
      const recipient = this.#attempted.get(position);
      const clock = finding.unseen ? clockOf(recipient?.clocks, finding) : recipient;
      if (clock === undefined) continue;
      // One that lies ahead was written by a clock that has been set back since.
      if (clock.firstFailure !== undefined)
        firstFailure = Math.min(firstFailure, clock.firstFailure);
      failedBefore ||= clock.attempts > 0 || clock.waitsFor !== undefined;
    }
    return { firstFailure, failedBefore };
  }

  /** What becomes of one recipient, when all deliveries have been judged. */
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
    const change = {
      ...changeOf({ recipient, ends, clocks, final, now: this.#now }),
      ...given({ frozenWhy }),
    };
    const isOpen = change.state === "pending" || change.state === "frozen";
    // What is frozen may be thawed, and then it is to be delivered.
    this.changes.set(position, mailDone && isOpen ? { ...change, mailDone } : change);
    this.lines.add(recipient, ends, before);
    return 5 + ends.length;
  }
}

function add<T>(groups: Map<number, T[]>, position: number, one: T): void {
  const group = groups.get(position);
  if (group === undefined) groups.set(position, [one]);
  else group.push(one);
}

/** The recipients whose end it is. A copy is waited for by the first that led to it alone. */
function positionsOf({ position, others = [], unseen }: Finding): readonly number[] {
  return unseen || others.length === 0 ? [position] : [position, ...others];
}

interface Concluded {
  readonly recipient: Attempted;
  readonly ends: readonly End[];
  readonly clocks: Clocks;
  /** Its state if nothing of it waits. */
  readonly final: RecipientState;
  readonly now: number;
}

function changeOf({ recipient, ends, clocks, final, now }: Concluded): RecipientChange {
  const mail = ends.filter(({ finding }) => !finding.unseen);
  const tried = mail.filter(({ finding }) => !("untried" in finding.outcome));
  const deferred = mail.find(({ ending }) => ending === "deferred");
  const known = recipient.firstFailure;
  const isAhead = known !== undefined && known > now;
  const firstFailure = isAhead ? now : (known ?? deferred?.firstFailure);
  const [first] = inOrder(clocks);
  const waits = [...(clocks.mail === undefined ? [] : [clocks.mail]), ...clocks.copies];
  const waitsFor = waits.find((one) => one.waitsFor !== undefined)?.waitsFor;
  const heldDomain = clocks.mail?.heldDomain;
  return {
    position: recipient.position,
    state: first === undefined ? final : "pending",
    attempts: recipient.attempts + (tried.length > 0 ? 1 : 0),
    nextAttempt: first?.nextAttempt ?? recipient.nextAttempt,
    ...given({ firstFailure }),
    ...reasonOf(recipient, ends),
    ...awaited({ waitsFor, heldDomain }),
    ...(clocks.copies.length === 0 ? {} : { clocks }),
  };
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

function finalState(outcomes: ReadonlySet<JournalEntry["outcome"]>): RecipientState {
  if (outcomes.has("frozen")) return "frozen";
  return outcomes.has("failed") ? "failed" : "delivered";
}

function messageState(states: readonly RecipientState[]): Settlement["state"] {
  if (states.includes("pending")) return "queued";
  return states.includes("frozen") ? "frozen" : "completed";
}

// What the sender is told after an attempt, as new messages for the spool: from <>, to the sender. One report for
// each kind of ending, with all recipients that ended so; a warning once at each time of `warn_after`.
// Invariants: a copy (`unseen`) is never spoken of, and nothing is told that NOTIFY declines (RFC 3461 4.1). No sender is
// written to for whom nobody vouches: the postmaster hears of what has failed.

import { given } from "../base/given.ts";
import { readHeader } from "../bounce/original.ts";
import {
  reportDraft,
  type ReportedRecipient,
  type ReportKind,
  wantsReport,
  wantsWarning,
} from "../bounce/bounce.ts";
import type { Elapsed } from "../base/clock-steps.ts";
import type { Log } from "../observe/log.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { Ending, Finding } from "../retry/finding.ts";
import type {
  ListEntry,
  NewReport,
  Settlement,
  StoredMessage,
  StoredRecipient,
} from "../spool/spool.ts";
import { pathText } from "../mail/address.ts";
import { isTemporary, saidLine } from "../mail/status.ts";
import { SenderStanding } from "./standing.ts";

export interface ReportServices {
  readonly hostname: string;
  readonly returnSizeLimit: number;
  /** Ages in ms at which a warning goes out, rising. */
  readonly warnAfter: readonly number[];
  readonly elapsed: Elapsed;
  readonly outbox: Pick<Outbox, "write">;
  readonly log: Log;
}

/** One line of one report. */
export interface Told {
  readonly kind: ReportKind;
  readonly recipient: ReportedRecipient;
  /** The postmaster hears of it in the sender's place. */
  readonly listed?: "alias-member";
}

/** What this ending is to the sender, who has asked for it or not; undefined when it is none of his business. */
export function reportKind({ unseen, outcome }: Finding, ending: Ending): ReportKind | undefined {
  if (unseen || ending === "frozen") return undefined;
  if (ending !== "delivered") return ending === "failed" ? "failed" : "delayed";
  if (outcome.kind === "delivered" && outcome.dsnPassedOn === true) return undefined;
  if (outcome.kind === "delivered" && outcome.final === true) return "delivered";
  // Who wrote a file, or nothing at all, has delivered; a host has only taken the message on (RFC 3461 5.2.2).
  return outcome.place?.kind === "host" ? "relayed" : "delivered";
}

export function told(
  kind: ReportKind,
  { orcpt, position, mailbox: own }: StoredRecipient,
  { mailbox, outcome, ...finding }: Finding,
  now: number,
  retryUntil: number | undefined,
): Told {
  const recipient: ReportedRecipient = {
    mailbox,
    original: position === finding.position ? finding.original : own,
    status: outcome.status,
    ...("untried" in outcome ? {} : { lastAttemptAt: now }),
    ...given({ orcpt, place: outcome.place, retryUntil }),
  };
  return { kind, recipient };
}

type Reported = Pick<Settlement, "reports" | "warnings" | "listed">;

/** The reports of an attempt on `attempted`, and how many warnings the message has had after them. */
export async function reportsOn(
  message: StoredMessage,
  state: Settlement["state"],
  attempted: readonly StoredRecipient[],
  lines: readonly Told[],
  now: number,
  services: ReportServices,
  standing: Pick<SenderStanding, "get"> = new SenderStanding(message, now, {}),
): Promise<Reported> {
  const reports: NewReport[] = [];
  const failed = ofKind("failed", lines);
  const members = lines.flatMap(({ listed, recipient }) =>
    listed === undefined ? [] : [recipient],
  );
  const listed =
    members.length === 0
      ? {}
      : { listed: listedOf("alias-member", members, message, now, services) };
  const mayWrite = async () => (await standing.get()).kind === "vouched";
  if (failed.length > 0 && !(await mayWrite())) {
    const unvouched = listedOf("unvouched", failed, message, now, services);
    return {
      reports,
      warnings: message.warnings,
      listed: [...(listed.listed ?? []), ...unvouched],
    };
  }
  for (const kind of ["failed", "relayed", "delivered"] as const) {
    const recipients = ofKind(kind, lines);
    if (recipients.length > 0 && (await mayWrite()))
      reports.push(await newReport(kind, recipients, message, now, services));
  }
  const delayed = ofKind("delayed", lines);
  const due = warningsDue(message, now, services);
  const isDue = state === "queued" && delayed.length > 0 && due > message.warnings;
  const sender = isDue ? await standing.get() : undefined;
  // While nobody can say, the warning comes later.
  if (sender === undefined || sender.kind === "unknown") {
    return { ...listed, reports, warnings: message.warnings };
  }
  if (sender.kind === "vouched" && wantsWarning(await readHeader(message.body))) {
    const all = [...delayed, ...alsoWaiting(message, attempted)];
    reports.push(await newReport("delayed", all, message, now, services));
  }
  return { ...listed, reports, warnings: due };
}

/** For the postmaster, because the sender may be anybody, or need not know. */
function listedOf(
  why: "unvouched" | "alias-member",
  failed: readonly ReportedRecipient[],
  { envelope: { id, sender } }: StoredMessage,
  at: number,
  { log }: ReportServices,
): ListEntry[] {
  const recipients = failed.map(({ original }) => original.address);
  log.event("message.listed", { id, sender: pathText(sender), recipients, why });
  return failed.map(({ mailbox, original, status }) => ({
    why,
    at,
    id,
    sender: sender?.address ?? "",
    recipient: mailbox.address,
    ...(original.address === mailbox.address ? {} : { original: original.address }),
    status: saidLine(status),
  }));
}

function ofKind(kind: ReportKind, lines: readonly Told[]): readonly ReportedRecipient[] {
  return lines
    .filter((line) => line.kind === kind && line.listed === undefined)
    .map(({ recipient }) => recipient);
}

/** How many warnings a message of this age should have had. */
function warningsDue(
  { envelope }: StoredMessage,
  now: number,
  { warnAfter, elapsed }: ReportServices,
): number {
  const age = elapsed.since(envelope.receivedAt, now);
  return warnAfter.filter((after) => age >= after).length;
}

/** Recipients whose turn it was not: the next warning is a long way off, so this one speaks of them too. */
function alsoWaiting(
  { envelope, recipients }: StoredMessage,
  attempted: readonly StoredRecipient[],
): ReportedRecipient[] {
  const due = new Set(attempted.map(({ position }) => position));
  return recipients.flatMap((recipient) => {
    const { position, state, mailbox, notify, orcpt, lastStatus: status, mailDone } = recipient;
    const waits = state === "pending" && mailDone !== true && !due.has(position);
    if (!waits || status === undefined || !isTemporary(status)) return [];
    if (!wantsReport("delayed", envelope.sender, notify)) return [];
    return [{ mailbox, original: mailbox, status, ...given({ orcpt }) }];
  });
}

async function newReport(
  kind: ReportKind,
  recipients: readonly ReportedRecipient[],
  { envelope, body }: StoredMessage,
  now: number,
  { hostname, returnSizeLimit, outbox, log }: ReportServices,
): Promise<NewReport> {
  const request = { kind, recipients, hostname, now, envelope, body, returnSizeLimit };
  // RFC 8689 5: a report tells of the message, and needs the same protection.
  const protection = envelope.requireTls === true ? ({ requireTls: true } as const) : {};
  const draft = await reportDraft(request);
  const report = await outbox.write(draft, { sender: null, now, ...protection });
  const fields = {
    id: envelope.id,
    report: report.envelope.id,
    sender: pathText(envelope.sender),
    recipients: recipients.map(({ original }) => original.address),
  };
  if (kind === "failed") log.event("message.bounced", fields);
  else log.event("message.reported", { ...fields, kind });
  return report;
}

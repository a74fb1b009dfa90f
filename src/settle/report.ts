// The reports to the sender after an attempt, as new messages for the spool: from <>, to the sender. There is one
// report for each kind of ending, with all recipients that ended so, and one warning at each time of `warn_after`.
//
// Invariants:
// - A report never mentions a copy (`unseen`), nor anything that NOTIFY declines (RFC 3461 4.1).
// - If a sender is not vouched for, the relay sends it no report: a failure goes on the postmaster's list.

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
import type { Ending, Finding } from "../retry/clocks/finding.ts";
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
  /** The ages of a message at which the sender gets a warning, in ms, rising. */
  readonly warnAfter: readonly number[];
  readonly elapsed: Elapsed;
  readonly outbox: Pick<Outbox, "write">;
  readonly log: Log;
}

/** One line of one report. */
export interface Told {
  readonly kind: ReportKind;
  readonly recipient: ReportedRecipient;
  /** The line goes on the postmaster's list and not to the sender. */
  readonly listed?: "alias-member" | "withheld";
}

/**
 * The kind of report on this ending, whether the sender has asked for it or not; undefined if the relay reports
 * nothing.
 */
export function reportKind({ unseen, outcome }: Finding, ending: Ending): ReportKind | undefined {
  if (unseen || ending === "frozen") return undefined;
  if (ending !== "delivered") return ending === "failed" ? "failed" : "delayed";
  if (outcome.kind === "delivered" && outcome.dsnPassedOn === true) return undefined;
  if (outcome.kind === "delivered" && outcome.final === true) return "delivered";
  // A transport that wrote a file, or nothing, has delivered. A host has only accepted the message (RFC 3461 5.2.2).
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

/** The reports of an attempt on `attempted`, and the number of warnings for the message including them. */
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
  const entries = (["alias-member", "withheld"] as const).flatMap((why) => {
    const those = lines.flatMap(({ listed: as, recipient }) => (as === why ? [recipient] : []));
    return those.length === 0 ? [] : listedOf(why, those, message, now, services);
  });
  const listed = entries.length === 0 ? {} : { listed: entries };
  const mayWrite = async () => (await standing.get()).kind === "vouched";
  if (failed.length > 0 && !(await mayWrite())) {
    const unvouched = listedOf("unvouched", failed, message, now, services);
    return {
      reports,
      warnings: message.warnings,
      listed: [...entries, ...unvouched],
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
  // While it is unknown whether the sender is vouched for, the warning waits.
  if (sender === undefined || sender.kind === "unknown") {
    return { ...listed, reports, warnings: message.warnings };
  }
  if (sender.kind === "vouched" && wantsWarning(await readHeader(message.body))) {
    const all = [...delayed, ...alsoWaiting(message, attempted)];
    reports.push(await newReport("delayed", all, message, now, services));
  }
  return { ...listed, reports, warnings: due };
}

/** Entries for the postmaster's list: the sender may be forged, or need not know, or would hear of it too late. */
function listedOf(
  why: "unvouched" | "alias-member" | "withheld",
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

/** The number of warnings that a message of this age should have had. */
function warningsDue(
  { envelope }: StoredMessage,
  now: number,
  { warnAfter, elapsed }: ReportServices,
): number {
  const age = elapsed.since(envelope.receivedAt, now);
  return warnAfter.filter((after) => age >= after).length;
}

/** Recipients that were not due: the next warning may come much later, so this one names them too. */
function alsoWaiting(
  { envelope, recipients }: StoredMessage,
  attempted: readonly StoredRecipient[],
): ReportedRecipient[] {
  const due = new Set(attempted.map(({ position }) => position));
  return recipients.flatMap((recipient) => {
    const { position, state, mailbox, notify, orcpt, lastStatus: status } = recipient;
    const { mailDone, withheld } = recipient;
    const isOpen = state === "pending" && mailDone !== true && withheld !== true;
    const waits = isOpen && !due.has(position);
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
  // RFC 8689 5: a report contains parts of the message, so it needs the same protection.
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

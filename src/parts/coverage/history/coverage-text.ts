// The report on copies, as text for 80 columns and as JSON.
//
// The text has the summary first, then only what deserves attention. A table of all accounts follows if they are few.

import { given } from "../../../base/given.ts";
import { folded } from "../../../base/terminal.ts";
import { counted, type Figure, figureLines, longTime, row, section, shortTime } from "../text.ts";
import type { AccountLine, CoverageReport, SenderLine } from "./coverage-report.ts";
import type { Copies, PendingCopy } from "./tally.ts";

/** A table of more accounts is not read, and the JSON has it. */
const TABLE_MAX = 30;
const NAME = 34;

export function coverageLines(report: CoverageReport, days: number, now: number): string[] {
  const { lines } = report;
  const never = lines.filter(({ isNever }) => isNever);
  const stuck = report.pending.filter(({ state }) => state !== "deferred");
  const waiting = report.pending.filter(({ state }) => state === "deferred");
  return [
    ...headLines(report, days, now),
    ...summaryLines(report),
    ...section("Accounts that never had a copy:", never, neverLines),
    ...section(
      "Senders of our domains whose mail passed without a copy of an account:",
      report.senders,
      senderLines,
    ),
    ...section("Copies that were given up or wait for the postmaster:", stuck, pendingLines),
    ...section("Copies that are tried again:", waiting, pendingLines),
    ...(lines.length <= TABLE_MAX ? tableLines(lines) : []),
  ];
}

function headLines({ since, begin, leftOut, problems }: CoverageReport, days: number, now: number) {
  const heading = `Copies of the last ${counted(days, "day")}, since ${longTime(since)}`;
  const length = begin === undefined ? "" : lengthText(now - begin);
  const shorter =
    begin === undefined
      ? []
      : folded(
          `The history is shorter: it begins at ${longTime(begin)}, ${length} ago. Nothing is counted before that.`,
          0,
        );
  const missing =
    leftOut === 0
      ? []
      : folded(
          `${counted(leftOut, "event")} had no room in the history, so some numbers are too small.`,
          0,
        );
  return [heading, ...shorter, ...missing, ...problems.flatMap((one) => folded(one, 0))];
}

function lengthText(milliseconds: number): string {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 120) return counted(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}

function summaryLines({ lines, senders, pending, elsewhere }: CoverageReport): string[] {
  const [copiesIn, copiesOut] = [total(lines, "in"), total(lines, "out")];
  const active = lines.filter((line) => line.in.count + line.out.count > 0).length;
  const never = lines.filter(({ isNever }) => isNever).length;
  const uncopied = senders.reduce((sum, { count }) => sum + count, 0);
  const figures: readonly Figure[] = [
    ["Accounts", lines.length],
    ["  with copies", active],
    ["  without a copy in this time, but with older ones", lines.length - active - never],
    ["  that never had a copy", never],
    ["Copies of mail that came in", copiesIn],
    ["Copies of mail that went out", copiesOut],
    [`Messages of ${counted(senders.length, "sender")} without a copy of an account`, uncopied],
    ["Copies that are not made yet", pending.length],
    ["Copies in Maildirs of no account", elsewhere],
  ];
  const warning = oneSided(lines.length, copiesIn, copiesOut);
  return [
    "",
    ...figureLines(figures.slice(0, 4), 1),
    ...figureLines(figures.slice(4), 2),
    ...(warning === undefined ? [] : ["", ...folded(warning, 0)]),
  ];
}

/** No copies at all in one direction are a mistake of the set-up rather than a quiet week. */
function oneSided(accounts: number, copiesIn: number, copiesOut: number): string | undefined {
  if (accounts === 0) return "No router copies the mail of a list of accounts: see docs/set-up.md.";
  if (copiesIn === 0 && copiesOut > 0) {
    return "No mail for any account has come in: does the MX record of the domain name this relay?";
  }
  return copiesOut === 0 && copiesIn > 0
    ? "No account has sent any mail through this relay: is it set as the outbound gateway at Google?"
    : undefined;
}

function total(lines: readonly AccountLine[], direction: "in" | "out"): number {
  return lines.reduce((sum, line) => sum + line[direction].count, 0);
}

function neverLines({ account }: AccountLine): string[] {
  const state = account.state === "active" ? "" : ` (${account.state})`;
  const kind = account.kind === "unknown" ? "" : account.kind;
  return row(account.address, 50, `  ${kind}${state}`);
}

function senderLines({ sender, count, last, why }: SenderLine): string[] {
  const messages = `${String(count).padStart(8)} ${count === 1 ? "message, " : "messages,"}`;
  return [...row(sender, 40, `${messages} last ${shortTime(last)}`), ...folded(why, 6)];
}

function pendingLines({ id, recipient, transport, state, at }: PendingCopy): string[] {
  return [
    `  ${id}  ${state} since ${shortTime(at)}`,
    ...folded(`for ${recipient}, by ${transport}; see relayctl trace ${id}`, 6),
  ];
}

function tableLines(lines: readonly AccountLine[]): string[] {
  if (lines.length === 0) return [];
  const head = `  ${"Account".padEnd(NAME)}${"in".padStart(8)}  ${"last".padEnd(11)}${"out".padStart(8)}  last`;
  return ["", head, ...lines.flatMap(tableRow)];
}

function tableRow({ account, in: into, out }: AccountLine): string[] {
  return row(account.address, NAME, `${columns(into)}${columns(out)}`);
}

function columns({ count, last }: Copies): string {
  const time = count === 0 ? "-" : shortTime(last);
  return `${String(count).padStart(8)}  ${time.padEnd(11)}`;
}

export function coverageObject(report: CoverageReport, days: number): object {
  const { since, begin, lines, senders, pending, elsewhere, leftOut, problems } = report;
  return {
    days,
    since: iso(since),
    ...given({ history_begins: begin === undefined ? undefined : iso(begin) }),
    is_whole: begin === undefined && leftOut === 0 && problems.length === 0,
    left_out: leftOut,
    problems,
    totals: {
      accounts: lines.length,
      in: total(lines, "in"),
      out: total(lines, "out"),
      elsewhere,
    },
    accounts: lines.map(({ account, in: into, out, isNever }) => ({
      address: account.address,
      kind: account.kind,
      state: account.state,
      in: into.count,
      out: out.count,
      last_in: into.count === 0 ? null : iso(into.last),
      last_out: out.count === 0 ? null : iso(out.last),
      never: isNever,
    })),
    never: lines.filter(({ isNever }) => isNever).map(({ account }) => account.address),
    without_copy: senders.map(({ sender, kind, count, last, why }) => ({
      sender,
      kind,
      messages: count,
      last: iso(last),
      why,
    })),
    pending: pending.map(({ at, ...copy }) => ({ ...copy, since: iso(at) })),
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

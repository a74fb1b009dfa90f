// The lines of the reports on an attempt: one for each recipient that the reports name.
//
// Invariants:
// - Each such recipient is named, and each address that failed. Not each address is named with each recipient that
//   leads to it.
// - If an alias reaches at least one member, the failure of another member is reported to the postmaster and not to a
//   stranger.
// - Of mail that has waited for a transport on hold, the sender hears of no delay and of no failure. Each failure is
//   reported to the postmaster.

import { wantsReport } from "../bounce/bounce.ts";
import type { Elapsed } from "../base/clock-steps.ts";
import type { Envelope, Mailbox } from "../mail/envelope.ts";
import type { RetryPolicy } from "../retry/reply-rules.ts";
import { retryUntil } from "../retry/retry.ts";
import { canonicalAddressOf } from "../mail/address.ts";
import type { JournalEntry } from "../spool/spool.ts";
import type { End } from "../retry/clocks/clocks.ts";
import { type Attempted, mailRests } from "../retry/clocks/due.ts";
import { reportKind, type Told, told } from "./report.ts";
import { hasSeenLastInterval, rulesFor } from "../retry/retry-time.ts";

interface LineServices extends RetryPolicy {
  readonly elapsed: Elapsed;
  /** The client was told in its session that the next host refuses the mail. */
  readonly refused?: boolean;
}

export class ReportLines {
  readonly all: Told[] = [];
  readonly #envelope: Envelope;
  readonly #now: number;
  readonly #services: LineServices;
  readonly #reported = new Set<End>();

  constructor(envelope: Envelope, now: number, services: LineServices) {
    this.#envelope = envelope;
    this.#now = now;
    this.#services = services;
  }

  /** Adds the lines for a recipient. `before` are its journal entries. */
  add(recipient: Attempted, ends: readonly End[], before: readonly JournalEntry[]): void {
    const { sender, relayed } = this.#envelope;
    const named = new Set<Told["kind"]>();
    let reaches: boolean | undefined;
    for (const end of ends) {
      const { finding, ending } = end;
      const kind = reportKind(finding, ending);
      if (kind === undefined || (this.#services.refused === true && !finding.unseen)) continue;
      if (this.#reported.has(end) && named.has(kind)) continue;
      const isWithheld = recipient.withheld === true || isHeldBack(finding);
      if (isWithheld && kind === "delayed") continue;
      const isListed = isWithheld && kind === "failed";
      if (!isListed && !wantsReport(kind, sender, recipient.notify)) continue;
      const rules = ending === "deferred" ? rulesFor(finding, this.#services) : undefined;
      if (rules !== undefined && !hasSeenLastInterval(rules, this.#services)) continue;
      this.#reported.add(end);
      named.add(kind);
      const age = this.#services.elapsed.since(end.firstFailure, this.#now);
      const until = rules && retryUntil(rules, this.#now - age);
      const line = told(kind, recipient, finding, this.#now, until);
      const isMember =
        kind === "failed" &&
        relayed !== true &&
        !isSame(finding.mailbox, recipient.mailbox) &&
        (reaches ??= reachesSomebody(recipient, ends, before));
      if (isListed) this.all.push({ ...line, listed: "withheld" });
      else this.all.push(isMember ? { ...line, listed: "alias-member" } : line);
    }
  }
}

function isHeldBack({ outcome }: End["finding"]): boolean {
  return outcome.kind === "deferred" && outcome.heldTransport !== undefined;
}

/** Whether an address that the recipient leads to has the mail, or may still get it. */
function reachesSomebody(
  recipient: Attempted,
  ends: readonly End[],
  before: readonly JournalEntry[],
): boolean {
  return (
    mailRests(recipient) ||
    before.some(({ unseen, outcome }) => unseen !== true && outcome === "delivered") ||
    ends.some(({ finding, ending }) => !finding.unseen && ending !== "failed")
  );
}

function isSame(one: Mailbox, other: Mailbox): boolean {
  return canonicalAddressOf(one) === canonicalAddressOf(other);
}

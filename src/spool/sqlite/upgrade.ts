// What a spool of an older version says, in the words of today.
//
// Before version 8 the name of a host that is waited for stood at the head of the key, for retry rules to find it
// there, and whether a copy may have been made without an answer was seen from the text of a status.
//
// Before version 5 the journal named a delivery by recipient, address, router and transport, and orders were magic
// values: a next attempt at 0 was "retry now", an entry without an address "the mail is done", a key that began with
// "hold:" the hold of a domain.
//
// Invariants: what was done stays done. A row of today comes out as it went in. Where a value is damaged, it stays as it
// is, for the reader of rows to find out.

import { given } from "../../base/given.ts";
import { canonicalAddressOf, parseMailbox } from "../../mail/address.ts";
import { type FrozenWhy, namedPlaceOf } from "../spool.ts";
import type { StoredRow } from "./rows.ts";
import type { Row } from "../../base/durable/columns.ts";

const HOLD = "hold:";

/** Throws for what is no row at all. */
export function upgradedRow(stored: StoredRow): StoredRow {
  const row = withOrders(stored);
  return { ...row, recipients: row.recipients.map(withTypedWaits) };
}

/** Rows of version 2, 3 or 4 become rows of version 5. */
export function withOrders({ message, recipients, journal, body }: StoredRow): StoredRow {
  const isOld = [...recipients, ...journal].some((row) => !("mail_done" in row || "target" in row));
  if (!isOld) return { message, recipients, journal, body };
  const marks = new Set(journal.filter(isMark).map(({ position }) => position));
  const receivedAt = message["received_at"];
  const untold = isNullSender(message["envelope"]) ? untoldIn(journal) : new Set();
  return {
    message: message["next_attempt"] === 0 ? { ...message, next_attempt: receivedAt } : message,
    recipients: recipients.map((row) => ({
      ...upgradedRecipient(row, receivedAt, marks),
      frozen_why: untold.has(row["position"]) ? ("nobody-to-tell" satisfies FrozenWhy) : null,
    })),
    journal: upgradedJournal(journal),
    body,
  };
}

/**
 * Recipients that are frozen because their mail has failed, with no copy beside it. Before version 5 nobody wrote down
 * why something is frozen: with a null sender it can only be that nobody could be told. Others wait for the postmaster.
 */
function untoldIn(journal: readonly Row[]): ReadonlySet<unknown> {
  const frozen = journal.filter(({ outcome }) => outcome === "frozen");
  const copies = new Set(frozen.flatMap((row) => (row["unseen"] === 1 ? [row["position"]] : [])));
  return new Set(frozen.map(({ position }) => position)).difference(copies);
}

function isNullSender(envelope: unknown): boolean {
  try {
    return typeof envelope === "string" && JSON.parse(envelope).sender === null;
  } catch {
    return false;
  }
}

function upgradedRecipient(row: Row, receivedAt: unknown, marks: ReadonlySet<unknown>): Row {
  const { next_attempt: nextAttempt, waits_for: waitsFor, clocks } = row;
  const isForced = nextAttempt === 0;
  const held = heldDomainOf(waitsFor);
  return {
    ...row,
    next_attempt: isForced ? receivedAt : nextAttempt,
    forced: isForced ? 1 : 0,
    mail_done: marks.has(row["position"]) ? 1 : 0,
    waits_for: held === null ? (waitsFor ?? null) : null,
    held_domain: held,
    clocks: upgradedClocks(clocks),
  };
}

function heldDomainOf(waitsFor: unknown): string | null {
  return typeof waitsFor === "string" && waitsFor.startsWith(HOLD)
    ? waitsFor.slice(HOLD.length)
    : null;
}

function upgradedClocks(clocks: unknown): unknown {
  if (typeof clocks !== "string" || !clocks.includes(HOLD)) return clocks ?? null;
  try {
    const { mail, ...rest } = JSON.parse(clocks);
    const heldDomain = heldDomainOf(mail.waitsFor);
    if (heldDomain === null) return clocks;
    return JSON.stringify({ mail: { nextAttempt: mail.nextAttempt, heldDomain }, ...rest });
  } catch {
    return clocks;
  }
}

function isMark({ address }: Row): boolean {
  return address === "";
}

const UNSURE = "The file system of the mailbox does not answer";
const KEY_AS_TEXT = '"waitsFor":"';

/** A recipient as version 8 has it. */
export function withTypedWaits(row: Row): Row {
  const { last_status: status, waits_for: key, waits_for_host: host, clocks } = row;
  return {
    ...row,
    last_status: upgradedStatus(status),
    waits_for_host: host ?? hostOf(key) ?? null,
    clocks: typedClocks(clocks),
  };
}

/** Undefined for the key of an account. */
function hostOf(key: unknown): string | undefined {
  if (typeof key !== "string") return undefined;
  return /^(?:\S+(?= \[)|\/\S+|maildir(?= ))/.exec(key)?.[0];
}

interface OldStatus {
  readonly text: string;
  readonly remote?: true;
}

interface OldWait {
  readonly waitsFor?: unknown;
}

interface OldClocks {
  readonly mail?: OldWait;
  readonly copies: readonly (OldWait & { readonly lastStatus: OldStatus })[];
}

function upgradedStatus(text: unknown): unknown {
  if (typeof text !== "string" || !text.includes(UNSURE)) return text ?? null;
  try {
    return JSON.stringify(sureOrNot(JSON.parse(text)));
  } catch {
    return text;
  }
}

function sureOrNot(status: OldStatus): OldStatus & { readonly unsure?: true } {
  const isUnsure = status.text === UNSURE && status.remote === undefined;
  return isUnsure ? { ...status, unsure: true } : status;
}

function typedClocks(text: unknown): unknown {
  const isOld = typeof text === "string" && (text.includes(UNSURE) || text.includes(KEY_AS_TEXT));
  if (!isOld) return text ?? null;
  try {
    const { mail, copies }: OldClocks = JSON.parse(text);
    return JSON.stringify({
      ...given({ mail: mail && typedWait(mail) }),
      copies: copies.map((copy) => ({
        ...copy,
        ...typedWait(copy),
        lastStatus: sureOrNot(copy.lastStatus),
      })),
    });
  } catch {
    return text;
  }
}

function typedWait(wait: OldWait): OldWait {
  const { waitsFor: key } = wait;
  if (typeof key !== "string") return wait;
  const host = hostOf(key);
  return { ...wait, waitsFor: host === undefined ? { key } : { key, host } };
}

/** Several recipients may have led to one address: what it was delivered by counts, whatever else became of it. */
const WEIGHTS: Readonly<Record<string, number>> = { delivered: 2, failed: 1, frozen: 0 };

function upgradedJournal(journal: readonly Row[]): readonly Row[] {
  const entries = new Map<string, Row>();
  for (const row of journal) {
    if (isMark(row)) continue;
    const target = row["unseen"] === 1 ? placeOf(row) : canonicalText(row["address"]);
    const key = `${String(row["unseen"])} ${String(target)}`;
    const known = entries.get(key);
    if (known === undefined || weightOf(row) > weightOf(known)) {
      entries.set(key, { ...row, target });
    }
  }
  return [...entries.values()];
}

function weightOf({ outcome }: Row): number {
  return WEIGHTS[String(outcome)] ?? 0;
}

function canonicalText(address: unknown): unknown {
  const mailbox = typeof address === "string" ? parseMailbox(address) : undefined;
  return mailbox === undefined ? address : canonicalAddressOf(mailbox);
}

function placeOf({ address, router, transport }: Row): string {
  return namedPlaceOf(String(address), String(router), String(transport));
}

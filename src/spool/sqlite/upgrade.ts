// Rows of an older spool, converted to the present version.
//
// Before version 8, the name of an awaited host was the head of the key, and the text of a status told whether a copy
// without an answer may have been made.
//
// Before version 5, the journal named a delivery by recipient, address, router and transport. Orders were magic values:
// a next attempt at 0 meant "retry now", an entry without an address "the mail is done", and a key that began with
// "hold:" the hold of a domain.
//
// Invariants:
// - A finished delivery stays finished.
// - A row of the present version is returned unchanged.
// - A damaged value stays as it is, so that the reader of rows detects it.

import { given } from "../../base/given.ts";
import { canonicalAddressOf, parseMailbox } from "../../mail/address.ts";
import { type FrozenWhy, namedPlaceOf } from "../spool.ts";
import type { StoredRow } from "./rows.ts";
import type { Row } from "../../base/durable/columns.ts";

const HOLD = "hold:";

/** Returns the row in the present version. Throws if the value has not the shape of a row. */
export function upgradedRow(stored: StoredRow): StoredRow {
  const row = withOrders(stored);
  return { ...row, recipients: row.recipients.map(withTypedWaits) };
}

/** Converts rows of version 2, 3 or 4 to version 5. */
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
 * Returns recipients that are frozen because their mail has failed, without a frozen copy. Before version 5 the reason
 * of freezing was not stored. With a null sender it can only be that no sender could be told. Others wait for the
 * postmaster.
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

/** Converts a recipient to version 8. */
export function withTypedWaits(row: Row): Row {
  const { last_status: status, waits_for: key, waits_for_host: host, clocks } = row;
  return {
    ...row,
    last_status: upgradedStatus(status),
    waits_for_host: host ?? hostOf(key) ?? null,
    clocks: typedClocks(clocks),
  };
}

/** Returns the host in a key. Undefined for the key of a recipient. */
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

/**
 * If several recipients led to one address, a delivered entry counts before a failed one, and that before a frozen one.
 */
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

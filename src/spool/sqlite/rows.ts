// The values that pass between the relay's thread and the spool's: writes and rows. Also the way from a row back to a
// StoredMessage. Rows are not trusted, because a disk may have changed them since they were written.

import { crc32 } from "node:zlib";
import { type Draft, given } from "../../base/given.ts";
import { inlineBody, withHead } from "../../mail/body.ts";
import type { Body, Envelope, MessageId } from "../../mail/envelope.ts";
import type { Awaited, HostHint } from "../../mail/host.ts";
import {
  FROZEN_WHYS,
  type Clocks,
  type JournalEntry,
  type ListEntry,
  type NewMessage,
  type NewReport,
  type PostmasterList,
  type RecipientChange,
  type Settlement,
  type StoredMessage,
  type StoredRecipient,
  type Wait,
  type WaitingCopy,
} from "../spool.ts";
import type { Status } from "../../mail/status.ts";
import {
  bodyFile,
  CorruptBody,
  databaseBody,
  fileBody,
  type ReadPart,
  type Recorded,
  SMALL_MAX,
} from "./body.ts";
import { numberOf, type Row, textOf, type Value } from "../../base/durable/columns.ts";
import { idNumber, idText } from "../../mail/ids.ts";

export interface StoredRow {
  readonly message: Row;
  readonly recipients: readonly Row[];
  readonly journal: readonly Row[];
  /**
   * The bytes of the body. Its number of bytes if it is in the database and was too large to be loaded. null if it is
   * not in the database, undefined if no body was to be loaded.
   */
  readonly body: Value;
}

export type Write =
  | {
      readonly kind: "insert";
      readonly id: number;
      readonly state: "active" | "queued";
      /** Time of reception, in ms since the epoch. */
      readonly at: number;
      readonly size: number;
      /** CRC32 of the body. */
      readonly checksum: number;
      readonly envelope: string;
      readonly envelopeChecksum: number;
      /** Absent if the body is in a file. */
      readonly body?: Uint8Array;
      readonly recipients: readonly string[];
      readonly vouched: boolean | undefined;
    }
  | {
      readonly kind: "settle";
      readonly id: number;
      /** Absent: only the journal grows. */
      readonly state?: "active" | "queued" | "frozen";
      readonly warnings: number;
      readonly recipients: readonly RecipientChange[];
      readonly journal: readonly JournalEntry[];
      /** The time from which the next attempt was computed, in ms since the epoch. */
      readonly at: number;
      readonly vouched?: boolean;
      readonly vouchTries?: number;
    }
  | { readonly kind: "remove"; readonly id: number }
  /** Makes the message due `delay` ms after `at`, whatever the times of its recipients. */
  | {
      readonly kind: "postpone";
      readonly id: number;
      readonly at: number;
      readonly delay: number;
    }
  | { readonly kind: "list"; readonly entries: readonly ListEntry[] }
  | { readonly kind: "forget-list"; readonly list: Omit<PostmasterList, "entries"> }
  | { readonly kind: "hold"; readonly domain: string; readonly since: number }
  | { readonly kind: "hint"; readonly key: string; readonly hint: HostHint | undefined };

/** Writes that take effect together or not at all. */
export type Transaction = readonly Write[];

/** The error of a commit. Undefined for success. */
export type CommitResult = { readonly message: string; readonly full: boolean } | undefined;

export function statusOf(value: Value): Status {
  return checkedStatus(JSON.parse(textOf(value)));
}

function checkedStatus(status: Partial<Status> = {}): Status {
  const { code, enhanced, text, remote, bare, unsure } = status;
  return {
    code: numberOf(code),
    enhanced: textOf(enhanced),
    text: textOf(text),
    ...(remote === true ? { remote } : {}),
    ...(bare === true ? { bare } : {}),
    ...(unsure === true ? { unsure } : {}),
  };
}

export function clocksOf(value: Value): Clocks {
  const { mail, copies }: Partial<Clocks> = JSON.parse(textOf(value));
  if (!Array.isArray(copies)) throw new TypeError("no clocks in the spool");
  return {
    ...given({ mail: mail && waitOf(mail) }),
    copies: copies.map(waitingCopyOf),
  };
}

function waitOf({ nextAttempt, waitsFor, heldDomain, heldTransport }: Partial<Wait>): Wait {
  return {
    nextAttempt: numberOf(nextAttempt),
    ...given({
      waitsFor: waitsFor && awaitedOf(waitsFor.key, waitsFor.host),
      heldDomain: heldDomain === undefined ? undefined : textOf(heldDomain),
      heldTransport: heldTransport === undefined ? undefined : textOf(heldTransport),
    }),
  };
}

/** `host` is absent for the key of a recipient. */
function awaitedOf(key: Value, host: Value): Awaited {
  return { key: textOf(key), ...(typeof host === "string" ? { host } : {}) };
}

function waitingCopyOf(copy: Partial<WaitingCopy>): WaitingCopy {
  return {
    address: textOf(copy.address),
    router: textOf(copy.router),
    ...given({
      place: copy.place === undefined ? undefined : textOf(copy.place),
      others: copy.others?.map(numberOf),
    }),
    attempts: numberOf(copy.attempts),
    firstFailure: numberOf(copy.firstFailure),
    lastStatus: checkedStatus(copy.lastStatus),
    ...waitOf(copy),
  };
}

export function wordOf<const T extends string>(value: Value, words: readonly T[]): T {
  const word = words.find((known) => known === value);
  if (word === undefined) throw new TypeError(`unknown word in the spool: ${String(value)}`);
  return word;
}

export function insertion(
  message: NewMessage,
  state: "active" | "queued",
  size: number,
  checksum: number,
  body: Uint8Array | undefined,
): Write {
  const { id, ...rest } = message.envelope;
  const envelope = JSON.stringify(rest);
  const recipients = message.recipients.map((recipient) => JSON.stringify(recipient));
  const write: Draft<Extract<Write, { kind: "insert" }>> = {
    kind: "insert",
    id: idNumber(id),
    state,
    at: rest.receivedAt,
    size,
    checksum,
    envelope,
    envelopeChecksum: checksumOf(envelope, recipients),
    recipients,
    vouched: message.vouched,
  };
  if (body !== undefined) write.body = body;
  return write;
}

export function reportInsertion(report: NewReport): Write {
  const { bytes } = report;
  return insertion(report, "queued", bytes.length, crc32(bytes), bytes);
}

/** Returns all writes of a settlement. A message with a damaged body stays active until its remains are safe. */
export function settlementWrites(
  { reports, listed = [], ...settlement }: Settlement,
  notes: readonly JournalEntry[],
  isDamaged: boolean,
): Write[] {
  const { state } = settlement;
  const id = idNumber(settlement.id);
  const writes: Write[] = reports.map(reportInsertion);
  if (listed.length > 0) writes.push({ kind: "list", entries: listed });
  if (state === "completed") writes.push({ kind: "remove", id });
  else {
    const journal = [...notes, ...settlement.journal];
    writes.push({
      kind: "settle",
      ...settlement,
      id,
      state: isDamaged ? "active" : state,
      journal,
    });
  }
  return writes;
}

/**
 * CRC32 of the envelope and all recipients in order. It detects a lost recipient, which would get neither mail nor
 * bounce.
 */
function checksumOf(envelope: string, recipients: readonly string[]): number {
  return recipients.reduce((sum, request) => crc32(request, sum), crc32(envelope));
}

/** The way to bodies that are not in their row. */
export interface BodyAccess {
  /** Returns a part of a body in the database; see {@link ReadPart}. */
  readonly read: (id: number, ...part: Parameters<ReadPart>) => ReturnType<ReadPart>;
  readonly onDamage: (id: MessageId, damage: CorruptBody) => void;
}

/** For rows that have their whole body. */
const NO_ACCESS: BodyAccess = { read: async () => undefined, onDamage: () => undefined };

/** Returns the message of a row. Throws if the row is damaged, and CorruptBody if its body is. */
export function messageOf(
  row: StoredRow,
  spoolDirectory: string,
  access: BodyAccess = NO_ACCESS,
): StoredMessage {
  const { message } = row;
  const id = idText(numberOf(message["id"]));
  const text = textOf(message["envelope"]);
  const requests = row.recipients.map(({ request }) => textOf(request));
  if (checksumOf(text, requests) !== numberOf(message["envelope_checksum"])) {
    throw new Error("stored envelope is damaged: wrong checksum");
  }
  const envelope: Omit<Envelope, "id" | "size"> = JSON.parse(text);
  const body = withHead(envelope.head, bodyOf(row, bodyFile(spoolDirectory, id), access));
  return {
    envelope: { ...envelope, id, size: body.size },
    state: wordOf(message["state"], ["active", "queued", "frozen"]),
    warnings: numberOf(message["warnings"]),
    ...vouchingOf(message),
    ...(numberOf(message["interruptions"]) > 0 ? { interrupted: true } : {}),
    recipients: row.recipients.map(recipientOf),
    journal: row.journal.map(journalEntryOf),
    body,
  };
}

/** Reads columns that are missing in a view of an older spool. */
function vouchingOf({
  vouched,
  vouch_tries: tries,
}: Row): Pick<StoredMessage, "vouched" | "vouchTries"> {
  return {
    ...(typeof vouched === "number" ? { vouched: vouched === 1 } : {}),
    ...(typeof tries === "number" && tries > 0 ? { vouchTries: tries } : {}),
  };
}

function bodyOf({ message, body }: StoredRow, file: string, access: BodyAccess): Body {
  const id = numberOf(message["id"]);
  const size = numberOf(message["size"]);
  const checksum = numberOf(message["checksum"]);
  const recorded = { size, checksum };
  const onDamage = (damage: CorruptBody) => access.onDamage(idText(id), damage);
  if (body instanceof Uint8Array) return loadedBody(body, recorded);
  if (typeof body === "number") {
    requireLength(body, recorded);
    return databaseBody((...part) => access.read(id, ...part), recorded, onDamage);
  }
  if (body === null && size <= SMALL_MAX) throw new CorruptBody("its bytes are missing");
  return fileBody(file, recorded, onDamage);
}

function loadedBody(bytes: Uint8Array, recorded: Recorded): Body {
  requireLength(bytes.length, recorded);
  if (crc32(bytes) !== recorded.checksum) throw new CorruptBody("wrong checksum");
  return inlineBody(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function requireLength(length: number, { size }: Recorded): void {
  if (length !== size) throw new CorruptBody(`${length} bytes of ${size}`);
}

function recipientOf(row: Row): StoredRecipient {
  const firstFailure = row["first_failure"];
  const lastStatus = row["last_status"];
  const waitsFor = row["waits_for"];
  const heldDomain = row["held_domain"];
  const heldTransport = row["held_transport"];
  const waitsBecause = row["waits_because"];
  const clocks = row["clocks"];
  const frozenWhy = row["frozen_why"];
  return {
    ...JSON.parse(textOf(row["request"])),
    position: numberOf(row["position"]),
    state: wordOf(row["state"], ["pending", "delivered", "failed", "frozen"]),
    attempts: numberOf(row["attempts"]),
    nextAttempt: numberOf(row["next_attempt"]),
    ...(typeof firstFailure === "number" ? { firstFailure } : {}),
    ...(typeof lastStatus === "string" ? { lastStatus: statusOf(lastStatus) } : {}),
    ...(typeof waitsFor === "string"
      ? { waitsFor: awaitedOf(waitsFor, row["waits_for_host"]) }
      : {}),
    ...(typeof heldDomain === "string" ? { heldDomain } : {}),
    ...(typeof heldTransport === "string" ? { heldTransport } : {}),
    ...(row["withheld"] === 1 ? { withheld: true } : {}),
    ...(typeof waitsBecause === "string" ? { waitsBecause } : {}),
    ...(typeof clocks === "string" ? { clocks: clocksOf(clocks) } : {}),
    ...(row["forced"] === 1 ? { forced: true } : {}),
    ...(row["mail_done"] === 1 ? { mailDone: true } : {}),
    ...(typeof frozenWhy === "string" ? { frozenWhy: wordOf(frozenWhy, FROZEN_WHYS) } : {}),
  };
}

function journalEntryOf(row: Row): JournalEntry {
  return {
    ...(row["unseen"] === 1 ? { unseen: true } : {}),
    // If an older version has not recorded it, the alias is assumed.
    ...(row["unseen"] === 1 || row["homonym"] === 0 ? {} : { homonym: true }),
    target: textOf(row["target"]),
    outcome: wordOf(row["outcome"], ["delivered", "failed", "frozen"]),
    at: numberOf(row["at"]),
    position: numberOf(row["position"]),
    address: textOf(row["address"]),
    router: textOf(row["router"]),
    transport: textOf(row["transport"]),
  };
}

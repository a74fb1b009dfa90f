// What passes between the relay's thread and the spool's: writes, rows that were read; and how a row
// becomes a StoredMessage again. Rows are not trusted: a disk may have changed them since they were written.

import { crc32 } from "node:zlib";
import type { Envelope, MessageId } from "../envelope.ts";
import type { HostHint } from "../hints.ts";
import type { JournalEntry, RecipientChange, StoredMessage, StoredRecipient } from "../spool.ts";
import type { Status } from "../status.ts";
import { bodyFile, CorruptBody, fileBody, inlineBody } from "./body.ts";

type Value = unknown;
export type Row = Readonly<Record<string, Value>>;

export interface StoredRow {
  readonly message: Row;
  readonly recipients: readonly Row[];
  readonly journal: readonly Row[];
  readonly body: Value;
}

export type Write =
  | {
      readonly kind: "insert";
      readonly id: number;
      readonly state: "active" | "queued";
      readonly receivedAt: number;
      readonly size: number;
      readonly checksum: number;
      readonly envelope: string;
      /** Absent when the body is in a file. */
      readonly body?: Uint8Array;
      readonly recipients: readonly string[];
    }
  | {
      readonly kind: "settle";
      readonly id: number;
      /** Absent: only the journal grows. */
      readonly state?: "active" | "queued" | "frozen";
      readonly warnings: number;
      readonly recipients: readonly RecipientChange[];
      readonly journal: readonly JournalEntry[];
    }
  | { readonly kind: "remove"; readonly id: number }
  /** It is due at `until`, whatever its recipients say. */
  | { readonly kind: "postpone"; readonly id: number; readonly until: number }
  | { readonly kind: "hint"; readonly key: string; readonly hint: HostHint | undefined }
  | { readonly kind: "wake"; readonly host: string; readonly now: number };

/** What takes effect together or not at all. */
export type Transaction = readonly Write[];

/** Undefined for success. */
export type CommitResult = { readonly message: string; readonly full: boolean } | undefined;

const ID_LENGTH = 10;

/** Ids are microseconds since the epoch in the database: they sort, and fit a double until 2255. */
export function idText(id: number): MessageId {
  return id.toString(36).padStart(ID_LENGTH, "0");
}

export function idNumber(id: MessageId): number {
  return Number.parseInt(id, 36);
}

export function numberOf(value: Value): number {
  if (typeof value !== "number") throw new TypeError(`not a number in the spool: ${String(value)}`);
  return value;
}

export function textOf(value: Value): string {
  if (typeof value !== "string") throw new TypeError("not a text in the spool");
  return value;
}

export function statusOf(value: Value): Status {
  const status: Partial<Status> = JSON.parse(textOf(value));
  const { code, enhanced, text } = status;
  return { code: numberOf(code), enhanced: textOf(enhanced), text: textOf(text) };
}

function wordOf<const T extends string>(value: Value, words: readonly T[]): T {
  const word = words.find((known) => known === value);
  if (word === undefined) throw new TypeError(`unknown word in the spool: ${String(value)}`);
  return word;
}

/** Throws when the row cannot be what was written; CorruptBody when its body is not. */
export function messageOf(row: StoredRow, spoolDirectory: string): StoredMessage {
  const { message } = row;
  const size = numberOf(message["size"]);
  const checksum = numberOf(message["checksum"]);
  const id = idText(numberOf(message["id"]));
  const envelope: Omit<Envelope, "id" | "size"> = JSON.parse(textOf(message["envelope"]));
  return {
    envelope: { ...envelope, id, size },
    state: wordOf(message["state"], ["active", "queued", "frozen"]),
    warnings: numberOf(message["warnings"]),
    recipients: row.recipients.map(recipientOf),
    journal: row.journal.map(journalEntryOf),
    body: bodyOf(row.body, size, checksum, bodyFile(spoolDirectory, id)),
  };
}

function bodyOf(bytes: Value, size: number, checksum: number, path: string) {
  if (!(bytes instanceof Uint8Array)) return fileBody(path, size, checksum);
  if (bytes.length !== size) throw new CorruptBody(`${bytes.length} bytes of ${size}`);
  if (crc32(bytes) !== checksum) throw new CorruptBody("wrong checksum");
  return inlineBody(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function recipientOf(row: Row): StoredRecipient {
  const firstFailure = row["first_failure"];
  const lastStatus = row["last_status"];
  const waitsFor = row["waits_for"];
  return {
    ...JSON.parse(textOf(row["request"])),
    position: numberOf(row["position"]),
    state: wordOf(row["state"], ["pending", "delivered", "failed", "frozen"]),
    attempts: numberOf(row["attempts"]),
    nextAttempt: numberOf(row["next_attempt"]),
    ...(typeof firstFailure === "number" ? { firstFailure } : {}),
    ...(typeof lastStatus === "string" ? { lastStatus: statusOf(lastStatus) } : {}),
    ...(typeof waitsFor === "string" ? { waitsFor } : {}),
  };
}

function journalEntryOf(row: Row): JournalEntry {
  return {
    position: numberOf(row["position"]),
    address: textOf(row["address"]),
    router: textOf(row["router"]),
    transport: textOf(row["transport"]),
    outcome: wordOf(row["outcome"], ["delivered", "failed", "frozen"]),
    at: numberOf(row["at"]),
  };
}

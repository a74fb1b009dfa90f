// Decides which events belong to the history, to which messages, and by which addresses a story can be found.

import { crc32 } from "node:zlib";
import type { EventName, Events } from "../events.ts";
import type { MessageId } from "../../mail/envelope.ts";

/** The events of one message, or of one refusal, in about a second. */
export interface Piece {
  /** The id of the message. For a refusal: "-" and a number that is unique among the pieces handed over together. */
  readonly key: string;
  /** The time of its first event, in ms since the epoch. */
  readonly at: number;
  /** `[at,"name",{fields}]`, separated by commas. */
  readonly events: string;
  /** Number of events in `events`. */
  readonly count: number;
  /** Number of events that were left out for lack of room. */
  readonly leftOut: number;
  /** In lower case, without angle brackets. */
  readonly addresses: readonly string[];
}

type AnyFields = Events[EventName];

/** A refused recipient or message has no id, because nothing was stored. */
export function isRefusal(name: EventName): boolean {
  return name === "recipient.refused" || name === "message.refused";
}

/** The messages whose story this event belongs to. */
export function idsIn(fields: AnyFields): readonly MessageId[] {
  if ("report" in fields) return [fields.id, fields.report];
  if ("ids" in fields) return fields.ids;
  return "id" in fields && fields.id !== undefined ? [fields.id] : [];
}

/** The search key for mail with a null sender: reports, and other mail of the relay itself. */
export const NULL_SENDER = "<>";

/** The addresses in an event of the message `key`, in the form in which they are searched. */
export function addressesIn(fields: AnyFields, key: string): readonly string[] {
  const addresses: string[] = [];
  if ("report" in fields && fields.report === key) addresses.push(NULL_SENDER);
  if ("sender" in fields) addresses.push(plainAddress(fields.sender));
  if ("recipient" in fields) addresses.push(plainAddress(fields.recipient));
  if ("recipients" in fields && Array.isArray(fields.recipients)) {
    for (const recipient of fields.recipients) addresses.push(plainAddress(recipient));
  }
  return addresses;
}

/** The form in which addresses are searched: lower case, without angle brackets. The null sender stays "<>". */
export function plainAddress(written: string): string {
  if (written === NULL_SENDER) return written;
  const bare = written.startsWith("<") ? written.slice(1, -1) : written;
  return bare.toLowerCase();
}

/** Two addresses may have the same hash, so a reader must check the events that it finds. */
export function addressHash(address: string): number {
  return crc32(address);
}

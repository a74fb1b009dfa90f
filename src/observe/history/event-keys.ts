// Which events are part of a story, whose, and by which addresses it can be found.

import { crc32 } from "node:zlib";
import type { EventName, Events } from "../events.ts";
import type { MessageId } from "../../mail/envelope.ts";

/** What happened to one message, or one refusal, in about a second. */
export interface Piece {
  /** The id of the message; of a refusal, "-" and a number that is unique among those handed over together. */
  readonly key: string;
  /** Of its first event, in ms since the epoch. */
  readonly at: number;
  /** `[at,"name",{fields}]`, with commas between them. */
  readonly events: string;
  /** How many those are. */
  readonly count: number;
  /** Events that there was no room for. */
  readonly leftOut: number;
  /** Lower case, without brackets. */
  readonly addresses: readonly string[];
}

type AnyFields = Events[EventName];

/** Nothing was taken on, so there is no id. */
export function isRefusal(name: EventName): boolean {
  return name === "recipient.refused" || name === "message.refused";
}

/** The messages whose story this event belongs to. */
export function idsIn(fields: AnyFields): readonly MessageId[] {
  if ("report" in fields) return [fields.id, fields.report];
  if ("ids" in fields) return fields.ids;
  return "id" in fields && fields.id !== undefined ? [fields.id] : [];
}

/** By which mail from nobody is found: reports, and what the relay itself sends. */
export const NULL_SENDER = "<>";

/** The addresses that an event of the message `key` speaks of, as they are looked for. */
export function* addressesIn(fields: AnyFields, key: string): Iterable<string> {
  if ("report" in fields && fields.report === key) yield NULL_SENDER;
  if ("sender" in fields) yield plainAddress(fields.sender);
  if ("recipient" in fields) yield plainAddress(fields.recipient);
  if ("recipients" in fields && Array.isArray(fields.recipients)) {
    for (const recipient of fields.recipients) yield plainAddress(recipient);
  }
}

/** As it is looked for: lower case, without brackets, but for the null sender. */
export function plainAddress(written: string): string {
  if (written === NULL_SENDER) return written;
  const bare = written.startsWith("<") ? written.slice(1, -1) : written;
  return bare.toLowerCase();
}

/** Two addresses may share one: whoever looks for one reads what he finds. */
export function addressHash(address: string): number {
  return crc32(address);
}

// The history as relayctl reads it, beside a running relay or without one. Nothing is created.

import { DatabaseSync } from "node:sqlite";
import type { MessageId } from "../envelope.ts";
import { idNumber, idText, numberOf, textOf } from "../spool/rows.ts";
import { addressHash, dayFile, daysIn, historyDirectory } from "./days.ts";
import { plainAddress } from "./pieces.ts";

export interface HistoryEvent {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Story {
  /** Absent for a refusal. */
  readonly id?: MessageId;
  readonly events: readonly HistoryEvent[];
}

export class HistoryReader implements Disposable {
  /** Newest first. */
  readonly #days: readonly DatabaseSync[];

  /** Throws when a day is there and cannot be read. */
  constructor(spoolDirectory: string) {
    const directory = historyDirectory(spoolDirectory);
    this.#days = daysIn(directory)
      .toReversed()
      .map((day) => new DatabaseSync(dayFile(directory, day), { readOnly: true, timeout: 10_000 }))
      .filter(isMade);
  }

  /** What is known of one message, in order; nothing for one that was never seen or is too long ago. */
  events(id: MessageId): readonly HistoryEvent[] {
    const number = idNumber(id);
    return idText(number) === id ? this.#eventsOf(number) : [];
  }

  #eventsOf(number: number): readonly HistoryEvent[] {
    const texts = this.#days.flatMap((day) => textIn(day, number) ?? []).toReversed();
    return texts.flatMap(parsed).toSorted((a, b) => a.at - b.at);
  }

  /** Everything that has to do with an address, the newest first. */
  *stories(written: string): Iterable<Story> {
    const address = plainAddress(written);
    const quoted = JSON.stringify(address).slice(1, -1);
    const seen = new Set<number>();
    for (const day of this.#days) {
      for (const number of numbersIn(day, address)) {
        if (seen.has(number)) continue;
        seen.add(number);
        // Another address may have the same hash.
        if (textIn(day, number)?.toLowerCase().includes(quoted) !== true) continue;
        const events = this.#eventsOf(number);
        yield number < 0 ? { events } : { id: idText(number), events };
      }
    }
  }

  [Symbol.dispose](): void {
    for (const day of this.#days) day.close();
  }
}

/** A relay that begins its day just now has not made the tables yet. */
function isMade(day: DatabaseSync): boolean {
  return day.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'addresses'").get() !== undefined;
}

function textIn(day: DatabaseSync, number: number): string | undefined {
  const row = day.prepare("SELECT events FROM stories WHERE message = ?").get(number);
  return row === undefined ? undefined : textOf(row["events"]);
}

/** Both numbers of messages and negated ones of refusals are microseconds since the epoch. */
function numbersIn(day: DatabaseSync, address: string): number[] {
  const rows = day
    .prepare("SELECT message FROM addresses WHERE hash = ? ORDER BY abs(message) DESC")
    .all(addressHash(address));
  return rows.map(({ message }) => numberOf(message));
}

/** A row that a disk has damaged says nothing. */
function parsed(text: string): HistoryEvent[] {
  try {
    const events: [at: number, name: string, fields: Record<string, unknown>][] = JSON.parse(
      `[${text}]`,
    );
    return events.map(([at, name, fields]) => ({ at, name, fields }));
  } catch {
    return [];
  }
}

// The history as relayctl reads it, beside a running relay or without one. Nothing is created.
//
// Invariant: a day that a disk has damaged tells less, and hides neither the other days nor the queue.

import { DatabaseSync } from "node:sqlite";
import type { MessageId } from "../envelope.ts";
import { isDamage } from "../spool/database.ts";
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

interface Day {
  readonly name: string;
  readonly database: DatabaseSync;
}

export class HistoryReader implements Disposable {
  /** Newest first. */
  readonly #days: readonly Day[];
  readonly #damaged = new Set<string>();
  readonly #onDamage: (day: string) => void;

  /** Throws when a day is there and may not be read; one that is damaged is told to `onDamage`, once. */
  constructor(spoolDirectory: string, onDamage: (day: string) => void) {
    this.#onDamage = onDamage;
    const directory = historyDirectory(spoolDirectory);
    this.#days = daysIn(directory)
      .toReversed()
      .map((name) => ({ name, database: openDay(dayFile(directory, name)) }))
      .filter((day) => this.#ask(day, isMade, false));
  }

  #ask<T>({ name, database }: Day, question: (database: DatabaseSync) => T, otherwise: T): T {
    try {
      return question(database);
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (!this.#damaged.has(name)) this.#onDamage(name);
      this.#damaged.add(name);
      return otherwise;
    }
  }

  /** What is known of one message, in order; nothing for one that was never seen or is too long ago. */
  events(id: MessageId): readonly HistoryEvent[] {
    const number = idNumber(id);
    return idText(number) === id ? this.#eventsOf(number) : [];
  }

  #eventsOf(number: number): readonly HistoryEvent[] {
    const texts = this.#days.flatMap((day) => this.#textIn(day, number) ?? []).toReversed();
    return texts.flatMap(parsed).toSorted((a, b) => a.at - b.at);
  }

  #textIn(day: Day, number: number): string | undefined {
    return this.#ask(day, (database) => textIn(database, number), undefined);
  }

  /** Everything that has to do with an address, the newest first. */
  *stories(written: string): Iterable<Story> {
    const address = plainAddress(written);
    const quoted = JSON.stringify(address).slice(1, -1);
    const seen = new Set<number>();
    for (const day of this.#days) {
      for (const number of this.#ask(day, (database) => numbersIn(database, address), [])) {
        if (seen.has(number)) continue;
        seen.add(number);
        // Another address may have the same hash.
        if (this.#textIn(day, number)?.toLowerCase().includes(quoted) !== true) continue;
        const events = this.#eventsOf(number);
        yield number < 0 ? { events } : { id: idText(number), events };
      }
    }
  }

  [Symbol.dispose](): void {
    for (const { database } of this.#days) database.close();
  }
}

function openDay(file: string): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
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

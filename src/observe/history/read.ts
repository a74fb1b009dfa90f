// Reads the history for relayctl, while a relay is running or not. Creates nothing.
//
// Invariant: a damaged day yields fewer events, but hides neither the other days nor the queue.

import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { MessageId } from "../../mail/envelope.ts";
import { isDamage } from "../../base/durable/database.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { numberOf, textOf } from "../../base/durable/columns.ts";
import type { EventName } from "../events.ts";
import { dateOf, dayFile, daysIn, historyDirectory } from "./files.ts";
import { addressHash, NULL_SENDER, plainAddress } from "./event-keys.ts";
import { MORE } from "./shortened.ts";

const DAY = 86_400_000;

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
  /** Number of events that the history had no room for; absent when it is 0. */
  readonly leftOut?: number;
}

export interface IdentifiedEvent extends HistoryEvent {
  readonly id: MessageId;
}

/** Times in milliseconds since the epoch: from `from`, and before `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Rows that are read at once: each has at most 64 KiB. */
const PAGE = 100;

interface WrittenRow {
  /** Counts up in the order of writing. */
  readonly row: number;
  readonly message: number;
  readonly text: string;
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

  /** Throws when a day exists but must not be read. A damaged day is reported to `onDamage`, once. */
  constructor(spoolDirectory: string, onDamage: (day: string) => void) {
    this.#onDamage = onDamage;
    const directory = historyDirectory(spoolDirectory);
    this.#days = daysIn(directory)
      .toReversed()
      .flatMap((name) => openDay(directory, name) ?? [])
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

  /** The known events of one message, in order. The list is empty for a message that is unknown or too old. */
  story(id: MessageId): Story {
    const number = idNumber(id);
    return idText(number) === id ? this.#storyOf(number) : { id, events: [] };
  }

  events(id: MessageId): readonly HistoryEvent[] {
    return this.story(id).events;
  }

  #storyOf(number: number): Story {
    const texts = this.#days.flatMap((day) => this.#textIn(day, number) ?? []).toReversed();
    const events = texts.flatMap(parsed).toSorted((a, b) => a.at - b.at);
    const leftOut = this.#days.reduce((sum, day) => sum + this.#leftOutOf(day, number), 0);
    return {
      ...(number < 0 ? {} : { id: idText(number) }),
      events,
      ...(leftOut === 0 ? {} : { leftOut }),
    };
  }

  #leftOutOf(day: Day, number: number): number {
    return this.#ask(day, (database) => leftOutOf(database, number), 0);
  }

  #textIn(day: Day, number: number): string | undefined {
    return this.#ask(day, (database) => textIn(database, number), undefined);
  }

  /** The stories of all messages and refusals that name the address, newest first. */
  *stories(written: string): Iterable<Story> {
    const address = plainAddress(written);
    const quoted = JSON.stringify(address).slice(1, -1);
    const seen = new Set<number>();
    for (const day of this.#days) {
      for (const number of this.#ask(day, (database) => numbersIn(database, address), [])) {
        if (seen.has(number)) continue;
        seen.add(number);
        const text = this.#textIn(day, number);
        if (text === undefined) continue;
        // Another address may have the same hash, so the text is checked. A shortened text cannot be checked: it may
        // have named this address.
        const isWhole =
          address !== NULL_SENDER && !text.includes(MORE) && this.#leftOutOf(day, number) === 0;
        if (isWhole && !text.toLowerCase().includes(quoted)) continue;
        yield this.#storyOf(number);
      }
    }
  }

  /** The events of messages with one of these names, at `since` or later; the newest day first. */
  *named(names: readonly EventName[], since: number): Iterable<IdentifiedEvent> {
    for (const day of this.#daysIn({ from: since, to: Number.POSITIVE_INFINITY })) {
      for (const { number, text } of this.#ask(
        day,
        (database) => [...piecesWith(database, names)],
        [],
      )) {
        for (const event of parsed(text)) {
          if (event.at < since || !names.some((name) => name === event.name)) continue;
          yield { id: idText(number), ...event };
        }
      }
    }
  }

  /** The times, in ms since the epoch, of messages that were accepted in the span by a rule whose name contains `rule`. */
  *arrivals(rule: string, span: Span, order: "oldest first" | "newest first"): Iterable<number> {
    const days = this.#daysIn(span);
    for (const day of order === "newest first" ? days : days.toReversed()) {
      try {
        for (const text of acceptedIn(day.database, rule, span, order)) {
          for (const { at, name, fields } of parsed(text)) {
            const isWanted = name === "message.accepted" && String(fields["rule"]).includes(rule);
            if (isWanted) yield at;
          }
        }
      } catch (error) {
        this.#ask(day, () => raise(error), undefined);
      }
    }
  }

  /** The time of the oldest event, in ms since the epoch. Undefined if there is none. */
  get beginning(): number | undefined {
    for (const day of this.#days.toReversed()) {
      const [first] = this.#ask(day, (database) => pageOf(database, 0, 1), []);
      const at = first === undefined ? undefined : parsed(first.text)[0]?.at;
      if (at !== undefined) return at;
    }
    return undefined;
  }

  /** Days whose files may hold events of the span, newest first: an event may be written the day after. */
  #daysIn({ from, to }: Span): readonly Day[] {
    return this.#days.filter(({ name }) => {
      const begin = Date.parse(dateOf(name));
      return begin + 2 * DAY > from && begin - DAY < to;
    });
  }

  /**
   * The events since `since`, in ms since the epoch, each time those of one message or refusal in about a second, in
   * the order in which they were written. Texts that `isWanted` refuses are passed over. Holds a few texts at a time,
   * whatever the size of the history.
   */
  *since(since: number, isWanted: (text: string) => boolean): Iterable<Story> {
    const span = { from: since, to: Number.POSITIVE_INFINITY };
    for (const day of this.#daysIn(span).toReversed()) {
      for (const { message, text } of this.#rowsOf(day)) {
        if (!isWanted(text)) continue;
        const events = parsed(text).filter(({ at }) => at >= since);
        if (events.length > 0) yield { ...(message < 0 ? {} : { id: idText(message) }), events };
      }
    }
  }

  /** Number of events since `since` that the history had no room for. A day counts whole. */
  leftOutSince(since: number): number {
    return this.#daysIn({ from: since, to: Number.POSITIVE_INFINITY }).reduce(
      (sum, day) => sum + this.#ask(day, allLeftOut, 0),
      0,
    );
  }

  *#rowsOf(day: Day): Iterable<WrittenRow> {
    for (let page: WrittenRow[], after = 0; ; after = page.at(-1)?.row ?? after) {
      page = this.#ask(day, (database) => pageOf(database, after, PAGE), []);
      yield* page;
      if (page.length < PAGE) return;
    }
  }

  [Symbol.dispose](): void {
    for (const { database } of this.#days) database.close();
  }
}

/** Undefined when the file has been removed meanwhile. */
function openDay(directory: string, name: string): Day | undefined {
  const file = dayFile(directory, name);
  try {
    return { name, database: new DatabaseSync(file, { readOnly: true, timeout: 10_000 }) };
  } catch (error) {
    if (existsSync(file)) throw error;
    return undefined;
  }
}

/** A relay that is just beginning its day has not created the tables yet. */
function isMade(day: DatabaseSync): boolean {
  return hasTable(day, "addresses");
}

function hasTable(day: DatabaseSync, name: string): boolean {
  return day.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(name) !== undefined;
}

/** Version 0.1 had one row for each message, in the table `stories`. */
function textIn(day: DatabaseSync, number: number): string | undefined {
  const texts = [...rowsOf(day, "stories", number), ...rowsOf(day, "pieces", number)];
  return texts.length === 0 ? undefined : texts.join(",");
}

function rowsOf(day: DatabaseSync, table: "stories" | "pieces", number: number): string[] {
  if (!hasTable(day, table)) return [];
  const rows = day.prepare(`SELECT events FROM ${table} WHERE message = ? ORDER BY rowid`);
  return rows.all(number).map(({ events }) => textOf(events));
}

function leftOutOf(day: DatabaseSync, number: number): number {
  if (!hasTable(day, "left_out")) return 0;
  const row = day.prepare("SELECT events FROM left_out WHERE message = ?").get(number);
  return row === undefined ? 0 : numberOf(row["events"]);
}

function allLeftOut(day: DatabaseSync): number {
  if (!hasTable(day, "left_out")) return 0;
  return numberOf(day.prepare("SELECT coalesce(sum(events), 0) AS n FROM left_out").get()?.["n"]);
}

/** The rows after the row `after`. A day of version 0.1 has none. */
function pageOf(day: DatabaseSync, after: number, most: number): WrittenRow[] {
  if (!hasTable(day, "pieces")) return [];
  const rows = day.prepare(
    "SELECT rowid AS row, message, events FROM pieces WHERE rowid > ? ORDER BY rowid LIMIT ?",
  );
  return rows.all(after, most).map(({ row, message, events }) => ({
    row: numberOf(row),
    message: numberOf(message),
    text: textOf(events),
  }));
}

/** The numbers of messages, and the negated ones of refusals, are microseconds since the epoch. */
function numbersIn(day: DatabaseSync, address: string): number[] {
  const rows = day
    .prepare("SELECT message FROM addresses WHERE hash = ? ORDER BY abs(message) DESC")
    .all(addressHash(address));
  return rows.map(({ message }) => numberOf(message));
}

function* piecesWith(day: DatabaseSync, names: readonly EventName[]) {
  if (!hasTable(day, "pieces")) return;
  const has = names.map(() => "instr(events, ?) > 0").join(" OR ");
  const rows = day.prepare(`SELECT message, events FROM pieces WHERE message > 0 AND (${has})`);
  for (const row of rows.iterate(...names.map((name) => JSON.stringify(name)))) {
    yield { number: numberOf(row["message"]), text: textOf(row["events"]) };
  }
}

/** The span counts by the ids, which are made when the content of a message begins. */
function* acceptedIn(
  day: DatabaseSync,
  rule: string,
  { from, to }: Span,
  order: "oldest first" | "newest first",
): Iterable<string> {
  if (!hasTable(day, "pieces")) return;
  const direction = order === "oldest first" ? "ASC" : "DESC";
  const rows = day.prepare(
    `SELECT events FROM pieces WHERE message >= ? AND message < ? AND instr(events, '"message.accepted"') > 0 ` +
      `AND instr(events, ?) > 0 ORDER BY message ${direction}`,
  );
  const [first, last] = [from, to].map((time) => Math.round(time * 1000));
  for (const row of rows.iterate(first ?? 0, last ?? 0, rule)) yield textOf(row["events"]);
}

function raise(error: unknown): never {
  throw error;
}

/** A damaged row yields no events. */
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

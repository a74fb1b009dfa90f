// Decides whether a changed list is what its writer meant. A full disk, a script that failed or an unfinished edit
// may leave a list empty or half. Then "no such user" for the missing names would bounce their mail.
//
// Invariants:
// - If a list that had entries has none, the relay never believes it.
// - If a list has lost more than half of its entries, the relay believes it after ten minutes without a change, by
//   the monotonic clock. An operator can confirm it earlier.
// - A loss is counted from the list in force, and from the largest list of the last ten minutes before it, so that
//   small steps add up.
// - Until then the last believed list serves. It is known across reloads, and with a spool directory across restarts.

import type { BigIntStats } from "node:fs";
import { describeError } from "../observe/log.ts";
import {
  isConfirmedList,
  lookAtConfirmation,
  readKeptList,
  removeConfirmation,
  writeKeptList,
} from "./kept-list.ts";
import type { NameServices } from "./lookup.ts";
import { isSameFile, type ListContent } from "./list-content.ts";
import { asWritten, type LsearchAnswer, type LsearchTable, parseLsearch } from "./lsearch-text.ts";

/** Milliseconds for which a list that has lost more than half must stand unchanged. */
const STANDING_TIME = 600_000;
/** Milliseconds after which an alarm is repeated. */
const ALARM_INTERVAL = 3_600_000;
/**
 * If a list of at least this many entries shares fewer than half of them with its successor, another file is in its
 * place.
 */
const COMPARED_LEAST = 10;

interface Doubt {
  readonly why: string;
  /** True: the list has no entry, so it is never believed. */
  readonly isEmpty: boolean;
  /**
   * The status of a confirmation file that did not confirm this list. If the status changes, the file may confirm it.
   */
  readonly confirmation: BigIntStats | undefined;
}

interface KeptNext {
  readonly text: string;
  readonly isConfirmed: boolean;
}

/** A list that was in force before. */
interface Former {
  readonly table: LsearchTable;
  /** When its successor took its place, by the monotonic clock. */
  readonly since: number;
}

const NOTHING: LsearchTable = new Map();

export class ListBelief {
  readonly #path: string;
  readonly #parts: NameServices;
  #believed: LsearchTable | undefined;
  /** The largest list in force in the last ten minutes. */
  #former: Former | undefined;
  #doubt: Doubt | undefined;
  /** When the alarm was last logged, by the monotonic clock. */
  #alarmedAt: number | undefined;
  /** The list to keep on disk when the current write is done. */
  #next: KeptNext | undefined;
  #writing: Promise<void> | undefined;

  /** `path` is absolute. */
  constructor(path: string, parts: NameServices) {
    this.#path = path;
    this.#parts = parts;
  }

  /**
   * Judges the content of the file, which it has had for `standing` milliseconds, and returns the answer to lookups.
   * `isAccepted`: an operator confirms the content. Never rejects.
   */
  async judge(content: ListContent, standing: number, isAccepted: boolean): Promise<LsearchAnswer> {
    if ("error" in content) return content;
    const text = "text" in content ? content.text : undefined;
    const now = text === undefined ? NOTHING : await parseLsearch(text, asWritten);
    let before = this.#believed;
    if (before === undefined) {
      const kept = await this.#readKept();
      if (kept === "damaged" && now.size === 0) {
        return { error: "has no entry, and the copy of what it had before cannot be used" };
      }
      if (typeof kept === "object" && kept.text === text) return this.#believe(now);
      before = typeof kept === "object" ? await parseLsearch(kept.text, asWritten) : NOTHING;
    }
    // The file has a new stamp, and the same entries.
    if (this.#doubt === undefined && before === this.#believed && isSameTable(before, now)) {
      return { table: before };
    }
    const unsound = "unsound" in content ? content.unsound : undefined;
    if (before.size === 0 && unsound !== undefined) return { error: unsound };
    const why = unsound ?? implausible(before, now) ?? this.#hasShrunk(now);
    if (why === undefined) return this.#follow(before, now, text);

    const doubt = { why, isEmpty: now.size === 0, confirmation: this.#lookAtConfirmation() };
    if (!doubt.isEmpty && text !== undefined) {
      if (isAccepted || standing >= STANDING_TIME) return this.#confirm(now, text);
      if (await this.#isConfirmed(text)) return this.#confirm(now, text, true);
    }
    this.#believed = before;
    this.#doubt = doubt;
    this.remind();
    return { table: before, doubt: why };
  }

  /** The loss since the largest list of the last ten minutes; undefined if it is small. */
  #hasShrunk(now: LsearchTable): string | undefined {
    this.#forgetFormer();
    const why = this.#former && implausible(this.#former.table, now);
    return why && `${why}, counted over 10 minutes`;
  }

  /** Believes a list that follows `before` without a doubt. */
  #follow(before: LsearchTable, now: LsearchTable, text: string | undefined): LsearchAnswer {
    if (before.size > 0 && before.size >= (this.#former?.table.size ?? 0)) {
      this.#former = { table: before, since: this.#parts.clock.monotonic() };
    }
    return this.#believe(now, text);
  }

  /** Believes a list that has stood long enough or was confirmed. Small steps are counted from here. */
  #confirm(now: LsearchTable, text: string, isConfirmed = false): LsearchAnswer {
    this.#former = undefined;
    return this.#believe(now, text, isConfirmed);
  }

  #forgetFormer(): void {
    const since = this.#former?.since;
    if (since !== undefined && this.#parts.clock.monotonic() - since >= STANDING_TIME) {
      this.#former = undefined;
    }
  }

  /** Whether a list in doubt may be believed now, although the file is the same. */
  mayChange(standing: number): boolean {
    if (this.#doubt === undefined) return false;
    const { isEmpty, confirmation } = this.#doubt;
    if (isEmpty) return false;
    if (standing >= STANDING_TIME) return true;
    const now = this.#lookAtConfirmation();
    return now !== undefined && (confirmation === undefined || !isSameFile(confirmation, now));
  }

  /** Logs the alarm about a list in doubt, at most once an hour. */
  remind(): void {
    const { clock, log } = this.#parts;
    this.#forgetFormer();
    if (this.#doubt === undefined) return;
    const now = clock.monotonic();
    if (this.#alarmedAt !== undefined && now - this.#alarmedAt < ALARM_INTERVAL) return;
    this.#alarmedAt = now;
    const { why, isEmpty } = this.#doubt;
    const end = isEmpty
      ? "A list without an entry is never believed: write the list again"
      : 'It is believed when it has stood for 10 minutes, or by "relayctl reload --accept-lists"';
    const meanwhile = "the list before it serves, and other names get 451";
    log.event("alarm", { what: `${this.#path} ${why}: ${meanwhile}. ${end}` });
  }

  /** Resolves when the believed list is on disk. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** Puts the list in force. Keeps `text` on disk, and then removes the confirmation if `isConfirmed`. */
  #believe(table: LsearchTable, text?: string, isConfirmed = false): LsearchAnswer {
    if (this.#doubt !== undefined) {
      this.#parts.log.event("list.believed", { list: this.#path, entries: table.size });
    }
    this.#believed = table;
    this.#doubt = undefined;
    this.#alarmedAt = undefined;
    if (text !== undefined && table.size > 0) this.#keep({ text, isConfirmed });
    return { table };
  }

  async #isConfirmed(text: string): Promise<boolean> {
    const { stateDirectory } = this.#parts;
    if (stateDirectory === undefined) return false;
    try {
      return await isConfirmedList(stateDirectory, this.#path, text);
    } catch (cause) {
      this.#failed("its confirmation cannot be read", cause);
      return false;
    }
  }

  async #readKept(): Promise<{ readonly text: string } | "none" | "damaged"> {
    const { stateDirectory } = this.#parts;
    if (stateDirectory === undefined) return "none";
    try {
      const text = await readKeptList(stateDirectory, this.#path);
      return text === undefined ? "none" : { text };
    } catch (cause) {
      this.#failed("its kept copy cannot be used", cause);
      return "damaged";
    }
  }

  #failed(what: string, cause: unknown): void {
    const error = `${what}: ${describeError(cause)}`;
    this.#parts.log.event("lookup.failed", { lookup: this.#path, error });
  }

  #lookAtConfirmation(): BigIntStats | undefined {
    const { stateDirectory } = this.#parts;
    return stateDirectory === undefined
      ? undefined
      : lookAtConfirmation(stateDirectory, this.#path);
  }

  #keep(list: KeptNext): void {
    const { stateDirectory, readOnly = false } = this.#parts;
    if (stateDirectory === undefined || readOnly) return;
    this.#next = list;
    this.#writing ??= this.#write(stateDirectory).finally(() => (this.#writing = undefined));
  }

  async #write(stateDirectory: string): Promise<void> {
    while (this.#next !== undefined) {
      const { text, isConfirmed } = this.#next;
      this.#next = undefined;
      try {
        await writeKeptList(stateDirectory, this.#path, text);
        if (isConfirmed) await removeConfirmation(stateDirectory, this.#path);
      } catch (cause) {
        const what = `no copy of ${this.#path} can be kept: ${describeError(cause)}`;
        this.#parts.log.event("relay.warning", { what });
      }
    }
  }
}

/** Why `now` is not believed after `before`; undefined if it is. */
export function implausible(before: LsearchTable, now: LsearchTable): string | undefined {
  if (before.size === 0) return undefined;
  if (now.size === 0) return `has no entry left, of ${before.size}`;
  if (2 * now.size < before.size) {
    return `has ${now.size} of ${before.size} entries left, fewer than half`;
  }
  if (before.size < COMPARED_LEAST || hasHalf(before, now)) return undefined;
  return `has fewer than half of its ${before.size} entries left, and ${now.size} in all`;
}

function isSameTable(before: LsearchTable, now: LsearchTable): boolean {
  if (before.size !== now.size) return false;
  for (const [key, value] of now) if (before.get(key) !== value) return false;
  return true;
}

function hasHalf(before: LsearchTable, now: LsearchTable): boolean {
  let left = 0;
  for (const key of before.keys()) {
    if (now.has(key)) left += 1;
    if (2 * left >= before.size) return true;
  }
  return false;
}

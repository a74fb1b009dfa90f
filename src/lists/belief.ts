// Whether a list that has lost much is what its writer meant. A full disk, a script that failed or a writer who is not
// done leaves a list empty or half, and "no such user" for all who are missing would bounce their mail.
//
// Invariants: a list without an entry, where there were some, is never believed. One that has lost more than half is
// believed when it has stood for ten minutes by the monotonic clock, or when somebody confirms it. What it has lost counts
// from the list in force and from the one before that was the largest in the last ten minutes, so that small steps add up.
// Until then the last list that was believed serves; it is known over reloads, and over restarts where there is a
// directory for it.

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

/** Milliseconds that a list which has lost more than half must stand unchanged. */
const STANDING_TIME = 600_000;
/** Milliseconds after which an alarm that still holds is given again. */
const ALARM_INTERVAL = 3_600_000;
/** A list of so many entries, of which few are in its successor, was not edited: another file stands in its place. */
const COMPARED_LEAST = 10;

interface Doubt {
  readonly why: string;
  /** No time makes it right. */
  readonly isEmpty: boolean;
  /** How the confirmation looked that was none for this list: a new one may be. */
  readonly confirmation: BigIntStats | undefined;
}

interface KeptNext {
  readonly text: string;
  readonly isConfirmed: boolean;
}

/** A list that another has followed. */
interface Former {
  readonly table: LsearchTable;
  /** When it was followed, by the monotonic clock. */
  readonly since: number;
}

const NOTHING: LsearchTable = new Map();

export class ListBelief {
  readonly #path: string;
  readonly #parts: NameServices;
  #believed: LsearchTable | undefined;
  /** The largest, in the time that small steps are counted together. */
  #former: Former | undefined;
  #doubt: Doubt | undefined;
  /** When the alarm was given, by the monotonic clock. */
  #alarmedAt: number | undefined;
  /** What is to be kept as soon as the write that is under way is done. */
  #next: KeptNext | undefined;
  #writing: Promise<void> | undefined;

  /** `path` is absolute. */
  constructor(path: string, parts: NameServices) {
    this.#path = path;
    this.#parts = parts;
  }

  /** The answer to lookups, by what the file holds and has held for `standing` milliseconds. Never rejects. */
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
    // It was read again because its stamp was new.
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

  /** What speaks against it as the successor of what was there within ten minutes. */
  #hasShrunk(now: LsearchTable): string | undefined {
    this.#forgetFormer();
    const why = this.#former && implausible(this.#former.table, now);
    return why && `${why}, counted over 10 minutes`;
  }

  /** Believes a list that comes after `before` without a doubt. */
  #follow(before: LsearchTable, now: LsearchTable, text: string | undefined): LsearchAnswer {
    if (before.size > 0 && before.size >= (this.#former?.table.size ?? 0)) {
      this.#former = { table: before, since: this.#parts.clock.monotonic() };
    }
    return this.#believe(now, text);
  }

  /** Believes a list because it has stood, or somebody has confirmed it: steps count from here. */
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

  /** Gives the alarm of a list in doubt, unless it was given a while ago. */
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

  /** Resolves when what was believed is on disk. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** `text` is to be kept, and then the confirmation to be removed by which it is believed. */
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

/** What speaks against `now` as the successor of `before`; undefined when nothing does. */
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

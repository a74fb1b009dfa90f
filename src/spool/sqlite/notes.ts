// Journal entries of messages under attempt. Each waits up to NOTE_DELAY for the settlement of its message, which
// commits it at no extra cost. Without a settlement in that time it is committed by itself.

import type { Clock, Timer } from "../../base/clock.ts";
import type { MessageId } from "../../mail/envelope.ts";
import type { JournalEntry } from "../spool.ts";

/** Milliseconds that a journal entry may wait for the settlement of its message. */
const NOTE_DELAY = 200;

export type CommitNotes = (id: MessageId, entries: readonly JournalEntry[]) => void;

interface Noted {
  readonly since: number;
  readonly entries: JournalEntry[];
}

export class JournalNotes {
  readonly #clock: Clock;
  readonly #commit: CommitNotes;
  readonly #noted = new Map<MessageId, Noted>();
  #timer: Timer | undefined;

  constructor(clock: Clock, commit: CommitNotes) {
    this.#clock = clock;
    this.#commit = commit;
  }

  add(id: MessageId, ...entries: readonly JournalEntry[]): void {
    const noted = this.#noted.get(id);
    if (noted !== undefined) noted.entries.push(...entries);
    else this.#noted.set(id, { since: this.#clock.monotonic(), entries: [...entries] });
    this.#timer ??= this.#clock.after(NOTE_DELAY, () => this.#commitRipe());
  }

  /** Returns the entries that were not committed yet. The caller must commit them. */
  take(id: MessageId): readonly JournalEntry[] {
    const noted = this.#noted.get(id);
    this.#noted.delete(id);
    return noted?.entries ?? [];
  }

  #commitRipe(): void {
    this.#timer = undefined;
    const ripe = this.#clock.monotonic() - NOTE_DELAY / 2;
    for (const [id, { since, entries }] of this.#noted) {
      if (since > ripe) break;
      this.#noted.delete(id);
      this.#commit(id, entries);
    }
    if (this.#noted.size > 0) {
      this.#timer = this.#clock.after(NOTE_DELAY / 2, () => this.#commitRipe());
    }
  }

  /** Commits everything now. */
  flush(): void {
    this.#timer?.cancel();
    for (const [id, { entries }] of this.#noted) this.#commit(id, entries);
    this.#noted.clear();
  }
}

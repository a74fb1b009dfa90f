// The mark in the journal that only copies of a recipient are left. While a copy is retried, the chain is asked
// again, and may have changed its mind: the mark keeps it from delivering or bouncing the address a second time.

import type { JournalEntry } from "../spool.ts";

const MARK = { address: "", router: "", transport: "", outcome: "delivered" } as const;

export function endedMark(position: number, at: number): JournalEntry {
  return { ...MARK, position, at };
}

/** Deliveries only. */
export function withoutMarks(journal: readonly JournalEntry[]): readonly JournalEntry[] {
  return journal.filter(({ address }) => address !== MARK.address);
}

/** Has the address itself had its end, so that only copies are to come? */
export function hasEnded(journal: readonly JournalEntry[], position: number): boolean {
  return journal.some((entry) => entry.position === position && entry.address === MARK.address);
}

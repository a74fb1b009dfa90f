// The limits of the postmaster's list: recipients that have not had their mail, without a report to the sender.
//
// Invariants:
// - The size of the list is bounded, whatever strangers send. Entries above the limit are only counted.
// - Each reason has a limit of its own, so entries with forged senders cannot crowd out other entries.

import { given } from "../../base/given.ts";
import type { ListedWhy, ListEntry } from "../spool.ts";

/** Most entries of one reason that strangers can cause. */
const LISTED_MAX = 200;
/** Most entries of mail that has waited for a transport on hold: no sender hears of it, and it is sent once. */
const WITHHELD_MAX = 10_000;
/** Most characters of one text in an entry. */
const TEXT_MAX = 320;

/** Most entries of this reason. */
export function listedMax(why: ListedWhy): number {
  return why === "withheld" ? WITHHELD_MAX : LISTED_MAX;
}

/** Returns the entry with each text cut to its limit. */
export function shortened({ why, at, ...texts }: ListEntry): ListEntry {
  const { original } = texts;
  return {
    why,
    at,
    id: short(texts.id),
    sender: short(texts.sender),
    recipient: short(texts.recipient),
    ...given({ original: original === undefined ? undefined : short(original) }),
    status: short(texts.status),
  };
}

function short(text: string): string {
  return text.slice(0, TEXT_MAX);
}

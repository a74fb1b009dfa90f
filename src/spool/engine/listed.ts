// The limits of the postmaster's list: recipients that have not had their mail, without a report to the sender.
//
// Invariants:
// - The size of the list is bounded, whatever strangers send. Entries above the limit are only counted.
// - Each reason has a limit of its own, so entries with forged senders cannot crowd out other entries.

import { given } from "../../base/given.ts";
import type { ListEntry } from "../spool.ts";

/** Most entries of one reason. */
export const LISTED_MAX = 200;
/** Most characters of one text in an entry. */
const TEXT_MAX = 320;

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

// How much the postmaster's list takes: recipients that have not had their mail, of which no sender hears.
//
// Invariant: its size is bounded, whatever strangers send. What has no room is counted. Each reason has a room of its
// own, so that forged senders cannot crowd out what is of another kind.

import { given } from "../base/given.ts";
import type { ListEntry } from "./spool.ts";

/** Entries of one reason. */
export const LISTED_MAX = 200;
/** Characters of one text in an entry. */
const TEXT_MAX = 320;

/** The entry with the beginning of each of its texts. */
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

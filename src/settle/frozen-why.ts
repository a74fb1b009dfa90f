// Decides why the mail or a copy of a recipient is frozen after an attempt.

import {
  FROZEN_WHYS,
  type FrozenWhy,
  type JournalEntry,
  type StoredRecipient,
} from "../spool/spool.ts";
import type { End } from "../retry/clocks/clocks.ts";

/** The reason; undefined if neither mail nor copy is frozen. `before` are the journal entries of the recipient. */
export function frozenWhyOf(
  recipient: Pick<StoredRecipient, "frozenWhy">,
  before: readonly JournalEntry[],
  ends: readonly End[],
): FrozenWhy | undefined {
  const whys = new Set<FrozenWhy>();
  for (const { outcome, unseen } of before) {
    if (outcome === "frozen")
      whys.add(unseen === true ? "copy" : (recipient.frozenWhy ?? "delivery"));
  }
  for (const { finding, ending } of ends) {
    if (ending === "frozen") whys.add(whyOf(finding));
  }
  return FROZEN_WHYS.find((why) => whys.has(why));
}

function whyOf({ unseen, outcome }: End["finding"]): FrozenWhy {
  if (unseen) return "copy";
  return outcome.kind === "deferred" && outcome.freeze === true ? "delivery" : "nobody-to-tell";
}

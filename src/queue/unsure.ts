// Whether an earlier attempt ended without an answer of a file system: its copy may have been made all the same.

import type { StoredRecipient } from "../spool/spool.ts";

export function isUnsure({
  lastStatus,
  clocks,
}: Pick<StoredRecipient, "lastStatus" | "clocks">): boolean {
  return (
    lastStatus?.unsure === true ||
    (clocks?.copies.some((copy) => copy.lastStatus.unsure === true) ?? false)
  );
}

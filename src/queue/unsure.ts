// Whether an earlier attempt ended without an answer of a file system: its copy may have been made all the same.

import { NO_ANSWER, type Status } from "../mail/status.ts";
import type { StoredRecipient } from "../spool/spool.ts";

export function isUnsure({
  lastStatus,
  clocks,
}: Pick<StoredRecipient, "lastStatus" | "clocks">): boolean {
  return (
    isNoAnswer(lastStatus) || (clocks?.copies.some((copy) => isNoAnswer(copy.lastStatus)) ?? false)
  );
}

function isNoAnswer(status: Status | undefined): boolean {
  return status?.text === NO_ANSWER.text && status.remote === undefined;
}

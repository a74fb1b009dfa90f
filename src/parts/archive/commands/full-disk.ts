// A disk, or the share of a user on it, that has no room left.

import { errorCode } from "../../../base/error-code.ts";

export function isFullDisk(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(errorCode(error) ?? "");
}

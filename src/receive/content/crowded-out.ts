// The finding on a message whose header section cannot be held, because other messages use the whole budget.

import type { Finding } from "../../contract/scanner.ts";
import { status } from "../../mail/status.ts";

export const CROWDED_OUT: Finding = {
  kind: "refuse",
  status: status(452, "3.1", "Too many long header sections at once, try again later"),
};

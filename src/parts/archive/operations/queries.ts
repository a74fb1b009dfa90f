// The query of an order, as a condition.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { Condition } from "../search/condition.ts";
import { parseQuery } from "../search/query.ts";

/** Ages and days are fixed at `now`, by the days of `zone`. Throws CommandError (64) with a suggestion. */
export function conditionOf(query: string, now: number, zone: string): Condition {
  const parsed = parseQuery(query, { now, zone });
  if ("condition" in parsed) return parsed.condition;
  throw new CommandError(`query: ${parsed.problem}`, EXIT.usage);
}

// The table of everything that the archive can be asked: one file a verb.

import type { AnyOperation } from "../service/operation.ts";
import { status } from "./status.ts";

export const operations: ReadonlyMap<string, AnyOperation> = new Map(
  [status].map((one) => [one.verb, one]),
);

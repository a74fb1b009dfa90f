// The table of everything that the archive can be asked: one file a verb.

import type { AnyOperation } from "../service/operation.ts";
import { accept } from "./accept.ts";
import { arrived } from "./arrived.ts";
import { audit } from "./audit.ts";
import { reindex } from "./reindex.ts";
import { seal } from "./seal.ts";
import { status } from "./status.ts";

export const operations: ReadonlyMap<string, AnyOperation> = new Map(
  [status, accept, arrived, reindex, audit, seal].map((one) => [one.verb, one]),
);

// The table of everything that the archive can be asked: one file a verb.
//
// Doors: export.ts, search.ts, view.ts.

import type { AnyOperation } from "../service/operation.ts";
import { accept } from "./accept.ts";
import { arrived } from "./arrived.ts";
import { attachment } from "./attachment.ts";
import { audit } from "./audit.ts";
import { erase } from "./erase.ts";
import { holdAdd, holdList, holdRelease } from "./holds.ts";
import { contents } from "./contents.ts";
import { exportMessages } from "./export.ts";
import { raw } from "./raw.ts";
import { reindex } from "./reindex.ts";
import { retain, retainPlan } from "./retain.ts";
import { seal } from "./seal.ts";
import { search } from "./search.ts";
import { status } from "./status.ts";
import { view } from "./view.ts";
import { verified } from "./verified.ts";

const table: readonly AnyOperation[] = [
  accept,
  arrived,
  attachment,
  audit,
  erase,
  holdAdd,
  holdList,
  holdRelease,
  raw,
  reindex,
  retain,
  retainPlan,
  contents,
  exportMessages,
  seal,
  search,
  status,
  view,
  verified,
];

export const operations: ReadonlyMap<string, AnyOperation> = new Map(
  table.map((each) => [each.verb, each]),
);

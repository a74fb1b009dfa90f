// SQLite as the engine of the spool. docs/decisions/0001-spool-in-sqlite.md gives the reasons.

import { join } from "node:path";
import type { SpoolEngine } from "../engine/spool-engine.ts";
import { bodyDirectory } from "./body.ts";
import { DATABASE } from "./engine.ts";
import { isSpool, openQueueFile } from "./queue-file.ts";
import { SqliteSpool } from "./sqlite.ts";

export const sqliteEngine: SpoolEngine = {
  open: (directory, { clock, log }) => SqliteSpool.open(directory, clock, log),
  view: async (directory) => openQueueFile(directory),
  exists: async (directory) => isSpool(directory),
  files(directory) {
    const names = ["lock", DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`];
    return [...names.map((name) => join(directory, name)), bodyDirectory(directory)];
  },
};

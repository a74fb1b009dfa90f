import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { sqliteEngine } from "../../../src/spool/sqlite/sqlite-engine.ts";
import { describeSpool } from "./conformance.ts";

/** Neither outlives the process that has them open. */
const OF_A_PROCESS = new Set(["lock", "spool.sqlite-shm"]);

function outlives(path: string): boolean {
  return !OF_A_PROCESS.has(basename(path));
}

describeSpool("SQLite", async () => {
  const place = await mkdtemp(join(tmpdir(), "unseen-conformance-"));
  const directory = join(place, "spool");
  let kills = 0;
  return {
    engine: sqliteEngine,
    directory,
    async killed() {
      const copy = join(place, `killed-${++kills}`);
      await cp(directory, copy, { recursive: true, filter: outlives });
      return copy;
    },
    [Symbol.asyncDispose]: () => rm(place, { recursive: true }),
  };
});

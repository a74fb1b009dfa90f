// A directory with one list and a spool, and processes that look at it, one after the other.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { createLists } from "../../src/lists/create-lists.ts";
import { manualClock } from "../support/clock.ts";
import { recordingLog, resolverAnswering } from "../support/services.ts";
import { builtIn } from "../../src/built-in.ts";

/** Names of accounts, one a line. */
export function names(count: number, prefix = "user"): string {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}\n`).join("");
}

/** A directory with a list and a spool; `start` makes the lists of a process, or of another after it. */
export function place() {
  const directory = mkdtempSync(join(tmpdir(), "belief-"));
  const path = join(directory, "accounts");
  const spool = join(directory, "spool");
  return {
    directory,
    path,
    spool,
    write: (content: string | Buffer) => writeFileSync(path, content),
    start(given: { readonly readOnly?: boolean } = {}) {
      const clock = manualClock();
      const log = recordingLog();
      const resolver = resolverAnswering({ kind: "temporary", error: "no DNS in this test" });
      const lists = createLists({
        lookups: builtIn.lookups,
        domains: {},
        hosts: {},
        configDirectory: directory,
        stateDirectory: spool,
        log,
        resolver,
        clock,
        ...given,
      });
      const list = lists.localParts(["lsearch:accounts"]);
      /** In a turn of the event loop of its own, because a file is looked at once in a turn. */
      const ask = async (...subjects: string[]) => {
        await setImmediate();
        const found = await Promise.all(subjects.map(async (subject) => list.match(subject)));
        return found.map(({ kind }) => kind).join(" ");
      };
      return { clock, log, lists, ask };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

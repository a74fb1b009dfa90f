// Lists as a test wants them: a directory of its own for lsearch files, a log that remembers, a DNS of TXT records.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer, Resolver } from "../../src/dns/dns.ts";
import {
  createLists,
  type ListParts,
  type ListsWithRefresh,
} from "../../src/lists/create-lists.ts";
import { type ManualClock, manualClock } from "../support/clock.ts";
import { recordingLog, type RecordingLog, resolverAnswering } from "../support/services.ts";
import { builtIn } from "../../src/built-in.ts";

export interface Bench {
  readonly lists: ListsWithRefresh;
  readonly log: RecordingLog;
  readonly clock: ManualClock;
  readonly directory: string;
  /** Writes a file in place, relative to the directory; gives its path. */
  write(name: string, content: string | Buffer): string;
  [Symbol.dispose](): void;
}

export function bench(given: Partial<ListParts> = {}): Bench {
  const directory = mkdtempSync(join(tmpdir(), "lists-"));
  const log = recordingLog();
  const clock = manualClock();
  const resolver = resolverAnswering({ kind: "temporary", error: "no DNS in this test" });
  const lists = createLists({
    lookups: builtIn.lookups,
    domains: {},
    hosts: {},
    configDirectory: directory,
    log,
    resolver,
    clock,
    ...given,
  });
  return {
    lists,
    log,
    clock,
    directory,
    write(name, content) {
      const path = join(directory, name);
      writeFileSync(path, content);
      return path;
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export type TxtRecords = Readonly<Record<string, readonly string[] | "temporary">>;

/** A resolver that knows TXT records only. `records` is asked at every question. */
export function txtResolver(records: () => TxtRecords): Resolver & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    ...resolverAnswering({ kind: "no-such-name" }),
    asked,
    async txt(name): Promise<Answer<string>> {
      asked.push(name);
      const found = records()[name];
      if (found === undefined) return { kind: "no-such-name" };
      if (found === "temporary") return { kind: "temporary", error: "SERVFAIL" };
      return found.length === 0 ? { kind: "no-data" } : { kind: "found", records: found };
    },
  };
}

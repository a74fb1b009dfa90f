// The last good answer of an `spf:` list on disk, so that a restart without DNS does not shut the gate. Each domain
// has one JSON file, which is replaced whole.
//
// Invariant: an answer from disk is checked as strictly as input from a stranger.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { given } from "../base/given.ts";
import { isTable } from "../base/table.ts";
import { errorCode } from "../base/error-code.ts";
import { replaceFile } from "../base/durable/kept-files.ts";
import { parseHostItem } from "./host-items.ts";
import { passProblem } from "./spf.ts";

export interface KeptAnswer {
  readonly domain: string;
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number;
  readonly entries: readonly string[];
  readonly ignored: readonly string[];
  /** The domains whose records were read. Absent in an answer that an older version has kept. */
  readonly records?: readonly string[];
}

export function keptAnswerPath(directory: string, domain: string): string {
  return join(directory, `spf.${domain}.json`);
}

/** Reads an answer; undefined if the file does not exist. Throws if it exists and cannot be used. */
export function readKeptAnswer(path: string, domain: string): KeptAnswer | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const kept: unknown = JSON.parse(text);
  if (!isTable(kept)) throw new Error("not a kept answer");
  const fetchedAt = kept["fetchedAt"];
  if (kept["domain"] !== domain) throw new Error("speaks of another domain");
  if (typeof fetchedAt !== "number" || !Number.isFinite(fetchedAt)) throw new Error("has no time");
  const entries = texts(kept["entries"]);
  if (entries.some((entry) => parseHostItem(entry)?.kind !== "network")) {
    throw new Error("has an entry that is not a network");
  }
  const problem = passProblem(entries.filter((entry) => !entry.startsWith("!")));
  if (problem !== undefined) throw new Error(problem);
  const records = kept["records"] === undefined ? undefined : texts(kept["records"]);
  return { domain, fetchedAt, entries, ignored: texts(kept["ignored"]), ...given({ records }) };
}

function texts(list: unknown): string[] {
  if (!Array.isArray(list)) throw new Error("lacks a list");
  return list.map((entry: unknown) => {
    if (typeof entry !== "string") throw new Error("has an entry that is not a text");
    return entry;
  });
}

export async function writeKeptAnswer(path: string, answer: KeptAnswer): Promise<void> {
  await replaceFile(path, `${JSON.stringify(answer, undefined, 2)}\n`);
}

// The audit log: who looked at, took out or deleted what, and why. Each line has the word of an act, and fields
// `name=value`:
//
//     search by=auditor@example.com account=bob@example.com reason=case%2017 query=from:alice

import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { Chain, type ChainFiles } from "./chain.ts";

const ACTS = [
  "login",
  "login-refused",
  "account",
  "reason",
  "search",
  "view",
  "download",
  "restore",
  "export",
  "import",
  "hold",
  "release",
  "erase",
  "retain",
  "accept",
] as const;

type Act = (typeof ACTS)[number];

export function isAct(text: string): text is Act {
  return ACTS.some((act) => act === text);
}

export interface AuditEntry {
  readonly act: Act;
  /** The account that acts, "relayctl" with the name of the system's user, or "retention". */
  readonly by: string;
  /** Further fields, such as `account`, `query`, `reason`, `id`. A name is of lower case letters. */
  readonly fields?: Readonly<Record<string, string | number>>;
}

export class Audit {
  readonly #chain: Chain;

  /** `state` is the directory of the archive's state. */
  constructor(state: string, clock: Pick<Clock, "now">, files?: ChainFiles) {
    this.#chain = new Chain(auditDirectory(state), clock, files);
  }

  /** Resolves when the entries are on disk. One sync covers all entries of a call. */
  append(entries: readonly AuditEntry[]): Promise<void> {
    return this.#chain.append(
      entries.map(({ act, by, fields = {} }) => ({
        word: act,
        fields: Object.entries({ by, ...fields }).map(([name, value]) => `${name}=${value}`),
      })),
    );
  }

  /** The hash of the last line that is on disk; undefined without one. Changes nothing. */
  lastHash(): Promise<string | undefined> {
    return this.#chain.lastHash();
  }

  close(): Promise<void> {
    return this.#chain.close();
  }
}

export function auditDirectory(state: string): string {
  return join(state, "audit");
}

/** The fields of a line of the audit log, by their names. */
export function auditFieldsOf(fields: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    fields.map((field) => {
      const at = field.indexOf("=");
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

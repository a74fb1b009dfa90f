// The output of relayctl hosts: text for people, and objects for programs.

import { given } from "../../base/given.ts";
import { folded, paint } from "../../base/terminal.ts";
import { ageText } from "../../base/units.ts";
import type { HostListDescription } from "../../lists/create-lists.ts";
import type { HostSourceDescription } from "../../lists/lookup.ts";

const SOURCES = { dns: "from the DNS", disk: "from the disk", none: "never resolved" } as const;

export function hostListsText(lists: readonly HostListDescription[], now: number): string {
  if (lists.length === 0) return "routers.toml has no [hosts].\n";
  return lists.map((list) => `${listText(list, now)}\n`).join("\n");
}

function listText({ name, items, lookups }: HostListDescription, now: number): string {
  const lines = [paint("bold", name), ...folded(`written: ${items.join(", ") || "nothing"}`, 2)];
  return [...lines, ...lookups.flatMap((lookup) => sourceLines(lookup, now))].join("\n");
}

function sourceLines(source: HostSourceDescription, now: number): string[] {
  const { name, fetchedAt, entries, ignored, records = [], error } = source;
  const age = fetchedAt === undefined ? "" : `, ${ageText(now - fetchedAt)} ago`;
  const networks = `${entries.length} ${entries.length === 1 ? "network" : "networks"}`;
  const shut = "it holds no host, so rules for it let nobody in";
  const others = records.filter((record) => record !== name);
  return [
    ...folded(`${name}: ${networks}, ${SOURCES[source.source]}${age}`, 2),
    ...(entries.length === 0 ? folded(shut, 4) : entries.flatMap((entry) => folded(entry, 4))),
    ...(others.length === 0 ? [] : folded(`read with it: ${others.join(", ")}`, 4)),
    ...(ignored.length === 0 ? [] : folded(`left out: ${ignored.join(" ")}`, 4)),
    ...(error === undefined ? [] : folded(`the last refresh failed: ${error}`, 4)),
  ];
}

/** `age_s` is in seconds. */
export function hostListsJson(lists: readonly HostListDescription[], now: number) {
  return lists.map(({ name, items, lookups }) => ({
    name,
    items,
    lookups: lookups.map(({ fetchedAt, ...lookup }) => ({
      ...lookup,
      ...given({
        fetched: fetchedAt === undefined ? undefined : new Date(fetchedAt).toISOString(),
        age_s:
          fetchedAt === undefined ? undefined : Math.max(0, Math.round((now - fetchedAt) / 1000)),
      }),
    })),
  }));
}

// Whether each `spf:` list of hosts is fresh, can be refreshed, and has not changed strangely. The answers on disk, which
// the running relay keeps, are compared with what the DNS says now.

import { ageText } from "../../base/units.ts";
import type { HostSourceDescription } from "../../lists/lookup.ts";
import { parseNetwork } from "../../base/cidr.ts";
import type { CheckPart, Setup } from "./check.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

const HOUR = 3_600_000;
/** The relay refreshes a list every hour. An answer of this age means that it has failed for long. */
const OLD = 24 * HOUR;
const VERY_OLD = 7 * 24 * HOUR;
/** Addresses in a network of a provider. A larger network is strange for a list of mail hosts. */
const LARGEST_PREFIX = { 4: 8, 6: 24 } as const;

export function checkLists(setup: Setup): readonly CheckPart[] {
  const { lists } = setup.chain;
  const items = listedItems(setup);
  const before = lists.sources(items);
  if (before.length === 0) {
    const none = skipped("no list of hosts looks anything up");
    return [{ about: "lists", findings: Promise.resolve(none) }];
  }
  const refreshed = lists.refresh().then(() => lists.sources(items));
  return before.map((former) => ({
    about: former.name,
    findings: refreshed.then((all) => {
      const fresh = all.find(({ name }) => name === former.name) ?? former;
      return judge(former, fresh, setup.clock.now());
    }),
  }));
}

/** The items of all lists of hosts that decide about clients. */
function listedItems({ configuration }: Setup): readonly string[] {
  const { hosts, gate, listeners } = configuration;
  return [
    ...[...hosts.values()].flat(),
    ...gate.relay.flatMap((rule) => rule.hosts),
    ...listeners.flatMap((listener) => listener.proxy_hosts ?? []),
  ];
}

function judge(former: HostSourceDescription, fresh: HostSourceDescription, now: number): Finding {
  const at = `spf:${former.name}`;
  if (former.error !== undefined) return skipped(`${at}: ${former.error}`);
  const age = former.fetchedAt === undefined ? undefined : now - former.fetchedAt;
  const refresh = `See relayctl hosts show, and run relayctl hosts refresh.`;
  if (fresh.error !== undefined) return unrefreshed(at, former, fresh.error, age);
  if (age !== undefined && age >= OLD) {
    return warning(
      `${at}: the relay has not refreshed it for ${ageText(age)}, although the DNS gives an answer`,
      `Look into the log for hosts.failed. ${refresh}`,
    );
  }
  const strange =
    former.source === "none" ? undefined : strangeChange(former.entries, fresh.entries);
  if (strange !== undefined) {
    return warning(
      `${at}: ${strange}`,
      "Compare the record with the provider's documentation: relay rules let these hosts in.",
    );
  }
  const wide = fresh.entries.find((entry) => isWide(entry));
  if (wide !== undefined) {
    return warning(
      `${at}: ${wide} is a very large network for mail hosts`,
      "Compare the record with the provider's documentation: relay rules let these hosts in.",
    );
  }
  const networks = `${fresh.entries.length} ${fresh.entries.length === 1 ? "network" : "networks"}`;
  const known = age === undefined ? "which the relay has not kept yet" : `kept ${ageText(age)} ago`;
  return ok(`${at}: ${networks}, ${known}`);
}

function unrefreshed(
  at: string,
  former: HostSourceDescription,
  error: string,
  age: number | undefined,
): Finding {
  const advice = `Correct the name in [hosts] or the DNS, then run relayctl hosts refresh.`;
  if (age === undefined) {
    return failure(
      `${at}: ${error}, and there is no earlier answer, so the gate is shut for these hosts`,
      advice,
    );
  }
  const last = `the answer of ${ageText(age)} ago holds, with ${former.entries.length} networks`;
  const found = `${at}: ${error}; ${last}`;
  return age >= VERY_OLD ? failure(found, advice) : warning(found, advice);
}

/** Why the new entries are not what one expects after the old ones; undefined if they are. */
function strangeChange(before: readonly string[], now: readonly string[]): string | undefined {
  const left = before.filter((entry) => now.includes(entry)).length;
  if (2 * left < before.length) {
    return `only ${left} of ${before.length} networks that the relay has are in the record now`;
  }
  const added = now.filter((entry) => !before.includes(entry)).length;
  if (added > before.length) return `${added} networks are new, beside ${before.length} known ones`;
  return undefined;
}

function isWide(entry: string): boolean {
  const network = entry.startsWith("!") ? undefined : parseNetwork(entry);
  if (network === undefined) return false;
  const prefix = Number(entry.split("/")[1] ?? 128);
  return prefix < LARGEST_PREFIX[network.family];
}

// Services for a driver under test: a clock that stands still, a log that remembers, a DNS without any names. A test
// replaces the service that it is about.

import { HostHints } from "../../src/retry/hosts/hosts.ts";
import type { Services } from "../../src/contract/contract.ts";
import type { Answer, Resolver } from "../../src/dns/dns.ts";
import type { EventName } from "../../src/observe/events.ts";
import type { Lists } from "../../src/lists/lists.ts";
import { lsearch } from "../../src/lists/lsearch-lookup.ts";
import type { Log } from "../../src/observe/log.ts";
import { manualClock } from "./clock.ts";

export interface RecordedEvent {
  readonly name: EventName;
  readonly fields: unknown;
}

export interface RecordingLog extends Log {
  readonly events: readonly RecordedEvent[];
  /** The fields of every event of this name, in order. */
  named(name: EventName): unknown[];
}

export function recordingLog(): RecordingLog {
  const events: RecordedEvent[] = [];
  return {
    events,
    event: (name, fields) => void events.push({ name, fields }),
    named: (name) => events.filter((event) => event.name === name).map((event) => event.fields),
  };
}

/** A resolver that answers every question alike. */
export function resolverAnswering(answer: Answer<never>): Resolver {
  const always = () => Promise.resolve(answer);
  return {
    mx: always,
    a: always,
    aaaa: always,
    txt: always,
    tlsa: always,
    ptr: always,
    close: () => Promise.resolve(),
  };
}

/** Lists for drivers that use only files. A test that needs other lists must give its own, or it fails. */
const noLists: Omit<Lists, "lookup"> = {
  domains: () => unexpected("domains"),
  localParts: () => unexpected("localParts"),
  hosts: () => unexpected("hosts"),
};

function unexpected(what: string): never {
  throw new Error(`the test gave no ${what} list`);
}

export function fakeServices<Given extends Partial<Services>>(given: Given): Services & Given;
export function fakeServices(): Services;
export function fakeServices(given: Partial<Services> = {}): Services {
  const clock = given.clock ?? manualClock();
  const log = given.log ?? recordingLog();
  return {
    clock,
    hints: new HostHints({ retry: [], replies: [] }, clock),
    log,
    resolver: resolverAnswering({ kind: "no-such-name" }),
    lists: {
      ...noLists,
      lookup: (item) => lsearch.open(item.slice("lsearch:".length), { clock, log }),
    },
    mtaSts: { policyOf: () => Promise.resolve(undefined) },
    hostname: "mx.example.com",
    ownAddresses: new Set(["127.0.0.1", "::1"]),
    configDirectory: "/etc/unseen",
    ...given,
  };
}

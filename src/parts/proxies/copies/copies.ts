// What keeps copies for all proxies of the process: their transports, and the memory of kept messages, one for each
// `state`.

import { join } from "node:path";
import { fetchedCopies } from "../../../../transports/maildir-append.ts";
import { type Clock, systemClock } from "../../../base/clock.ts";
import type { WrittenDirectory } from "../../../base/durable/directory.ts";
import type { Configuration } from "../../../config/configuration.ts";
import type { Transport } from "../../../contract/contract.ts";
import { SharedDisks } from "../../../disks/disks.ts";
import type { Log } from "../../../observe/log.ts";
import { HostHints } from "../../../retry/hosts/hosts.ts";
import type { ProxyOptions } from "../options.ts";
import { Tally } from "../tally.ts";
import { CopyKeeper } from "./keeper.ts";
import { KeptMessages } from "./kept.ts";

export interface CopiesMeans {
  readonly clock: Clock;
  readonly log: Log;
  readonly hostname: string;
}

export class Copies {
  readonly tally: Tally;
  readonly #configuration: Configuration;
  readonly #means: CopiesMeans;
  readonly #services;
  /** By their directories. */
  readonly #kept = new Map<string, KeptMessages>();

  constructor(configuration: Configuration, means: CopiesMeans) {
    this.tally = new Tally(means.clock);
    this.#configuration = configuration;
    this.#means = means;
    this.#services = servicesOf(means);
  }

  /** What keeps the copies of a proxy; undefined if it keeps none. Throws if another process uses its `state`. */
  keeperOf(options: ProxyOptions): CopyKeeper | undefined {
    const transport = transportOf(options, this.#configuration, this.#services);
    if (transport === undefined) return undefined;
    const { clock, log } = this.#means;
    const { relay } = this.#configuration;
    const state = options.state ?? join(relay.spool_directory, "proxies");
    let kept = this.#kept.get(state);
    if (kept === undefined) {
      kept = new KeptMessages(state, relay.user, log);
      this.#kept.set(state, kept);
    }
    return new CopyKeeper({ options, clock, log, transport, kept, tally: this.tally });
  }

  /** How many messages of each account were ever kept. */
  async counts(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const kept of this.#kept.values()) {
      for (const { account, kept: count } of await kept.counts()) {
        counts.set(account, (counts.get(account) ?? 0) + count);
      }
    }
    return counts;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map((kept) => kept.close()));
  }
}

type CopyServices = Parameters<typeof fetchedCopies>[1];

function servicesOf(means: CopiesMeans): CopyServices {
  const hints = new HostHints({ retry: [], replies: [] }, means.clock);
  return { ...means, hints, maildirDisks: new SharedDisks(means) };
}

function transportOf(
  { transport: name }: ProxyOptions,
  { transports }: Configuration,
  services: CopyServices,
): Transport | undefined {
  const configured = name === undefined ? undefined : transports.get(name);
  return configured && fetchedCopies(configured, services);
}

/** The directories that the process writes to, besides the spool directory. */
export function directoriesOf(
  proxies: readonly ProxyOptions[],
  configuration: Configuration,
): readonly WrittenDirectory[] {
  const log = { event: () => undefined };
  const services = servicesOf({ clock: systemClock, log, hostname: "" });
  return proxies.flatMap((options) => {
    const transport = transportOf(options, configuration, services);
    if (transport === undefined) return [];
    const state = options.state === undefined ? [] : [{ path: options.state, mode: 0o700 }];
    return transport.directory === undefined ? state : [...state, transport.directory];
  });
}

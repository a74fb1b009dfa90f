// One `spf:DOMAIN` of the host lists while the relay runs: its networks, their source and age.
//
// Invariants:
// - The list only changes from one good answer to another. A failed answer, an empty one, or one that covers all
//   addresses leaves it unchanged.
// - Before the first good answer the list is empty and matches no client.

import { given } from "../base/given.ts";
import type { Clock } from "../base/clock.ts";
import type { Resolver } from "../dns/dns.ts";
import { describeError, type Log } from "../observe/log.ts";
import { type Address, type Network, parseNetwork } from "../base/cidr.ts";
import { NetworkTable } from "../base/network-table.ts";
import { type KeptAnswer, keptAnswerPath, readKeptAnswer, writeKeptAnswer } from "./kept-answer.ts";
import type { HostSource, HostSourceDescription } from "./lookup.ts";
import { expandSpf } from "./spf.ts";

interface SpfListParts {
  readonly domain: string;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly log: Log;
  /** The directory for the last good answer; absent: it is not kept. */
  readonly directory?: string;
  /** False: the kept answer is read, and none is written. */
  readonly keep: boolean;
}

interface Entry {
  readonly text: string;
  readonly negated: boolean;
  readonly network: Network;
}

export class SpfList implements HostSource {
  readonly #parts: SpfListParts;
  readonly #name: string;
  readonly #path: string | undefined;
  #current: KeptAnswer | undefined;
  #entries: readonly Entry[] = [];
  #networks = new NetworkTable([]);
  #source: HostSourceDescription["source"] = "none";
  #error: string | undefined;
  #running: Promise<boolean> | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(parts: SpfListParts) {
    this.#parts = parts;
    this.#name = `spf:${parts.domain}`;
    if (parts.directory === undefined) return;
    this.#path = keptAnswerPath(parts.directory, parts.domain);
    try {
      const kept = readKeptAnswer(this.#path, parts.domain);
      if (kept !== undefined) this.#use(kept, "disk");
    } catch (cause) {
      this.#failed(`${this.#path} cannot be used: ${describeError(cause)}`);
    }
  }

  /** The entry that lets the address in. */
  find(address: Address): string | undefined {
    const entry = this.#entries[this.#networks.find(address)];
    return entry === undefined || entry.negated ? undefined : entry.text;
  }

  /** Fetches a new answer. True if it came. Never throws. */
  refresh(): Promise<boolean> {
    this.#running ??= this.#refresh()
      .catch((cause: unknown) => this.#failed(describeError(cause)))
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  describe(): HostSourceDescription {
    const current = this.#current;
    return {
      name: this.#parts.domain,
      source: this.#source,
      entries: current?.entries ?? [],
      ignored: current?.ignored ?? [],
      ...given({
        records: current?.records,
        fetchedAt: current?.fetchedAt,
        error: this.#error,
      }),
    };
  }

  /** Waits for the disk, but not for DNS: a later answer is not used. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
  }

  async #refresh(): Promise<boolean> {
    const { domain, resolver, clock, log } = this.#parts;
    const expansion = await expandSpf(resolver, domain);
    if (this.#closed) return false;
    if ("error" in expansion) return this.#failed(expansion.error);

    const before = this.#current?.ignored ?? [];
    const news = expansion.ignored.filter((term) => !before.includes(term));
    if (news.length > 0) {
      log.event("relay.warning", { what: `${this.#name} does not follow ${news.join(" ")}` });
    }
    const answer = { domain, fetchedAt: clock.now(), ...expansion };
    this.#use(answer, "dns");
    this.#error = undefined;
    log.event("hosts.refreshed", { list: this.#name, entries: this.#entries.length });
    this.#writing = this.#keep(answer);
    await this.#writing;
    return true;
  }

  #use(answer: KeptAnswer, source: "dns" | "disk"): void {
    this.#current = answer;
    this.#source = source;
    this.#entries = answer.entries.flatMap(compile);
    this.#networks = new NetworkTable(this.#entries.map(({ network }) => network));
  }

  async #keep(answer: KeptAnswer): Promise<void> {
    if (this.#path === undefined || !this.#parts.keep) return;
    try {
      await writeKeptAnswer(this.#path, answer);
    } catch (cause) {
      this.#failed(`${this.#path} cannot be written: ${describeError(cause)}`);
    }
  }

  #failed(error: string): false {
    this.#error = error;
    const kept = this.#entries.length;
    this.#parts.log.event("hosts.failed", { list: this.#name, error, kept });
    return false;
  }
}

function compile(text: string): Entry[] {
  const negated = text.startsWith("!");
  const network = parseNetwork(negated ? text.slice(1) : text);
  return network === undefined ? [] : [{ text, negated, network }];
}

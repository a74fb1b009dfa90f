// DNS block lists (RFC 5782): whether the address of a client is on one of them.
//
// Invariants:
// - Only a clear answer counts. A list blocks no client if it does not answer, or answers outside 127.0.0.0/8 (its
//   domain has a new owner) or with 127.255.255.x (it refuses our questions). This is logged once.
// - The resolver keeps an answer for its time to live.

import { isIPv4 } from "node:net";
import type { Resolver } from "../../dns/dns.ts";
import { parseAddress } from "../../base/cidr.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { parseDomain } from "../../mail/address.ts";

interface BlockList {
  readonly zone: string;
  /** The answers that count; empty: every answer. */
  readonly codes: readonly CodeRange[];
}

/** "127.0.0." and the first and last value of the last octet. */
interface CodeRange {
  readonly network: string;
  readonly first: number;
  readonly last: number;
}

/** "zen.spamhaus.org", or "zen.spamhaus.org=127.0.0.2-3,127.0.0.9". */
export function parseBlockList(text: string): BlockList | undefined {
  const [name = "", wanted, ...more] = text.split("=");
  const zone = parseDomain(name);
  if (zone === undefined || !zone.includes(".") || more.length > 0) return undefined;
  const codes = (wanted?.split(",") ?? []).map(parseCodes);
  return codes.every((range) => range !== undefined) ? { zone, codes } : undefined;
}

function parseCodes(text: string): CodeRange | undefined {
  const [, network, from, to = from] =
    /^(127\.\d{1,3}\.\d{1,3}\.)(\d{1,3})(?:-(\d{1,3}))?$/.exec(text) ?? [];
  if (network === undefined || !isIPv4(`${network}${from}`) || !isIPv4(`${network}${to}`))
    return undefined;
  const [first, last] = [Number(from), Number(to)];
  return first <= last ? { network, first, last } : undefined;
}

/** The address in the form of a query to a list: octets or nibbles, the last one first. */
export function reversedAddress(address: string): string | undefined {
  const parsed = parseAddress(address);
  if (parsed === undefined) return undefined;
  const digits =
    parsed.family === 4
      ? address.split(".")
      : parsed.value.toString(16).padStart(32, "0").split("");
  return digits.toReversed().join(".");
}

export interface Listing {
  readonly zone: string;
  readonly code: string;
}

type State = Listing | "not listed" | { readonly trouble: string };

export class BlockLists {
  readonly #lists: readonly BlockList[];
  readonly #resolver: Pick<Resolver, "a">;
  readonly #log: Log;
  /** The lists that do not answer now. */
  readonly #silent = new Set<string>();

  /** `items` as the configuration has them, checked. */
  constructor(items: readonly string[], resolver: Pick<Resolver, "a">, log: Log) {
    this.#lists = items.flatMap((item) => parseBlockList(item) ?? []);
    this.#resolver = resolver;
    this.#log = log;
  }

  get none(): boolean {
    return this.#lists.length === 0;
  }

  /** The first list, in the order of the configuration, that has the address. It asks all lists at the same time. */
  async find(address: string): Promise<Listing | undefined> {
    const name = reversedAddress(address);
    if (name === undefined) return undefined;
    const states = await Promise.all(this.#lists.map((list) => this.#ask(list, name)));
    return states.find((state) => state !== undefined);
  }

  async #ask(list: BlockList, name: string): Promise<Listing | undefined> {
    const state = await this.#stateOf(list, name).catch((error: unknown) => ({
      trouble: describeError(error),
    }));
    if (typeof state === "object" && "trouble" in state) {
      if (!this.#silent.has(list.zone)) {
        this.#log.event("lookup.failed", { lookup: `dnsbl ${list.zone}`, error: state.trouble });
      }
      this.#silent.add(list.zone);
      return undefined;
    }
    this.#silent.delete(list.zone);
    return state === "not listed" ? undefined : state;
  }

  async #stateOf({ zone, codes }: BlockList, name: string): Promise<State> {
    const answer = await this.#resolver.a(`${name}.${zone}`);
    if (answer.kind === "temporary") return { trouble: answer.error };
    if (answer.kind !== "found") return "not listed";
    const strange = answer.records.find(
      (code) => !code.startsWith("127.") || code.startsWith("127.255.255."),
    );
    if (strange !== undefined) return { trouble: `it answers ${strange}` };
    const code = answer.records.find(
      (one) => codes.length === 0 || codes.some((range) => isIn(range, one)),
    );
    return code === undefined ? "not listed" : { zone, code };
  }
}

function isIn({ network, first, last }: CodeRange, code: string): boolean {
  if (!code.startsWith(network)) return false;
  const octet = Number(code.slice(network.length));
  return octet >= first && octet <= last;
}

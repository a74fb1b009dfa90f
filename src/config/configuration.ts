// A valid configuration, from which the rest of the relay is built. Plain values: durations in milliseconds, sizes in
// bytes, paths absolute, every default filled in.
//
// Doors: document.ts, load.ts, spool-paths.ts, warnings.ts.

import type { RouterDriver, TransportDriver } from "../contract/contract.ts";
import { parseMailbox } from "../mail/address.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { Option } from "../options/options.ts";
import type { Lookups } from "../lists/lookup.ts";
import type { ChainOptions } from "../route/chain-options.ts";
import type { GateOptions } from "../receive/gate/gate-options.ts";
import type { ListenerOptions } from "../smtp/server/listener-options.ts";
import type { RelayOptions } from "./relay-options.ts";
import type { ReplyOptions, RetryOptions } from "../retry/retry-options.ts";
import type { BounceOptions, DnsOptions, HttpsOptions } from "./sections.ts";

export interface Configuration {
  /** The path as it was given to the program. */
  readonly file: string;
  /** Absolute path of the file's directory. Relative paths in the file start here. */
  readonly directory: string;
  readonly relay: RelayOptions;
  readonly listeners: readonly ListenerOptions[];
  readonly dns: DnsOptions;
  readonly domains: NamedLists;
  readonly hosts: NamedLists;
  /** The lookups that items of lists may name. */
  readonly lookups: Lookups;
  readonly gate: GateOptions;
  /** In the order in which they are asked. */
  readonly routers: readonly RouterConfiguration[];
  readonly transports: ReadonlyMap<string, TransportConfiguration>;
  readonly retry: readonly RetryOptions[];
  readonly replies: readonly ReplyOptions[];
  readonly bounce: BounceOptions;
  readonly https: HttpsOptions;
  /** The options of the parts, by the names of their tables. For the parts only. */
  readonly parts: Readonly<Record<string, unknown>>;
}

type NamedLists = ReadonlyMap<string, readonly string[]>;

export interface RouterConfiguration {
  readonly name: string;
  /** The driver's own defaults are filled in. */
  readonly chain: Omit<ChainOptions, "unseen"> & { readonly unseen: boolean };
  readonly driver: RouterDriver;
  /** The result of `driver.options.read`, for `driver.create` only. */
  readonly options: unknown;
}

export interface TransportConfiguration {
  readonly name: string;
  readonly driver: TransportDriver;
  /** The result of `driver.options.read`, for `driver.create` only. */
  readonly options: unknown;
}

/** The drivers and tables that are built in, without a module of the postmaster's. */
export interface BuiltIn {
  readonly routers: ReadonlyMap<string, RouterDriver>;
  readonly transports: ReadonlyMap<string, TransportDriver>;
  readonly lookups: Lookups;
  /** The tables of the parts. */
  readonly sections: Readonly<Record<string, Option<unknown>>>;
}

/** One problem of the file. */
export interface ConfigurationProblem {
  readonly file: string;
  readonly line: number;
  /** Dotted path; "" when the text is not valid TOML from this line on. */
  readonly path: string;
  readonly message: string;
}

/** `routers.toml:42: transports.gmail.tls: must be …` */
export function problemLine({ file, line, path, message }: ConfigurationProblem): string {
  return `${file}:${line}: ${path === "" ? "" : `${path}: `}${message}`;
}

/**
 * Whether the value of an entry may be an address, "bob.smith: bob@example.net", in every list of local parts. With
 * [accounts] the sync writes such values. Without it only items with `{domain}` have them.
 */
export function hasAddressValues({ parts }: Pick<Configuration, "parts">): boolean {
  return parts["accounts"] !== undefined;
}

/** The first local domain that is written out. Mail for the bare <postmaster> goes to its postmaster. */
export function firstLocalDomain({ gate, domains }: Configuration): string | undefined {
  const items = gate.local_domains.flatMap((item) =>
    item.startsWith("+") ? (domains.get(item.slice(1)) ?? []) : [item],
  );
  return items.find((item) => /^[a-z0-9.-]+$/i.test(item));
}

/** [relay] postmaster. Without it, the postmaster of the first local domain. */
export function postmasterOf(configuration: Configuration): Mailbox {
  const { postmaster, hostname } = configuration.relay;
  const domain = firstLocalDomain(configuration) ?? hostname;
  const mailbox = postmaster ?? parseMailbox(`postmaster@${domain}`);
  if (mailbox === undefined) throw new Error(`postmaster@${domain} is no address`);
  return mailbox;
}

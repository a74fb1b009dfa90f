// A configuration that has been found right: what the rest of the relay is built from. Plain values; durations
// in milliseconds, sizes in bytes, paths absolute, every default filled in.
//
// Doors: document.ts, driver-tables.ts, first-local-domain.ts, https.ts, load.ts, postmaster.ts,
// relay-options.ts, toml.ts, warnings.ts.

import type { RouterDriver, TransportDriver } from "../contract/contract.ts";
import type { ChainOptions } from "../route/chain-options.ts";
import type { GateOptions } from "../receive/gate/gate-options.ts";
import type { ListenerOptions } from "../smtp/server/listener-options.ts";
import type { RelayOptions } from "./relay-options.ts";
import type { ReplyOptions, RetryOptions } from "../retry/retry-options.ts";
import type { BounceOptions, DnsOptions, HttpsOptions } from "./sections.ts";

export interface Configuration {
  /** As it was asked for. */
  readonly file: string;
  /** Absolute. Relative paths in the file start here. */
  readonly directory: string;
  readonly relay: RelayOptions;
  readonly listeners: readonly ListenerOptions[];
  readonly dns: DnsOptions;
  readonly domains: NamedLists;
  readonly hosts: NamedLists;
  readonly gate: GateOptions;
  /** In the order in which they are asked. */
  readonly routers: readonly RouterConfiguration[];
  readonly transports: ReadonlyMap<string, TransportConfiguration>;
  readonly retry: readonly RetryOptions[];
  readonly replies: readonly ReplyOptions[];
  readonly bounce: BounceOptions;
  readonly https: HttpsOptions;
  /** What the parts have read, by the names of their tables: for the parts only. */
  readonly parts: Readonly<Record<string, unknown>>;
}

type NamedLists = ReadonlyMap<string, readonly string[]>;

export interface RouterConfiguration {
  readonly name: string;
  /** With the driver's own defaults. */
  readonly chain: Omit<ChainOptions, "unseen"> & { readonly unseen: boolean };
  readonly driver: RouterDriver;
  /** What `driver.options` has read: for `driver.create` only. */
  readonly options: unknown;
}

export interface TransportConfiguration {
  readonly name: string;
  readonly driver: TransportDriver;
  /** What `driver.options` has read: for `driver.create` only. */
  readonly options: unknown;
}

/** One thing wrong with the file. */
export interface ConfigurationProblem {
  readonly file: string;
  readonly line: number;
  /** Dotted path; "" when the text is no TOML from there on. */
  readonly path: string;
  readonly message: string;
}

/** `routers.toml:42: transports.gmail.tls: must be …` */
export function problemLine({ file, line, path, message }: ConfigurationProblem): string {
  return `${file}:${line}: ${path === "" ? "" : `${path}: `}${message}`;
}

// The chain of a configuration for questions outside any session. It changes nothing on disk, asks no DNS server and
// logs nothing. Mail for other domains is deferred by it.

import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Answer, Resolver } from "../dns/dns.ts";
import type { Log } from "../observe/log.ts";
import { assemble, type Chain } from "../run/assemble.ts";

const SILENT: Log = { event: () => undefined };

const unknown = (): Promise<Answer<never>> =>
  Promise.resolve({ kind: "temporary", error: "no DNS is asked" });

const MUTE: Resolver = {
  mx: unknown,
  a: unknown,
  aaaa: unknown,
  txt: unknown,
  tlsa: unknown,
  ptr: unknown,
  close: () => Promise.resolve(),
};

/** The caller must close it. */
export function quietChain(configuration: Configuration, clock: Clock): Chain {
  return assemble(configuration, { clock, log: SILENT, resolver: MUTE }, true);
}

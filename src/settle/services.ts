// What settling needs, out of a configuration: for the running relay and for relayctl where none runs.

import type { Configuration } from "../config/configuration.ts";
import type { Log } from "../log.ts";
import { BUILT_IN_REPLY_RULES, type RetryPolicy } from "../reply-rules.ts";
import type { SettleServices } from "../settle.ts";
import type { Spool } from "../spool.ts";

export function retryPolicyOf({ retry, replies }: Configuration): RetryPolicy {
  return { retry, replies: [...replies, ...BUILT_IN_REPLY_RULES] };
}

export function settleServicesOf(
  configuration: Configuration,
  spool: Pick<Spool, "nextId">,
  log: Log,
): SettleServices {
  const { relay, bounce } = configuration;
  return {
    hostname: relay.hostname,
    ...retryPolicyOf(configuration),
    warnAfter: bounce.warn_after,
    returnSizeLimit: bounce.return_size_limit,
    log,
    spool,
  };
}

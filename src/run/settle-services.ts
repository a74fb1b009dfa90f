// The services for settling that are made from a configuration, for the running relay and for relayctl without one.

import { Vouching, type VouchingServices } from "../settle/vouching.ts";
import type { Configuration } from "../config/configuration.ts";
import { BUILT_IN_REPLY_RULES, type RetryPolicy } from "../retry/reply-rules.ts";
import type { SettleServices } from "../settle/settle.ts";

export function retryPolicyOf({ retry, replies }: Configuration): RetryPolicy {
  return { retry, replies: [...replies, ...BUILT_IN_REPLY_RULES] };
}

export type SettleMeans = Pick<SettleServices, "outbox" | "log" | "elapsed" | "alarms">;

export function settleServicesOf(
  configuration: Configuration,
  means: SettleMeans,
  asked: Omit<VouchingServices, "hostname">,
): SettleServices {
  const { relay, bounce } = configuration;
  const vouching = new Vouching({ ...asked, hostname: relay.hostname });
  return {
    ...(bounce.bounce_to === "all" ? {} : { vouching }),
    hostname: relay.hostname,
    ...retryPolicyOf(configuration),
    warnAfter: bounce.warn_after,
    returnSizeLimit: bounce.return_size_limit,
    ...means,
  };
}

// The settings for HTTPS to hosts that other domains name.

import type { Https } from "../base/net/https.ts";
import { ignoredBy } from "../dns/target-addresses.ts";
import type { Lists } from "../lists/lists.ts";
import type { Configuration } from "../config/configuration.ts";

/** Made from [https] of the configuration. */
export function httpsOf(
  { port, ignore_target_hosts: ignored }: Configuration["https"],
  lists: Pick<Lists, "hosts">,
): Https {
  return { port, isIgnored: ignored.length === 0 ? () => false : ignoredBy(lists.hosts(ignored)) };
}

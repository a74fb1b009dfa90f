// How hosts are reached that want to be asked over HTTPS.

import type { Https } from "../base/net/https.ts";
import { ignoredBy } from "../dns/target-addresses.ts";
import type { Lists } from "../lists/lists.ts";
import type { HttpsOptions } from "./sections.ts";

/** As [https] of the configuration has it. */
export function httpsOf(
  { port, ignore_target_hosts: ignored }: HttpsOptions,
  lists: Pick<Lists, "hosts">,
): Https {
  return { port, isIgnored: ignored.length === 0 ? () => false : ignoredBy(lists.hosts(ignored)) };
}

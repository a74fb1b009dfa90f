// Checks whether the postmaster's list would arrive. Its address goes through the routers as mail of the relay's own
// does.

import type { Clock } from "../base/clock.ts";
import { type Configuration, postmasterOf } from "../config/configuration.ts";
import { quietChain } from "./quiet-chain.ts";

/**
 * Returns one clause, with the file in front, if the routers refuse the postmaster's address, the default one too. An
 * address of another domain counts as valid, because the DNS is not asked.
 */
export async function lostPostmaster(
  configuration: Configuration,
  clock: Clock,
): Promise<readonly string[]> {
  const postmaster = postmasterOf(configuration);
  const chain = quietChain(configuration, clock);
  try {
    const own = { sender: null, client: { address: "", helo: configuration.relay.hostname } };
    const { troubles } = await chain.route(postmaster, { ...own, verify: true, relayed: true });
    const refused = troubles.find(({ kind, unseen }) => kind === "failed" && !unseen);
    if (refused === undefined) return [];
    const { code, enhanced, text } = refused.status;
    const to =
      refused.mailbox.address === postmaster.address
        ? postmaster.address
        : `${postmaster.address} leads to ${refused.mailbox.address}, which`;
    const why = `${to} gets ${code} ${enhanced} ${text}`;
    return [`${configuration.file}: relay.postmaster: ${why}; the daily list would not arrive`];
  } finally {
    await chain.close();
  }
}

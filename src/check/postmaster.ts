// Checks whether the postmaster's list would arrive. Its address goes through the routers as mail of the relay's own
// does.

import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import { quietChain } from "./quiet-chain.ts";

/**
 * Returns one clause, with the file in front, if the routers refuse the address that `[relay] postmaster` names. An
 * address of another domain counts as valid, because the DNS is not asked. The default address is not checked.
 */
export async function lostPostmaster(
  configuration: Configuration,
  clock: Clock,
): Promise<readonly string[]> {
  const { postmaster } = configuration.relay;
  if (postmaster === undefined) return [];
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

// Whether a message came by a relay rule: what the envelope says, and for mail that an older version has received,
// what can be known of it.

import type { Gate } from "./gate.ts";
import type { StoredMessage } from "../../spool/spool.ts";

/**
 * Envelopes of older versions do not say. A relay rule has let the message in, its proof included, if there is a
 * recipient that is not ours: nothing else would have. Of all other mail nobody knows who has sent it, so it counts as a
 * stranger's. Throws when the list of our domains cannot be read.
 */
export async function wasRelayed(
  { envelope, recipients }: Pick<StoredMessage, "envelope" | "recipients">,
  gate: Pick<Gate, "isLocal"> | undefined,
): Promise<boolean> {
  const { relayed, client } = envelope;
  if (relayed !== undefined) return relayed;
  // Mail of our own.
  if (client.address === "") return true;
  if (gate === undefined) return false;
  for (const domain of new Set(recipients.map(({ mailbox }) => mailbox.domain))) {
    const isLocal = await gate.isLocal(domain);
    if (isLocal === undefined) throw new Error("the list of local domains cannot be read");
    if (!isLocal) return true;
  }
  return false;
}

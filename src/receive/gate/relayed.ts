// Decides whether a message came by a relay rule. Its envelope says so; for mail that an older version received, its
// recipients do.

import type { Gate } from "./gate.ts";
import type { StoredMessage } from "../../spool/spool.ts";

/**
 * Whether the message was relayed. Envelopes of older versions do not say. If such a message has a recipient that is not
 * ours, a relay rule let it in, with its proof, because no other rule accepts such mail. The sender of other such mail is
 * unknown, so it counts as a stranger's. Throws if the list of our domains cannot be read.
 */
export async function wasRelayed(
  { envelope, recipients }: Pick<StoredMessage, "envelope" | "recipients">,
  gate: Pick<Gate, "isLocal"> | undefined,
): Promise<boolean> {
  const { relayed, client } = envelope;
  if (relayed !== undefined) return relayed;
  // The relay wrote this message itself.
  if (client.address === "") return true;
  if (gate === undefined) return false;
  for (const domain of new Set(recipients.map(({ mailbox }) => mailbox.domain))) {
    const isLocal = await gate.isLocal(domain);
    if (isLocal === undefined) throw new Error("the list of local domains cannot be read");
    if (!isLocal) return true;
  }
  return false;
}

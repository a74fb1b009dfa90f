// Logs two facts about copies of mail from our own senders. A copy was made for a sender in no list of accounts, or
// mail went out and no router asked for a copy.

import { given } from "../base/given.ts";
import type { Gate } from "../receive/gate/gate.ts";
import type { Log } from "../observe/log.ts";
import type { Finding } from "../retry/clocks/finding.ts";
import { pathText } from "../mail/address.ts";
import { placeText } from "../mail/place.ts";
import type { StoredMessage } from "../spool/spool.ts";

export async function logCopies(
  { envelope, journal, recipients }: StoredMessage,
  findings: readonly Finding[],
  gate: Pick<Gate, "isLocal"> | undefined,
  log: Log,
): Promise<void> {
  const { id, sender, relayed = false, client } = envelope;
  if (!relayed || sender === null || client.address === "") return;
  const delivered = findings.filter(({ outcome }) => outcome.kind === "delivered");
  const unlisted = delivered.find((one) => one.unlisted === true);
  if (unlisted !== undefined) {
    const { place } = unlisted.outcome;
    const host = given({ host: place && placeText(place) });
    log.event("copy.unlisted", { id, sender: pathText(sender), ...host });
  }
  const left = delivered.filter(({ unseen }) => !unseen);
  const isCopied =
    findings.some(({ unseen }) => unseen) || recipients.some(({ clocks }) => clocks?.copies[0]);
  // If the journal has an entry, an earlier attempt has logged it.
  if (
    isCopied ||
    journal.length > 0 ||
    left.length === 0 ||
    (await gate?.isLocal(sender.domain)) !== true
  )
    return;
  log.event("copy.missing", {
    id,
    sender: pathText(sender),
    recipients: left.map(({ mailbox }) => mailbox.address),
  });
}

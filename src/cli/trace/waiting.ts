// What the queue adds to a story: what is still to come, and, where no history is kept, what has been.

import type { HistoryEvent } from "../../history/read.ts";
import { withoutMarks } from "../../settle/ended.ts";
import { pathText } from "../../smtp/address.ts";
import type { StoredMessage } from "../../spool.ts";
import { saidLine } from "../../status.ts";
import { isHeld, nextText, stateWord } from "../queue/format.ts";
import { type Entry, entry } from "./entry.ts";

/** Recipients that have not had their end. */
export function waitingEntries(
  { state, recipients }: StoredMessage,
  now: number,
  held: ReadonlySet<string>,
): Entry[] {
  const open = recipients.filter((one) => one.state === "pending" || one.state === "frozen");
  return open.map((recipient) => {
    const { mailbox, lastStatus, nextAttempt, attempts } = recipient;
    const status = lastStatus === undefined ? "" : saidLine(lastStatus);
    const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
    if (recipient.state === "frozen")
      return entry("frozen", mailbox.address, "red", [tries, status]);
    if (state === "active") return entry("tried", `just now: ${mailbox.address}`, "green", []);
    const next = isHeld(recipient, held) ? "on hold" : `next ${nextText(nextAttempt - now)}`;
    return entry("waits", mailbox.address, "yellow", [`${tries}, ${next}`, status]);
  });
}

export function stateText({ state }: StoredMessage): string {
  return stateWord(state);
}

/** The events that the spool itself remembers. */
export function eventsOf({ envelope, recipients, journal }: StoredMessage): HistoryEvent[] {
  const { receivedAt: at, sender, client, size } = envelope;
  const { address, helo, tls } = client;
  const accepted = {
    sender: pathText(sender),
    recipients: recipients.map(({ mailbox }) => mailbox.address),
    client: address,
    helo,
    ...(tls === undefined ? {} : { tls: `${tls.version} ${tls.cipher}` }),
    size,
  };
  const deliveries = withoutMarks(journal).map((one) => {
    const { address: recipient, router, transport, unseen, outcome } = one;
    const name = outcome === "delivered" ? "delivery.done" : `delivery.${outcome}`;
    return { at: one.at, name, fields: { recipient, router, transport, unseen } };
  });
  return [{ at, name: "message.accepted", fields: accepted }, ...deliveries];
}

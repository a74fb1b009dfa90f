// The queue's contribution to a story: what is still to be done, and, without a history, what has been done.

import { given } from "../../base/given.ts";
import type { HistoryEvent } from "../../observe/history/read.ts";
import { pathText } from "../../mail/address.ts";
import type { StoredMessage } from "../../spool/spool.ts";
import { saidLine } from "../../mail/status.ts";
import { timesOf } from "../../retry/clocks/due.ts";
import { copyText, mailText, reasonsOf, stateWord } from "../queue/format.ts";
import { type Entry, traceEntry } from "./event-text.ts";

/** The recipients that are not finished. */
export function waitingEntries(
  { state, recipients }: StoredMessage,
  now: number,
  held: ReadonlySet<string>,
): Entry[] {
  const open = recipients.filter((one) => one.state === "pending" || one.state === "frozen");
  return open.flatMap((recipient) => {
    const { address } = recipient.mailbox;
    const told = [mailText(recipient, now, held), ...reasonsOf(recipient)];
    if (recipient.state === "frozen") return [traceEntry("frozen", address, "red", told)];
    if (state === "active") return [traceEntry("tried", `just now: ${address}`, "green", [])];
    const { mail: wait, copies: waiting } = timesOf(recipient);
    const copies = waiting.map((copy) =>
      traceEntry("waits", address, "yellow", [
        copyText(copy, recipient, now),
        saidLine(copy.lastStatus),
      ]),
    );
    const mail = wait === undefined ? [] : [traceEntry("waits", address, "yellow", told)];
    return [...mail, ...copies];
  });
}

export function stateText({ state }: StoredMessage): string {
  return stateWord(state);
}

/** The events that the spool itself records. */
export function eventsOf({ envelope, recipients, journal }: StoredMessage): HistoryEvent[] {
  const { receivedAt: at, sender, client, size } = envelope;
  const { address, helo, tls } = client;
  const accepted = {
    sender: pathText(sender),
    recipients: recipients.map(({ mailbox }) => mailbox.address),
    client: address,
    helo,
    ...given({ tls: tls && `${tls.version} ${tls.cipher}` }),
    size,
  };
  const deliveries = journal.map((one) => {
    const { address: recipient, router, transport, unseen, outcome } = one;
    const name = outcome === "delivered" ? "delivery.done" : `delivery.${outcome}`;
    return { at: one.at, name, fields: { recipient, router, transport, unseen } };
  });
  return [{ at, name: "message.accepted", fields: accepted }, ...deliveries];
}

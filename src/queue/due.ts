// What is due of a recipient at an attempt: what the chain says of it, less what the journal has as done and what has a
// later time of its own (retry/due.ts). Decided here and nowhere else.
//
// Invariants: what was delivered is neither delivered nor bounced again, whatever the chain says of it now; nor is it sent
// on to those whom its address has become an alias of. While only copies are left of a recipient, nothing that the chain
// says of its mail counts.

import { given } from "../base/given.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { RoutedDelivery, Routing, RouteTrouble } from "../route/route.ts";
import { isCopy } from "../retry/clocks.ts";
import { type Attempted, mailIsDue } from "../retry/due.ts";
import { Journal, mailIn } from "../settle/journal.ts";
import type { RecipientState, StoredMessage, WaitingCopy } from "../spool/spool.ts";
import type { AddressKeys } from "../settle/address-keys.ts";

/** Of one recipient. */
export interface Due extends Routing {
  readonly mailIsDue: boolean;
  /** A copy was still to be made, and no router asks for it any more. */
  readonly copyDropped: boolean;
}

/** What is known of the message. */
export interface Known {
  readonly journal: Journal;
  /** Copies whose time has not come. */
  readonly resting: readonly WaitingCopy[];
  /** Where a copy goes; undefined when its transport cannot say. */
  readonly placeOf: (copy: RoutedDelivery) => string | undefined;
}

/** The journal of a message, and the question whether the mail of an address has had its end. */
export async function doneOf(
  { recipients, journal: entries }: Pick<StoredMessage, "recipients" | "journal">,
  keys: AddressKeys,
): Promise<{
  readonly journal: Journal;
  /** Absent when nothing has. */
  readonly served?: (mailbox: Mailbox) => MaybePromise<boolean>;
}> {
  const done = recipients.filter(({ state, mailDone }) => mailDone === true || ENDED.has(state));
  // Asked about before anybody is routed, recipients stay in their order.
  await keys.learn(recipients, mailIn(entries));
  const journal = new Journal(entries, keys);
  if (done.length + entries.length === 0) return { journal };
  const ended = new Set(done.map(({ mailbox }) => keys.of(mailbox)));
  const isServed = (mailbox: Mailbox) => ended.has(keys.of(mailbox)) || journal.isServed(mailbox);
  return {
    journal,
    served(mailbox) {
      const learning = keys.learn([{ mailbox }]);
      return learning === undefined ? isServed(mailbox) : learning.then(() => isServed(mailbox));
    },
  };
}

const ENDED: ReadonlySet<unknown> = new Set<RecipientState>(["delivered", "failed"]);

export function dueOf(
  recipient: Attempted,
  routing: Routing,
  isOpen: (one: RoutedDelivery | RouteTrouble) => boolean,
): Due {
  const isMailDue = mailIsDue(recipient);
  const isDue = (one: RoutedDelivery | RouteTrouble) => (one.unseen || isMailDue) && isOpen(one);
  const due = {
    deliveries: routing.deliveries.filter(isDue),
    troubles: routing.troubles.filter(isDue),
    discarded: isMailDue ? routing.discarded : [],
    mailIsDue: isMailDue,
  };
  const isIdle = due.deliveries.length + due.troubles.length === 0;
  const waits = recipient.rest?.copies.length ?? 0;
  return { ...due, copyDropped: isIdle && waits === 0 && recipient.mailDone === true };
}

/** Has the delivery not had its end yet, and is it, if it is a copy that waits, its time? For any recipient. */
export function isOpenIn(
  { journal, resting, placeOf }: Known,
  one: RoutedDelivery | RouteTrouble,
): boolean {
  const transport = "transport" in one ? one.transport : "";
  const place = one.unseen && "transport" in one ? placeOf(one) : undefined;
  const named = { ...one, transport, ...given({ place }) };
  return !journal.has(named) && !(one.unseen && resting.some((copy) => isCopy(copy, named)));
}

// Decides what of a recipient is due at an attempt. That is the chain's answer, without deliveries that the journal
// has as done and without those that have a later time of their own (retry/clocks/due.ts). Only this file decides it.
//
// Invariants:
// - A delivery that was made is neither repeated nor bounced, whatever the chain answers now.
// - If an address has had its mail and has since become an alias, its mail is not sent on to the members.
// - If only copies of a recipient are left, the chain's answer about its mail is ignored.

import type { Draft } from "../base/given.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { RoutedDelivery, Routing, RouteTrouble } from "../route/route.ts";
import { isCopy } from "../retry/clocks/clocks.ts";
import { type Attempted, mailIsDue } from "../retry/clocks/due.ts";
import { Journal, mailIn, type Named } from "../settle/journal.ts";
import type { RecipientState, StoredMessage, WaitingCopy } from "../spool/spool.ts";
import type { AddressKeys } from "../mail/address-keys.ts";

/** The deliveries and troubles of one recipient that are due. */
export interface Due extends Routing {
  readonly mailIsDue: boolean;
  /** Whether a copy was still to be made, and no router asks for it any more. */
  readonly copyDropped: boolean;
}

/** The facts about a message that decide what is due. */
export interface Known {
  readonly journal: Journal;
  /** The copies that are not due yet. */
  readonly resting: readonly WaitingCopy[];
  /** The place of a copy; undefined if its transport cannot name it. */
  readonly placeOf: (copy: RoutedDelivery) => string | undefined;
}

/** The journal of a message, and a function that says whether the mail of an address has had its end. */
export async function doneOf(
  { recipients, journal: entries }: Pick<StoredMessage, "recipients" | "journal">,
  keys: AddressKeys,
): Promise<{
  readonly journal: Journal;
  /** Absent if no mail has had its end. */
  readonly served?: (mailbox: Mailbox) => MaybePromise<boolean>;
}> {
  const done = recipients.filter(({ state, mailDone }) => mailDone === true || ENDED.has(state));
  // Learnt before any recipient is routed, so that the recipients stay in their order.
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

/**
 * Whether the delivery has not had its end and is not a copy whose time is still to come. The answer is the same for
 * all recipients.
 */
export function isOpenIn(
  { journal, resting, placeOf }: Known,
  one: RoutedDelivery | RouteTrouble,
): boolean {
  const transport = "transport" in one ? one.transport : "";
  const place = one.unseen && "transport" in one ? placeOf(one) : undefined;
  const { mailbox, router, unseen } = one;
  const named: Draft<Named> = { mailbox, router, transport, unseen };
  if (place !== undefined) named.place = place;
  return !journal.has(named) && !(unseen && resting.some((copy) => isCopy(copy, named)));
}

// What is due of a recipient at an attempt: what the chain says of it, less what the journal has as done and what has a
// later time of its own. Decided here and nowhere else.
//
// Invariants: what was delivered is neither delivered nor bounced again, whatever the chain says of it now. While only
// copies are left of a recipient, nothing that the chain says of its mail counts.

import type { Outcome } from "../contract.ts";
import { type Delivery, deliveryOf } from "../deliver.ts";
import type { RoutedDelivery, Routing } from "../route.ts";
import { type Attempted, isCopy } from "../settle/clocks.ts";
import type { Journal } from "../settle/journal.ts";
import type { Finding } from "../settle.ts";
import type { WaitingCopy } from "../spool.ts";

export interface Due {
  readonly deliveries: readonly Delivery[];
  /** What the chain itself has decided. */
  readonly verdicts: readonly Finding[];
  readonly discarded: Routing["discarded"];
  /** A copy was still to be made, and no router asks for it any more. */
  readonly copyDropped: boolean;
}

export interface Known {
  readonly journal: Journal;
  /** Copies of the message whose time has not come. */
  readonly resting: readonly WaitingCopy[];
  /** Where a copy goes; undefined when its transport cannot say. */
  readonly placeOf: (copy: RoutedDelivery) => string | undefined;
}

export function dueOf(
  recipient: Attempted,
  { deliveries, troubles, discarded }: Routing,
  { journal, resting, placeOf }: Known,
): Due {
  const mailIsDue = recipient.mailDone !== true && recipient.rest?.mail === undefined;
  const isDue = (one: Delivery | Finding) =>
    !journal.has(one) && (one.unseen ? !resting.some((copy) => isCopy(copy, one)) : mailIsDue);
  const routed = deliveries.map((one) => {
    const delivery = deliveryOf(recipient, one);
    const place = one.unseen ? placeOf(one) : undefined;
    return place === undefined ? delivery : { ...delivery, place };
  });
  const due = {
    deliveries: routed.filter(isDue),
    verdicts: troubles.map((one) => verdictOf(recipient, one)).filter(isDue),
    discarded: mailIsDue ? discarded : [],
  };
  const isIdle = due.deliveries.length + due.verdicts.length === 0;
  const waits = recipient.rest?.copies.length ?? 0;
  return { ...due, copyDropped: isIdle && waits === 0 && recipient.mailDone === true };
}

function verdictOf(
  { position, mailbox: original }: Attempted,
  { kind, mailbox, router, unseen, status }: Routing["troubles"][number],
): Finding {
  // What defers in the chain is a lookup of some kind; only the guard against loops stands above the routers.
  const why = router === "" ? {} : ({ error: "lookup" } as const);
  const outcome: Outcome =
    kind === "failed" ? { kind, status } : { kind, status, scope: "recipient", ...why };
  return { position, mailbox, original, router, transport: "", unseen, outcome };
}

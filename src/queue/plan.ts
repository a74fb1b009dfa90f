// The plan of an attempt: which recipients and copies of a message are due, and how the transports try them. For each
// recipient it also turns the chain's answer into deliveries. Pure: an attempt carries it out.
//
// Invariant: a copy that has waited stays with the recipient that waited for it, and names all recipients that lead
// to it.

import { given } from "../base/given.ts";
import type { Outcome } from "../contract/contract.ts";
import { type Delivery, deliveryOf } from "../deliver/batches.ts";
import type { Manner } from "../deliver/deliver.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { Status } from "../mail/status.ts";
import { isCopy } from "../retry/clocks/clocks.ts";
import { type Attempted, attemptOf, dueCopies, restingCopies } from "../retry/clocks/due.ts";
import type { Finding } from "../retry/clocks/finding.ts";
import { isForced, type TimePolicy } from "../retry/retry-time.ts";
import type { RoutedDelivery, RouteTrouble } from "../route/route.ts";
import type { StoredMessage, StoredRecipient, WaitingCopy } from "../spool/spool.ts";
import type { Due } from "./due.ts";

export interface AttemptPlan {
  /** The recipients whose mail or copies are due. */
  readonly attempted: readonly Attempted[];
  readonly manner: Manner;
  /** The copies of all recipients that are not due yet. */
  readonly resting: readonly WaitingCopy[];
  /** Copies that have waited and are due, with the recipient that waited for each. */
  readonly waited: readonly { readonly copy: WaitingCopy; readonly owner: Attempted }[];
}

/** The plan for an attempt at `now`. */
export function planOf(
  {
    envelope,
    recipients,
    interrupted,
  }: Pick<StoredMessage, "envelope" | "recipients" | "interrupted">,
  now: number,
  policy: TimePolicy,
): AttemptPlan {
  const attempted = recipients.flatMap((one) => attemptOf(one, now) ?? []);
  return {
    attempted,
    manner: {
      fresh: attempted.every(
        ({ attempts, lastStatus, clocks, nextAttempt }) =>
          attempts === 0 &&
          lastStatus === undefined &&
          clocks === undefined &&
          nextAttempt <= envelope.receivedAt,
      ),
      force: attempted.some((recipient) => isForced(recipient, now, policy)),
      ...(interrupted === true || attempted.some(isUnsure) ? { interrupted: true as const } : {}),
    },
    resting: restingCopies(recipients, attempted),
    waited: attempted.flatMap((owner) => dueCopies(owner).map((copy) => ({ copy, owner }))),
  };
}

/** Whether an earlier attempt got no answer from a file system: its copy may exist all the same. */
function isUnsure({ lastStatus, clocks }: Pick<StoredRecipient, "lastStatus" | "clocks">): boolean {
  return (
    lastStatus?.unsure === true ||
    (clocks?.copies.some((copy) => copy.lastStatus.unsure === true) ?? false)
  );
}

/** The finding for a decision of the chain itself. */
export function findingOf(
  { position, mailbox: original }: Attempted,
  { kind, mailbox, router, unseen, homonym, status: reply }: RouteTrouble,
): Finding {
  // A router defers because of a lookup. Only the guard against loops has no router.
  const why = router === "" ? {} : ({ error: "lookup" } as const);
  const outcome: Outcome =
    kind === "failed"
      ? { kind, status: reply }
      : { kind, status: reply, scope: "recipient", ...why };
  const named = { mailbox, original, router, transport: "", unseen };
  return { position, ...named, ...given({ homonym }), outcome };
}

/** The finding of a recipient that this attempt puts off. */
export function putOffOf({ position, mailbox }: Attempted, why: Status, until: number): Finding {
  const nowhere = { router: "", transport: "", unseen: false };
  return {
    position,
    mailbox,
    original: mailbox,
    ...nowhere,
    outcome: {
      kind: "deferred",
      status: why,
      scope: "recipient",
      notBefore: until,
      untried: true,
    },
  };
}

/** The delivery for a recipient that the chain leads there. `place` is the place of a copy, if known. */
export function plannedDelivery(
  recipient: Attempted,
  routed: RoutedDelivery,
  place: string | undefined,
): Delivery {
  const delivery = deliveryOf(recipient, routed);
  return place === undefined ? delivery : { ...delivery, place };
}

/** The delivery under the recipient that has waited for it, and the positions of all others that lead to it. */
export function asWaited(
  delivery: Delivery,
  { waited }: Pick<AttemptPlan, "waited">,
): { readonly delivery: Delivery; readonly others: readonly number[] } {
  const known = delivery.unseen ? waited.find(({ copy }) => isCopy(copy, delivery)) : undefined;
  if (known === undefined) return { delivery, others: [] };
  const { position, mailbox: original } = known.owner;
  return {
    delivery: { ...delivery, position, original },
    others: [...(known.copy.others ?? []), delivery.position],
  };
}

/** Addresses that get nothing and have no finding, each with the reason for the log. */
export function discardedOf(
  { mailbox }: Pick<Attempted, "mailbox">,
  { discarded, copyDropped }: Pick<Due, "discarded" | "copyDropped">,
): readonly { readonly mailbox: Mailbox; readonly why: string }[] {
  const said = discarded.map(({ mailbox: to, router, why }) => ({
    mailbox: to,
    why: `${router}: ${why}`,
  }));
  const why = "a copy was still to be made, and no router asks for it any more";
  return copyDropped ? [...said, { mailbox, why }] : said;
}

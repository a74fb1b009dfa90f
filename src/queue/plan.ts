// The plan of an attempt: what of a message is due and in what manner it is tried; and for each recipient, as soon as the
// chain has said where it leads, what is handed to transports. Pure: an attempt carries it out.
//
// Invariant: a copy that has waited stays the one of the recipient that waited for it, and names all that lead to it.

import { given } from "../base/given.ts";
import type { Outcome } from "../contract/contract.ts";
import { type Delivery, deliveryOf } from "../deliver/batches.ts";
import type { Manner } from "../deliver/deliver.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { Status } from "../mail/status.ts";
import { isCopy } from "../retry/clocks.ts";
import { type Attempted, attemptOf, dueCopies, restingCopies } from "../retry/due.ts";
import type { Finding } from "../retry/finding.ts";
import { isForced, type TimePolicy } from "../retry/retry-time.ts";
import type { RoutedDelivery, RouteTrouble } from "../route/route.ts";
import type { StoredMessage, StoredRecipient, WaitingCopy } from "../spool/spool.ts";
import type { Due } from "./due.ts";

export interface AttemptPlan {
  /** The recipients of whom something is due. */
  readonly attempted: readonly Attempted[];
  readonly manner: Manner;
  /** Copies whose time has not come, of all recipients. */
  readonly resting: readonly WaitingCopy[];
  /** Copies that have waited and are due, with the recipient that waited for each. */
  readonly waited: readonly { readonly copy: WaitingCopy; readonly owner: Attempted }[];
}

/** What of a message is due at `now`. */
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

/** An earlier attempt ended without an answer of a file system: its copy may have been made all the same. */
function isUnsure({ lastStatus, clocks }: Pick<StoredRecipient, "lastStatus" | "clocks">): boolean {
  return (
    lastStatus?.unsure === true ||
    (clocks?.copies.some((copy) => copy.lastStatus.unsure === true) ?? false)
  );
}

/** The finding of what the chain itself has decided. */
export function findingOf(
  { position, mailbox: original }: Attempted,
  { kind, mailbox, router, unseen, homonym, status: reply }: RouteTrouble,
): Finding {
  // What defers in the chain is a lookup of some kind; only the guard against loops stands above the routers.
  const why = router === "" ? {} : ({ error: "lookup" } as const);
  const outcome: Outcome =
    kind === "failed"
      ? { kind, status: reply }
      : { kind, status: reply, scope: "recipient", ...why };
  const named = { mailbox, original, router, transport: "", unseen };
  return { position, ...named, ...given({ homonym }), outcome };
}

/** The finding of a recipient for whom this attempt has no room. */
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

/** What is delivered for a recipient that leads there. `place` is where a copy goes, if that is known. */
export function plannedDelivery(
  recipient: Attempted,
  routed: RoutedDelivery,
  place: string | undefined,
): Delivery {
  const delivery = deliveryOf(recipient, routed);
  return place === undefined ? delivery : { ...delivery, place };
}

/** A delivery as the recipient has it that has waited for it, and the positions of all others that lead to it. */
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

/** What is not delivered and has no finding either, with the reason for the log. */
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

// The batches of one message: deliveries that one transport makes together, to the same hosts.
//
// Invariant: every delivery is in one batch, or has its outcome because no transport could name its batch.

import type { Draft } from "../base/given.ts";
import { notifyOfBoth } from "../bounce/wanted.ts";
import type { Outcome, Recipient, Transport } from "../contract/contract.ts";
import type { Mailbox, RecipientRequest } from "../mail/envelope.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { RoutedDelivery } from "../route/route.ts";
import { canonicalAddressOf } from "../mail/address.ts";
import type { StoredRecipient } from "../spool/spool.ts";
import { LOCAL_ERROR } from "../mail/status.ts";

/** A routed delivery of a recipient of the message. */
export interface Delivery extends RoutedDelivery {
  readonly position: number;
  /** The place of a copy, if its transport can name it. */
  readonly place?: string;
  /** Further recipients that lead to the same delivery. */
  readonly alsoFor?: readonly Mailbox[];
  readonly notify?: string;
  readonly orcpt?: string;
  /** The transport on hold in whose place `transport` is asked. */
  readonly insteadOf?: string;
  /** The places of the recipient's copies; only with `insteadOf`. */
  readonly copies?: readonly string[];
}

export interface BatchServices {
  readonly transports: ReadonlyMap<string, Transport>;
  readonly log: Log;
}

export type OnOutcome = (delivery: Delivery, outcome: Outcome) => void;

export function deliveryOf(
  {
    position,
    mailbox: original,
    notify,
    orcpt,
  }: Pick<StoredRecipient, "position" | "notify" | "orcpt"> & Partial<RecipientRequest>,
  delivery: RoutedDelivery,
): Delivery {
  // The sender gets no report on a copy, and the next host sends none either.
  const wanted = delivery.unseen ? "NEVER" : notify;
  const made: Draft<Delivery> = { ...delivery, position };
  if (original !== undefined) made.original = original;
  if (wanted !== undefined) made.notify = wanted;
  if (orcpt !== undefined) made.orcpt = orcpt;
  return made;
}

export const LEFT_OUT: Outcome = { kind: "deferred", status: LOCAL_ERROR, scope: "recipient" };

/** The deliveries of one batch. */
export interface Group {
  readonly transport: Transport;
  readonly first: Delivery;
  /** The recipients of the batch. Two deliveries to one remote address are one recipient. */
  readonly members: Map<string, Member>;
}

interface Member {
  readonly recipient: Recipient;
  readonly deliveries: readonly Delivery[];
}

/** Whether the batch contains mail, and not only copies. */
export function isMail({ members }: Group): boolean {
  return members.values().some(({ deliveries }) => deliveries.some(({ unseen }) => !unseen));
}

export function groupByBatch(
  deliveries: readonly Delivery[],
  { transports, log }: BatchServices,
  onOutcome: OnOutcome,
): Group[] {
  const groups = new Map<string, Group>();
  for (const [index, delivery] of deliveries.entries()) {
    const transport = transports.get(delivery.transport);
    if (transport === undefined) {
      const error = `there is no transport "${delivery.transport}"`;
      log.event("relay.error", { where: `router ${delivery.router}`, error });
      onOutcome(delivery, LEFT_OUT);
      continue;
    }
    const recipient = recipientOf(delivery, String(index));
    const key = keyOf(delivery, recipient, transport, log);
    if (key === undefined) {
      onOutcome(delivery, LEFT_OUT);
      continue;
    }
    let group = groups.get(key);
    if (group === undefined) {
      group = { transport, first: delivery, members: new Map() };
      groups.set(key, group);
    }
    const isLocal = transport.locality === "local";
    const member = isLocal ? recipient.id : canonicalAddressOf(delivery.mailbox);
    const known = group.members.get(member);
    if (known === undefined) group.members.set(member, { recipient, deliveries: [delivery] });
    else group.members.set(member, joined(known, recipient, delivery));
  }
  return [...groups.values()];
}

/** One recipient in place of two: it asks for each report that one of them asks for. */
function joined({ recipient: first, deliveries }: Member, other: Recipient, delivery: Delivery) {
  const notify = notifyOfBoth(first.notify, other.notify);
  const { notify: _, ...rest } = first;
  const recipient = notify === undefined ? rest : { ...rest, notify };
  return { recipient, deliveries: [...deliveries, delivery] };
}

/** The key of the batch; undefined if the transport throws. */
function keyOf(
  { transport: name, hosts }: Delivery,
  recipient: Recipient,
  transport: Transport,
  log: Log,
): string | undefined {
  try {
    const nextHops = hosts === undefined ? "" : JSON.stringify(hosts);
    return `${name}\n${nextHops}\n${transport.batchKey(recipient)}`;
  } catch (error) {
    log.event("relay.error", { where: `transport ${name}`, error: describeError(error) });
    return undefined;
  }
}

export function recipientOf(delivery: RoutedDelivery & Partial<Delivery>, id: string): Recipient {
  const { mailbox, original, alsoFor, account, notify, orcpt, copies } = delivery;
  const recipient: Draft<Recipient> = { id, mailbox, original, account };
  if (alsoFor !== undefined) recipient.alsoFor = alsoFor;
  if (notify !== undefined) recipient.notify = notify;
  if (orcpt !== undefined) recipient.orcpt = orcpt;
  if (copies !== undefined) recipient.copies = copies;
  return recipient;
}

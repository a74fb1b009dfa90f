// Groups the routed deliveries of one message into batches and hands each to its transport.
//
// Invariants: local copies come first, and none of them can hold up the mail: remote batches start when the
// copies are done, well or badly. A transport that throws, runs into the deadline or leaves a recipient out has
// deferred it. Every delivery gets exactly one outcome.

import type { Batch, Outcome, Recipient, Transport } from "./contract.ts";
import type { Body, Envelope } from "./envelope.ts";
import { describeError, type Log } from "./log.ts";
import type { RoutedDelivery } from "./route.ts";
import { LOCAL_ERROR } from "./status.ts";

/** A routed delivery with its place in the message. */
export interface Delivery extends RoutedDelivery {
  readonly position: number;
  readonly notify?: string;
  readonly orcpt?: string;
}

export interface DeliverServices {
  readonly transports: ReadonlyMap<string, Transport>;
  readonly log: Log;
}

export type OnOutcome = (delivery: Delivery, outcome: Outcome) => void;

const LEFT_OUT: Outcome = { kind: "deferred", status: LOCAL_ERROR, scope: "recipient" };

/** The deliveries of one batch. */
export interface Group {
  readonly transport: Transport;
  readonly first: Delivery;
  /** Two deliveries to one remote address are one recipient. */
  readonly members: Map<string, { recipient: Recipient; deliveries: Delivery[] }>;
}

/** Calls `onOutcome` once for each delivery, as soon as it is known. Never throws. */
export async function deliver(
  message: { readonly envelope: Envelope; readonly body: Body },
  deliveries: readonly Delivery[],
  services: DeliverServices,
  signal: AbortSignal,
  onOutcome: OnOutcome,
): Promise<void> {
  const groups = groupByBatch(deliveries, services, onOutcome);
  const run = (locality: Transport["locality"]) => {
    const batches = groups.filter(({ transport }) => transport.locality === locality);
    return Promise.all(
      batches.map((group) => deliverGroup(message, group, services.log, signal, onOutcome)),
    );
  };
  await run("local");
  await run("remote");
}

export function groupByBatch(
  deliveries: readonly Delivery[],
  { transports, log }: DeliverServices,
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
    const hosts = delivery.hosts === undefined ? "" : JSON.stringify(delivery.hosts);
    const key = `${delivery.transport}\n${hosts}\n${transport.batchKey(recipient)}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { transport, first: delivery, members: new Map() };
      groups.set(key, group);
    }
    const member = transport.locality === "local" ? recipient.id : delivery.mailbox.address;
    const known = group.members.get(member);
    if (known === undefined) group.members.set(member, { recipient, deliveries: [delivery] });
    else known.deliveries.push(delivery);
  }
  return [...groups.values()];
}

function recipientOf(delivery: Delivery, id: string): Recipient {
  const { mailbox, original, account, notify, orcpt } = delivery;
  return {
    id,
    mailbox,
    original,
    account,
    ...(notify === undefined ? {} : { notify }),
    ...(orcpt === undefined ? {} : { orcpt }),
  };
}

async function deliverGroup(
  { envelope, body }: { readonly envelope: Envelope; readonly body: Body },
  { transport, first, members }: Group,
  log: Log,
  signal: AbortSignal,
  onOutcome: OnOutcome,
): Promise<void> {
  const recipients = Array.from(members.values(), ({ recipient }) => recipient);
  const { hosts } = first;
  const batch: Batch = { envelope, body, recipients, ...(hosts === undefined ? {} : { hosts }) };
  let outcomes: ReadonlyMap<string, Outcome> = new Map();
  try {
    outcomes = await transport.deliver(batch, signal);
  } catch (error) {
    const where = `transport ${first.transport}`;
    log.event("relay.error", { id: envelope.id, where, error: describeError(error) });
  }
  for (const { recipient, deliveries } of members.values()) {
    const outcome = outcomes.get(recipient.id) ?? LEFT_OUT;
    for (const delivery of deliveries) onOutcome(delivery, outcome);
  }
}

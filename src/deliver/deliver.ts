// Groups the routed deliveries of one message into batches and hands each to its transport.
//
// Invariants: local copies come first, and none of them can hold up the mail: remote batches start when the
// copies are done, well or badly, or have had ten seconds; from then on the two go on beside each other. A transport that throws, runs into the deadline, leaves a
// recipient out or says what is no outcome has deferred it. Every delivery gets exactly one outcome.

import { given } from "../base/given.ts";
import { notifyOfBoth } from "../bounce/wanted.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Batch, Outcome, Recipient, Transport } from "../contract/contract.ts";
import type { Body, Envelope, Mailbox, RecipientId, RecipientRequest } from "../mail/envelope.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { RoutedDelivery } from "../route/route.ts";
import { canonicalAddressOf } from "../mail/address.ts";
import type { LoopShare } from "../base/loop-share.ts";
import type { StoredRecipient } from "../spool/spool.ts";
import { LOCAL_ERROR } from "../mail/status.ts";

/** A routed delivery of a recipient of the message. */
export interface Delivery extends RoutedDelivery {
  readonly position: number;
  /** Of a copy: where it goes, if its transport can say. */
  readonly place?: string;
  /** Further recipients that lead there. */
  readonly alsoFor?: readonly Mailbox[];
  readonly notify?: string;
  readonly orcpt?: string;
}

interface BatchServices {
  readonly transports: ReadonlyMap<string, Transport>;
  readonly log: Log;
}

/** A message that goes to its next host while it comes in. */
export interface Passing {
  /**
   * Ends the message for the next host, and gives its outcomes. Undefined when nothing was begun for just these
   * recipients: they are to be delivered in the ordinary way.
   */
  finish(group: Group, signal: AbortSignal): Promise<ReadonlyMap<RecipientId, Outcome>> | undefined;
}

export interface DeliverServices extends BatchServices {
  readonly clock: Clock;
  /** The attempt's deadline. */
  readonly signal: AbortSignal;
  /** Of the event loop: a message may have a thousand batches. */
  readonly share?: LoopShare;
  /** The message is being passed on already. */
  readonly passage?: Passing | undefined;
}

/** As in {@link Batch}. */
export type Manner = Pick<Batch, "fresh" | "force" | "interrupted">;

export function deliveryOf(
  {
    position,
    mailbox: original,
    notify,
    orcpt,
  }: Pick<StoredRecipient, "position" | "notify" | "orcpt"> & Partial<RecipientRequest>,
  delivery: RoutedDelivery,
): Delivery {
  // A copy is nobody's business, the next host's neither.
  const wanted = delivery.unseen ? "NEVER" : notify;
  return {
    ...delivery,
    position,
    ...given({ original, notify: wanted, orcpt }),
  };
}

export type OnOutcome = (delivery: Delivery, outcome: Outcome) => void;

/** How long the mail waits for its copies, in ms. */
const COPIES_FIRST = 10_000;
/** How long copies may take in all before they are cut off, in ms. */
const COPIES_DEADLINE = 60_000;
/** A transport that has been told to stop may put its affairs in order for so long, in ms. */
const LAST_WORDS = 5000;

const LEFT_OUT: Outcome = { kind: "deferred", status: LOCAL_ERROR, scope: "recipient" };

/** The deliveries of one batch. */
export interface Group {
  readonly transport: Transport;
  readonly first: Delivery;
  /** Two deliveries to one remote address are one recipient. */
  readonly members: Map<string, Member>;
}

interface Member {
  readonly recipient: Recipient;
  readonly deliveries: readonly Delivery[];
}

interface Message {
  readonly envelope: Envelope;
  readonly body: Body;
}

/** Calls `onOutcome` once for each delivery, as soon as it is known. Never throws. */
export async function deliver(
  message: Message,
  deliveries: readonly Delivery[],
  manner: Manner,
  services: DeliverServices,
  onOutcome: OnOutcome,
): Promise<void> {
  const groups = groupByBatch(deliveries, services, onOutcome);
  const local = groups.filter(({ transport }) => transport.locality === "local");
  const others = groups.filter(({ transport }) => transport.locality === "remote");
  const run = async (batches: readonly Group[], means: DeliverServices) => {
    const begun: Promise<void>[] = [];
    for (const group of batches) {
      const turn = services.share?.turn(NAME_COST * namesIn(group));
      if (turn !== undefined) await turn;
      begun.push(deliverGroup({ ...message, ...manner }, group, means, onOutcome));
    }
    await Promise.all(begun);
  };
  if (local.length === 0) {
    await run(others, services);
    return;
  }
  using deadline = new Deadline(services);
  const hurried = local.filter((group) => !hasAllItsTime(group));
  const copies = Promise.all([
    run(local.filter(hasAllItsTime), services),
    run(hurried, { ...services, signal: deadline.signal }),
  ]);
  if (others.length > 0) {
    await Promise.race([copies, deadline.mayGo]);
    await run(others, services);
  }
  await copies;
}

/** What it costs to write an envelope recipient down, in the share of a turn. */
const NAME_COST = 100;

function namesIn({ members }: Group): number {
  let names = 1;
  for (const { recipient } of members.values()) names += 1 + (recipient.alsoFor?.length ?? 0);
  return names;
}

/** What a server of this machine may have already is not cut off, for it would come again; nor is mail. */
function hasAllItsTime(group: Group): boolean {
  return group.transport.ownDeadlines === true || isMail(group);
}

/** Something in it is more than a copy. */
export function isMail({ members }: Group): boolean {
  return members.values().some(({ deliveries }) => deliveries.some(({ unseen }) => !unseen));
}

/** Ends with `signal`, and by itself when the copies have taken too long. */
class Deadline {
  /** Resolves when the mail has waited for its copies, or need not. */
  readonly mayGo: Promise<void>;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #go: () => void;
  readonly #timers: readonly Timer[];

  constructor({ clock, signal: outer }: DeliverServices) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.mayGo = promise;
    this.#go = resolve;
    this.#outer = outer;
    this.#timers = [
      clock.after(COPIES_FIRST, resolve),
      clock.after(COPIES_DEADLINE, () =>
        this.#controller.abort(new Error("the copy took too long")),
      ),
    ];
    if (outer.aborted) this.#onOuter();
    else outer.addEventListener("abort", this.#onOuter);
  }

  readonly #onOuter = (): void => {
    this.#go();
    this.#controller.abort(this.#outer.reason);
  };

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) timer.cancel();
    this.#outer.removeEventListener("abort", this.#onOuter);
  }
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

/** One recipient in the place of two: it asks for whatever one of them asks for. */
function joined({ recipient: first, deliveries }: Member, other: Recipient, delivery: Delivery) {
  const notify = notifyOfBoth(first.notify, other.notify);
  const { notify: _, ...rest } = first;
  const recipient = notify === undefined ? rest : { ...rest, notify };
  return { recipient, deliveries: [...deliveries, delivery] };
}

/** Undefined when the transport has thrown. */
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
  const { mailbox, original, alsoFor, account, notify, orcpt } = delivery;
  return {
    id,
    mailbox,
    original,
    ...given({ alsoFor }),
    account,
    ...given({ notify, orcpt }),
  };
}

async function deliverGroup(
  { envelope, body, fresh, force, interrupted }: Message & Manner,
  group: Group,
  { log, clock, signal, passage }: DeliverServices,
  onOutcome: OnOutcome,
): Promise<void> {
  const { transport, first, members } = group;
  const recipients = Array.from(members.values(), ({ recipient }) => recipient);
  const { hosts } = first;
  const told = {
    ...given({ hosts, interrupted }),
  };
  const batch: Batch = { envelope, body, recipients, fresh, force, ...told };
  const failed = (error: unknown) => {
    const where = `transport ${first.transport}`;
    log.event("relay.error", { id: envelope.id, where, error: describeError(error) });
  };
  const known = new Map<string, Outcome>();
  const learn = (outcomes: ReadonlyMap<string, Outcome>) => {
    for (const { id } of recipients) {
      const outcome = outcomes.get(id);
      if (outcome !== undefined && isPlain(outcome)) known.set(id, outcome);
      else if (outcome !== undefined) failed(`no outcome: ${JSON.stringify(outcome)}`);
    }
  };
  try {
    const passed = passage?.finish(group, signal);
    learn(await heeding(signal, clock, passed ?? transport.deliver(batch, signal)));
    const again =
      passed === undefined ? [] : recipients.filter(({ id }) => isStillToGo(known.get(id)));
    if (again.length > 0 && !signal.aborted) {
      learn(
        await heeding(signal, clock, transport.deliver({ ...batch, recipients: again }, signal)),
      );
    }
  } catch (error) {
    failed(error);
  }
  for (const { recipient, deliveries } of members.values()) {
    const outcome = known.get(recipient.id) ?? LEFT_OUT;
    for (const delivery of deliveries) onOutcome(delivery, outcome);
  }
}

/** It was not passed on while it came in: now it is here. */
function isStillToGo(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "deferred" && outcome.notPassed === true;
}

/** What `work` gives; throws when it goes on although the signal has told it to stop. */
function heeding<T>(signal: AbortSignal, clock: Clock, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined;
    const onAbort = () => {
      timer = clock.after(LAST_WORDS, () =>
        reject(new Error("went on after its deadline", { cause: signal.reason })),
      );
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
    work.then(resolve, reject).finally(() => {
      timer?.cancel();
      signal.removeEventListener("abort", onAbort);
    });
  });
}

const FIRST_DIGIT = { delivered: 2, deferred: 4, failed: 5 } as const;

/** A driver that no compiler has checked may say anything: only what is plain may end a delivery. */
function isPlain(outcome: Outcome): boolean {
  const { kind, status } = outcome;
  if (Math.trunc(status.code / 100) !== FIRST_DIGIT[kind]) return false;
  return kind !== "deferred" || Number.isFinite(outcome.notBefore ?? 0);
}

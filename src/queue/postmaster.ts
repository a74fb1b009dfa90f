// The postmaster's orders to the queue. The running relay carries them out; if no relay runs, relayctl does.
//
// Invariant: an order leaves a message under attempt alone: its attempt is settled first.

import { given } from "../base/given.ts";
import type { Clock } from "../base/clock.ts";
import type { MessageId } from "../mail/envelope.ts";
import type { HostHints } from "../retry/hosts/hosts.ts";
import type { Holds } from "./holds.ts";
import { describeError, type Log } from "../observe/log.ts";
import { giveUp } from "./give-up.ts";
import type { SettleServices } from "../settle/settle.ts";
import { store } from "./store.ts";
import type { Action, AddressFilter, Change, Spool, StoredMessage } from "../spool/spool.ts";

export interface ChangeOrder {
  readonly action: Action | "bounce";
  readonly ids: readonly MessageId[];
  /** Only these recipients; "remove" always removes the whole message. */
  readonly only?: AddressFilter;
}

interface HoldOrder {
  readonly action: "hold" | "release";
  /** The domain in canonical form. */
  readonly domain: string;
}

export type Order = ChangeOrder | HoldOrder;

export interface Carried {
  readonly changes: readonly Change[];
  /** Number of recipients that were on hold and are due now. */
  readonly released: number;
  /** A failed host of the domain, and its next try in ms since the epoch; absent if no host of it has failed. */
  readonly hostWait?: HostWait;
}

interface HostWait {
  readonly host: string;
  readonly until: number;
}

export interface PostmasterServices {
  readonly spool: Pick<Spool, "change" | "claim" | "settle">;
  readonly holds: Pick<Holds, "hold" | "release">;
  /** Used only for a report to the sender. */
  readonly settle: SettleServices;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when mail may have become due. */
  readonly wake: () => void;
  /** Absent if no relay runs. */
  readonly hints?: Pick<HostHints, "waitOf">;
}

/** Messages in one transaction, so that a commit of mail that arrives meanwhile waits no longer than for that. */
const CHANGED_AT_ONCE = 25;

export async function carryOut(order: Order, services: PostmasterServices): Promise<Carried> {
  if ("ids" in order) return { changes: await changeMessages(order, services), released: 0 };
  const { holds, log, wake } = services;
  const { action, domain } = order;
  if (action === "hold") {
    await holds.hold(domain);
    log.event("domain.held", { domain });
    return { changes: [], released: 0 };
  }
  const released = await holds.release(domain);
  log.event("domain.released", { domain, recipients: released });
  wake();
  const hostWait = services.hints?.waitOf(domain);
  return { changes: [], released, ...given({ hostWait }) };
}

async function changeMessages(
  { action, ids, only }: ChangeOrder,
  services: PostmasterServices,
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (let from = 0; from < ids.length; from += CHANGED_AT_ONCE) {
    const some = ids.slice(from, from + CHANGED_AT_ONCE);
    changes.push(
      ...(action === "bounce"
        ? await bounce(some, only, services)
        : await changeSome(action, some, only, services)),
    );
  }
  services.wake();
  return changes;
}

async function changeSome(
  action: Action,
  ids: readonly MessageId[],
  only: AddressFilter | undefined,
  { spool, log }: PostmasterServices,
): Promise<readonly Change[]> {
  const changes = await spool.change(action, ids, only);
  const done = changes
    .filter(({ result }) => result === "done" || result === "held")
    .map(({ id }) => id);
  if (done.length > 0) log.event("queue.changed", { action, ids: done });
  return changes;
}

async function bounce(
  ids: readonly MessageId[],
  only: AddressFilter | undefined,
  services: PostmasterServices,
): Promise<readonly Change[]> {
  const { spool, settle, log } = services;
  const { changes, messages } = await spool.claim(ids);
  const claimed = messages.map(({ envelope }) => envelope.id);
  // The failures and bounces that follow are due to this order, so it comes before them in the history of each
  // message.
  if (claimed.length > 0) log.event("queue.changed", { action: "bounce", ids: claimed });
  const bounced = new Set<MessageId>();
  await Promise.all(
    messages.map(async (message) => {
      if (await bounceOne(message, only, settle, services)) bounced.add(message.envelope.id);
    }),
  );
  // Damaged messages were set aside, so they are not among the messages.
  return changes.map(({ id, result }) =>
    result === "done" && !bounced.has(id) ? { id, result: "failed" } : { id, result },
  );
}

/** Asks the spool until it takes the settlement: the relay stops only after that. */
const goOn = () => false;

/** Resolves to false if no report could be made; then the message is unchanged. */
async function bounceOne(
  message: StoredMessage,
  only: AddressFilter | undefined,
  settle: SettleServices,
  { spool, clock, log }: PostmasterServices,
): Promise<boolean> {
  const { id } = message.envelope;
  try {
    await store(await giveUp(message, only, clock.now(), settle), { spool, clock, log }, goOn);
    return true;
  } catch (error) {
    log.event("relay.error", { id, where: "bounce", error: describeError(error) });
    const { warnings, recipients } = message;
    const state = recipients.some((one) => one.state === "pending") ? "queued" : "frozen";
    const asItWas = { id, state, recipients: [], journal: [], warnings, reports: [] } as const;
    await store({ ...asItWas, at: clock.now() }, { spool, clock, log }, goOn);
    return false;
  }
}

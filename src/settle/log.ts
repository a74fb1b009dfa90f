// What settling says in the log: one event a delivery, one for what becomes of the message.

import { given } from "../base/given.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { Log } from "../observe/log.ts";
import {
  FROZEN_WHYS,
  type FrozenWhy,
  type RecipientChange,
  type Settlement,
  type StoredMessage,
} from "../spool/spool.ts";
import { pathText } from "../mail/address.ts";
import { placeText } from "../mail/place.ts";
import { saidLine } from "../mail/status.ts";
import type { End } from "../retry/clocks.ts";

/** Of one address that the delivery is for. */
export function logDelivery(
  id: string,
  { finding, ending, again }: Pick<End, "finding" | "ending" | "again">,
  { mailbox, original }: { readonly mailbox: Mailbox; readonly original: Mailbox },
  log: Log,
): void {
  const { router, transport, unseen, outcome } = finding;
  // Waiting for its turn is no event: a queue of thousands would log nothing else.
  if ("untried" in outcome) return;
  const fields = {
    id,
    recipient: mailbox.address,
    ...(original.address === mailbox.address ? {} : { original: original.address }),
    router,
    transport,
    ...(unseen ? ({ unseen: true } as const) : {}),
    ...given({ host: outcome.place && placeText(outcome.place) }),
    status: saidLine(outcome.status),
  };
  if (ending === "delivered") {
    const tls = outcome.kind === "deferred" ? undefined : outcome.tls;
    log.event("delivery.done", tls === undefined ? fields : { ...fields, tls });
  } else if (ending === "failed") log.event("delivery.failed", fields);
  else if (ending === "frozen") log.event("delivery.frozen", fields);
  else {
    const next = new Date(again ?? 0).toISOString();
    log.event("delivery.deferred", { ...fields, next_attempt: next });
  }
}

/** What has failed is not bounced yet, because nobody can say whose the sender is. */
export function logPutOff({ envelope }: StoredMessage, until: number, log: Log): void {
  const { id, sender } = envelope;
  const next = new Date(until).toISOString();
  log.event("bounce.put_off", { id, sender: pathText(sender), next_attempt: next });
}

const FROZEN: Readonly<Record<FrozenWhy, string>> = {
  ordered: "the postmaster has frozen it",
  copy: "a copy cannot be made",
  delivery: "a delivery needs the postmaster",
  "nobody-to-tell": "it has failed, and nobody may be told",
};

/** `changes` are those of its recipients. */
export function logMessage(
  { envelope, recipients }: StoredMessage,
  {
    state,
    changes,
  }: Pick<Settlement, "state"> & {
    readonly changes: ReadonlyMap<number, Pick<RecipientChange, "frozenWhy">>;
  },
  now: number,
  log: Log,
): void {
  const { id, receivedAt } = envelope;
  if (state === "frozen") {
    const whys = recipients.map((one) => (changes.get(one.position) ?? one).frozenWhy);
    const why = FROZEN[FROZEN_WHYS.find((known) => whys.includes(known)) ?? "delivery"];
    log.event("message.frozen", { id, why });
  }
  if (state === "completed") {
    log.event("message.completed", { id, seconds: Math.round((now - receivedAt) / 100) / 10 });
  }
}

// The log of settling: one event for each delivery, and one for the end of the message.

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
import type { End } from "../retry/clocks/clocks.ts";

/** Logs the result of a delivery for one of its addresses. */
export function logDelivery(
  id: string,
  { finding, ending, again }: Pick<End, "finding" | "ending" | "again">,
  { mailbox, original }: { readonly mailbox: Mailbox; readonly original: Mailbox },
  log: Log,
): void {
  const { router, transport, unseen, outcome } = finding;
  // An untried delivery is not logged: a queue of thousands would log nothing else.
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

/** Logs that a bounce waits until `until`, because it is unknown whether the sender is vouched for. */
export function logPutOff({ envelope }: StoredMessage, until: number, log: Log): void {
  const { id, sender } = envelope;
  const next = new Date(until).toISOString();
  log.event("bounce.put_off", { id, sender: pathText(sender), next_attempt: next });
}

const FROZEN: Readonly<Record<FrozenWhy, string>> = {
  ordered: "the postmaster has frozen it",
  copy: "a copy cannot be made",
  delivery: "a delivery needs the postmaster",
  "nobody-to-tell": "it has failed, and no sender may be told",
};

/** Logs that the message is frozen or completed. `changes` are those of its recipients. */
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

// Mail in memory that waits, or has waited, for the release of a transport on hold.

import { given } from "../../base/given.ts";
import type { MessageId } from "../../mail/envelope.ts";
import type { ReleasedWithheld, StoredRecipient, Withheld, WithheldKey } from "../spool.ts";
import { firstDue, idOf, isPending, type Tables } from "./tables.ts";

/** The recipients that wait, oldest first. */
export function withheldIn(tables: Tables): Withheld[] {
  return recipientsIn(tables, waits).map(named);
}

interface InMessage {
  readonly id: MessageId;
  readonly recipient: StoredRecipient;
}

function recipientsIn(tables: Tables, fits: (one: StoredRecipient) => boolean): InMessage[] {
  return tables
    .inOrder()
    .flatMap(({ message: { envelope, recipients } }) =>
      recipients.filter(fits).map((recipient) => ({ id: envelope.id, recipient })),
    );
}

function named({ id, recipient: { position, mailbox } }: InMessage): Withheld {
  return { id, position, address: mailbox.address };
}

function waits(recipient: StoredRecipient): boolean {
  return isPending(recipient) && recipient.heldTransport !== undefined;
}

export function isLater(one: WithheldKey, other: WithheldKey): boolean {
  return one.id === other.id ? one.position > other.position : one.id > other.id;
}

/** Makes those of these recipients that wait due at `now`. Their retry rules begin at their next failure. */
export function releaseWithheld(
  tables: Tables,
  which: readonly WithheldKey[],
  { forced, now }: { readonly forced: true | undefined; readonly now: number },
): void {
  for (const { id, position } of which) {
    const row = tables.rows.get(id);
    if (row === undefined) continue;
    const recipients = row.message.recipients.map((one) =>
      one.position === position && waits(one)
        ? { ...released(one, now), ...given({ forced }) }
        : one,
    );
    const isDue = row.message.state === "queued";
    const nextAttempt = isDue ? firstDue(recipients, row.nextAttempt) : row.nextAttempt;
    tables.set({ ...row, message: { ...row.message, recipients }, nextAttempt });
  }
}

function released(recipient: StoredRecipient, now: number): StoredRecipient {
  const { heldTransport: _, firstFailure: __, waitsBecause: ___, ...held } = recipient;
  const { lastStatus: ____, ...rest } = held;
  return { ...rest, attempts: 0, nextAttempt: Math.min(rest.nextAttempt, now) };
}

/** Those that are released and not delivered, with at most `most` that are untried. */
export function releasedIn(tables: Tables, most: number): ReleasedWithheld {
  const open = recipientsIn(tables, isReleased);
  const untried = open.filter(({ recipient }) => recipient.attempts === 0);
  return {
    untried: untried.slice(0, most).map(named),
    atHosts: open.filter(({ recipient }) => recipient.waitsFor?.host !== undefined).length,
  };
}

function isReleased(recipient: StoredRecipient): boolean {
  const { withheld, mailDone, heldTransport, heldDomain } = recipient;
  const isOpen = isPending(recipient) && withheld === true && mailDone !== true;
  return isOpen && heldTransport === undefined && heldDomain === undefined;
}

/** As in src/spool/spool.ts. */
export function hasten(
  tables: Tables,
  most: number,
  after: MessageId | undefined,
  now: number,
): MessageId | undefined {
  const queued = tables
    .inOrder()
    .filter((row) => row.message.state === "queued" && (after === undefined || idOf(row) > after))
    .slice(0, most);
  for (const row of queued) {
    const recipients = row.message.recipients.map((one) =>
      isPending(one) && one.heldDomain === undefined && one.heldTransport === undefined
        ? { ...one, nextAttempt: Math.min(one.nextAttempt, now) }
        : one,
    );
    const nextAttempt = firstDue(recipients, row.nextAttempt);
    tables.set({ ...row, message: { ...row.message, recipients }, nextAttempt });
  }
  const last = queued.at(-1);
  return queued.length < most || last === undefined ? undefined : idOf(last);
}

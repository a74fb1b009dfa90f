// Carries out the postmaster's order to make no further attempt: undelivered mail fails, and its sender is told as
// after an attempt. Copies that are still to be made are given up too.
//
// Invariants:
// - If the mail of an address has had its end and only copies are left, the address does not fail.
// - The sender is told by the postmaster's order, also of mail that has waited for a transport on hold.

import { settle, type SettleServices } from "../settle/settle.ts";
import type { AddressFilter, Settlement, StoredMessage, StoredRecipient } from "../spool/spool.ts";
import { status } from "../mail/status.ts";
import type { Finding } from "../retry/clocks/finding.ts";

const GIVEN_UP = status(554, "0.0", "The postmaster has given up the delivery of this message");

/**
 * Gives up all recipients, or those that `only` names. If the sender is not vouched for, they go on the postmaster's
 * list. If the sender is <>, they are discarded.
 */
export function giveUp(
  message: StoredMessage,
  only: AddressFilter | undefined,
  now: number,
  services: SettleServices,
): Promise<Settlement> {
  const { envelope, recipients, journal } = message;
  const given = recipients.filter(
    ({ state, mailbox }) => (state === "pending" || state === "frozen") && isMeant(mailbox, only),
  );
  const failing = given.filter(({ mailDone }) => mailDone !== true);
  if (envelope.sender === null) {
    for (const { mailbox } of failing) {
      const why = "given up by the postmaster, and no sender to tell";
      services.log.event("recipient.discarded", {
        id: envelope.id,
        recipient: mailbox.address,
        why,
      });
    }
  }
  const positions = new Set(given.map(({ position }) => position));
  const thawed = journal.filter(
    ({ position, outcome }) => outcome !== "frozen" || !positions.has(position),
  );
  const findings = envelope.sender === null ? [] : failing.map(findingOf);
  return settle({ ...message, journal: thawed }, given.map(notWithheld), findings, now, {
    ...services,
    decideNow: true,
  });
}

function notWithheld(recipient: StoredRecipient): StoredRecipient {
  const { withheld: _, ...rest } = recipient;
  return rest;
}

function isMeant(
  { domain, localPart }: StoredRecipient["mailbox"],
  only: AddressFilter | undefined,
): boolean {
  if (only === undefined) return true;
  const { localPart: wanted } = only;
  if (domain !== only.domain) return false;
  return wanted === undefined || localPart.toLowerCase() === wanted.toLowerCase();
}

function findingOf({ position, mailbox }: StoredRecipient): Finding {
  const outcome = { kind: "failed", status: GIVEN_UP } as const;
  return {
    position,
    mailbox,
    original: mailbox,
    router: "",
    transport: "",
    unseen: false,
    outcome,
  };
}

// A message that has just entered the spool.

import type { Draft } from "../../base/given.ts";
import type { Body } from "../../mail/envelope.ts";
import type { NewMessage, StoredMessage } from "../spool.ts";

/** Returns the message as the spool would return it if it were read. `body` includes the fields of the head. */
export function newlyStored(
  { envelope, recipients, vouched }: NewMessage,
  state: "active" | "queued",
  body: Body,
): StoredMessage {
  const fresh = { state: "pending", attempts: 0, nextAttempt: envelope.receivedAt } as const;
  const message: Draft<StoredMessage> = {
    envelope: { ...envelope, size: body.size },
    state,
    recipients: recipients.map((request, position) => ({ ...request, position, ...fresh })),
    journal: [],
    warnings: 0,
    body,
  };
  if (vouched !== undefined) message.vouched = vouched;
  return message;
}

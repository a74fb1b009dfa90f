// Events about the outcomes of deliveries, recipients and messages.

import {
  event,
  eventTable,
  type EventsOf,
  mark,
  maybe,
  number,
  text,
  texts,
  time,
  word,
} from "../observe/event.ts";

const id = text("The message.");
const sender = text("The reverse-path; `<>` is the null sender.");

const delivery = {
  id,
  recipient: text("The address that was delivered to."),
  original: maybe(text("The address of RCPT; absent if it is the same.")),
  router: text("The router that took the address."),
  transport: text("The transport that was called."),
  unseen: mark("It is an unseen copy; absent if it is the mail."),
  status: text("The reply of the host, or what the relay found."),
};
const host = maybe(text("The host that answered; absent if none did."));

export const settleEvents = eventTable("What becomes of mail", {
  "delivery.done": event("An address has the message, or a Maildir its copy.", {
    ...delivery,
    host,
    tls: maybe(
      text("The protocol, the cipher and what the certificate was worth; absent without TLS."),
    ),
  }),
  "delivery.deferred": event("A delivery did not succeed, and is tried again.", {
    ...delivery,
    host,
    next_attempt: time("The time of the next attempt."),
  }),
  "delivery.failed": event("A delivery has failed for good.", { ...delivery, host }),
  "delivery.frozen": event("A delivery waits for the postmaster.", delivery),
  "recipient.discarded": event("A recipient gets nothing, and the sender does not hear of it.", {
    id,
    recipient: text("The address."),
    why: text("The reason."),
  }),
  "message.completed": event("Nothing of the message is left to do; it has left the spool.", {
    id,
    seconds: number("The time since the message arrived, in seconds."),
  }),
  "message.bounced": event("The sender gets a bounce.", {
    id,
    report: text("The bounce, as a message in the spool."),
    sender,
    recipients: texts("The recipients that it is about."),
  }),
  "message.reported": event(
    "The sender gets a warning of a delay, or a report that was asked for.",
    {
      id,
      report: text("The report, as a message in the spool."),
      sender,
      recipients: texts("The recipients that it is about."),
      kind: word(["delayed", "relayed", "delivered"], "What it reports."),
    },
  ),
  "message.frozen": event("The message waits for the postmaster.", {
    id,
    why: text("The reason."),
  }),
  "message.listed": event(
    "The mail has failed and no sender is told: it goes on the postmaster's list.",
    {
      id,
      sender,
      recipients: texts("The recipients that failed."),
      why: word(
        ["unvouched", "alias-member", "withheld"],
        "The sender is not vouched for; or the recipient is a member of an alias; or the mail has waited for a transport on hold.",
      ),
    },
  ),
  "message.expired": event(
    "The message was frozen for `frozen_after` and has been removed; it goes on the postmaster's list.",
    { id, sender, recipients: texts("The recipients that did not get it.") },
  ),
  "bounce.put_off": event(
    "The mail has failed, and its bounce waits: the DNS does not say whether the sender is vouched for.",
    { id, sender, next_attempt: time("The time at which the relay asks again.") },
  ),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof settleEvents> {}
}

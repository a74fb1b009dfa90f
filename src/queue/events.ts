// Events of the queue, of the postmaster's orders, and of the routers' answers at an attempt.

import {
  event,
  eventTable,
  type EventsOf,
  maybe,
  number,
  text,
  texts,
  time,
  word,
} from "../observe/event.ts";

const id = text("The message.");
const sender = text("The reverse-path.");

export const queueEvents = eventTable("The queue", {
  "queue.changed": event("The postmaster changed messages in the queue.", {
    action: word(["retry", "freeze", "thaw", "bounce", "remove"], "The order."),
    ids: texts("The messages."),
  }),
  "domain.held": event("Mail for the domain waits in the queue from now on.", {
    domain: text("The domain."),
  }),
  "domain.released": event("Mail for the domain goes on.", {
    domain: text("The domain."),
    recipients: number("The recipients that have waited for that."),
  }),
  "copy.unlisted": event(
    "A sender in a local domain is in no list of accounts: the copy went to the folder of such senders.",
    {
      id,
      sender,
      host: maybe(text("The host or socket that took the copy; absent if it is a Maildir.")),
    },
  ),
  "copy.missing": event(
    "Mail of a sender in a local domain was delivered, and no router has asked for a copy.",
    { id, sender, recipients: texts("The recipients that it was delivered to.") },
  ),
  "recipient.unrouted": event(
    "RCPT has accepted a recipient, and no router takes it any more: an account or a router is gone.",
    {
      id,
      recipient: text("The address that no router takes."),
      original: maybe(text("The address of RCPT; absent if it is the same.")),
      until: time("The time until which a mistake can be mended; then the mail fails."),
    },
  ),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof queueEvents> {}
}

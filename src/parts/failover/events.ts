// Events of fail-over.

import { event, eventTable, type EventsOf, maybe, number, text } from "../../observe/event.ts";

export const failOverEvents = eventTable("Fail-over", {
  "failover.on": event("Mail by the transports of [failover] waits from now on.", {
    why: maybe(text("The reason, as the postmaster gave it.")),
  }),
  "failover.ended": event("Fail-over has ended: the mail that waits is released.", {}),
  "failover.kept": event(
    "Waiting mail was settled by its copies, because Google does not come back.",
    {
      settled: number("The recipients whose copy was found."),
      waiting: number("The recipients without a copy. They still wait."),
    },
  ),
  "failover.released": event("The mail that waited is released.", {
    recipients: number("The recipients that were released since the relay began to release."),
    refused: number("The recipients on the list for the postmaster."),
  }),
  "failover.drill_begun": event(
    "A drill has begun: until it ends, its account exists in the running relay.",
    { account: text("The account of the drill.") },
  ),
  "failover.drill_ended": event("The drill has ended, and none of its mail is in the queue.", {
    account: text("The account of the drill."),
  }),
  "failover.drill_removed": event(
    "The user and the Maildir of a drill were removed by the relay, because the drill could not.",
    {
      account: text("The account of the drill."),
      why: text("The reason."),
    },
  ),
  "failover.list_sent": event(
    "The list of refused mail that had waited is in the spool, for the postmaster.",
    {
      id: text("The message with the list."),
      to: text("The postmaster."),
      entries: number("The lines of the list."),
    },
  ),
});

declare module "../../observe/events.ts" {
  interface Events extends EventsOf<typeof failOverEvents> {}
}

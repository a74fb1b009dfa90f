// Events of the postmaster's list.

import { event, eventTable, type EventsOf, number, text } from "../../observe/event.ts";

export const postmasterListEvents = eventTable("The postmaster's list", {
  "postmaster.list_sent": event(
    "The daily list of failed mail whose sender was not told is in the spool.",
    {
      id: text("The message with the list."),
      to: text("The postmaster."),
      entries: number("The lines of the list."),
    },
  ),
});

declare module "../../observe/events.ts" {
  interface Events extends EventsOf<typeof postmasterListEvents> {}
}

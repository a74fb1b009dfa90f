// Events of the spool and of its disk.

import { event, eventTable, type EventsOf, maybe, number, text } from "../observe/event.ts";

const free = {
  free_bytes: number("The free space, in bytes."),
  free_inodes: number("The free inodes."),
};

export const spoolEvents = eventTable("The spool", {
  "spool.recovered": event("The spool is open.", {
    messages: number("The messages in it."),
    in_flight: number("The messages whose attempt was cut short by the end of the last run."),
  }),
  "spool.failed": event(
    "The disk or the database of the spool refused a read or a write; nothing that was acknowledged is lost.",
    {
      id: maybe(text("The message in question; absent if there is none.")),
      error: text("The error."),
    },
  ),
  "spool.corrupt": event("A message was damaged, and has left the queue.", {
    id: text("The message."),
    error: text("What is wrong with it."),
    kept_in: text("The directory with what is left of it."),
  }),
  "spool.salvaged": event("The database was damaged: what could be read of it is in a new one.", {
    messages: number("The messages in the new database."),
    lost: number("The messages of which there was a trace and no more."),
    error: text("What was wrong with the database."),
    kept_in: text("The directory with the damaged database."),
  }),
  "spool.low": event(
    "The disk is below `spool_reserve` or `spool_reserve_inodes`: no new mail is taken.",
    free,
  ),
  "spool.enough": event("The disk is above them again, and new mail is taken.", free),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof spoolEvents> {}
}

// Events of the spool and of its disk.

import { event, eventTable, type EventsOf, maybe, number, text } from "../observe/event.ts";

const free = {
  free_bytes: number("The free space, in bytes."),
  free_inodes: number("The free inodes."),
};

export const spoolEvents = eventTable("The spool", {
  "spool.recovered": event("The spool is open.", {
    messages: number("The messages in it."),
    in_flight: number("The messages whose attempt was interrupted by the end of the last run."),
  }),
  "spool.failed": event(
    "The disk or the database of the spool refused a read or a write. No acknowledged message is lost.",
    {
      id: maybe(text("The message in question; absent if the error concerns no message.")),
      error: text("The error."),
    },
  ),
  "spool.corrupt": event("A message was damaged and was removed from the queue.", {
    id: text("The message."),
    error: text("The damage."),
    kept_in: text("The directory with the remains of the message."),
  }),
  "spool.salvaged": event("The database was damaged. Its readable part is in a new database.", {
    messages: number("The messages in the new database."),
    lost: number("The messages that left a trace but could not be read."),
    error: text("The damage."),
    kept_in: text("The directory with the damaged database."),
  }),
  "spool.low": event(
    "The free space is below `spool_reserve` or `spool_reserve_inodes`: the relay accepts no new mail.",
    free,
  ),
  "spool.enough": event("The free space is above both again: the relay accepts new mail.", free),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof spoolEvents> {}
}

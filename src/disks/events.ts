// Events of the file systems under Maildirs.

import { event, eventTable, type EventsOf, number, text } from "../observe/event.ts";

const directory = text("The Maildir.");

export const maildirEvents = eventTable("Maildirs", {
  "maildir.hung": event("A call on a Maildir has not returned for two seconds; its copies wait.", {
    directory,
  }),
  "maildir.answered": event("The call has returned, and the copies go on.", {
    directory,
    seconds: number("The time that the call took, in seconds."),
  }),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof maildirEvents> {}
}

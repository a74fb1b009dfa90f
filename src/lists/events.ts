// Events of lists of domains, local parts and hosts, and of the files and DNS records that hold them.

import { event, eventTable, type EventsOf, number, text } from "../observe/event.ts";

export const listEvents = eventTable("Lists and lookups", {
  "lookup.failed": event("A file of keys or of aliases, or a DNS block list, could not be asked.", {
    lookup: text("The file or the list."),
    error: text("The error."),
  }),
  "list.believed": event("A list that had lost too many entries is in force as it is now.", {
    list: text("The file."),
    entries: number("The entries of the list."),
  }),
  "hosts.refreshed": event("The DNS has given the hosts of an `spf:` list.", {
    list: text("The list."),
    entries: number("The entries of the list."),
  }),
  "hosts.failed": event(
    "The hosts of an `spf:` list could not be found out or kept on disk; the last good answer holds.",
    {
      list: text("The list."),
      error: text("The error."),
      kept: number("The entries of the last good answer."),
    },
  ),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof listEvents> {}
}

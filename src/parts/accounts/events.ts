// Events of the sync of accounts.

import { event, eventTable, type EventsOf, number, text, texts } from "../../observe/event.ts";

export const accountsEvents = eventTable("Accounts", {
  "accounts.synced": event("The accounts were read from the directory, and their files written.", {
    users: number("The users in our domains."),
    groups: number("The groups in our domains."),
    aliases: number("The aliases of both."),
    added: texts("Addresses that are new in the files, at most 100 of them."),
    removed: texts("Addresses that have left the files, at most 100 of them."),
    delayed: number("Addresses that have left the directory and stay for `removal_delay`."),
  }),
  "accounts.refused": event("A sync was refused for safety; the files stay as they are.", {
    why: text("The reason."),
  }),
  "accounts.failed": event("The directory could not be read, or a file not be written.", {
    error: text("The error."),
  }),
});

declare module "../../observe/events.ts" {
  interface Events extends EventsOf<typeof accountsEvents> {}
}

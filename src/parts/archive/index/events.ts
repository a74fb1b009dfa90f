// Events of the index.

import { event, eventTable, type EventsOf, maybe, number, text } from "../../../observe/event.ts";

const error = text("The error.");

export const indexEvents = eventTable("The archive's index", {
  "archive.behind": event("A walk could not be finished. The next walk begins after a minute.", {
    error,
  }),
  "archive.unread": event(
    "A walk has passed over what it could not look at. Logged when the number changes.",
    {
      count: number("The number of files and directories that the walk has passed over."),
      path: text("The first of them, below the archive's directory."),
      why: text("The reason."),
    },
  ),
  "archive.paused": event(
    "New messages cannot be written to the index or to the manifest. The archive tries again after a minute.",
    { error },
  ),
  "archive.damaged": event(
    "The index cannot be read. `relayctl archive reindex` makes it again from the Maildirs.",
    { error },
  ),
  "archive.reindexed": event("The index was made again from the Maildirs.", {
    account: maybe(text("The account whose messages were read again; absent if it was all.")),
    messages: number("The messages in the index."),
    seconds: number("The time that it took, in seconds."),
  }),
});

declare module "../../../observe/events.ts" {
  interface Events extends EventsOf<typeof indexEvents> {}
}

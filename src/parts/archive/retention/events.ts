// Events of retention.

import { event, eventTable, type EventsOf, number, text } from "../../../observe/event.ts";

const percent = number("How full it is, in percent: octets or inodes, whichever is more.");

export const retentionEvents = eventTable("The archive's retention", {
  "archive.retained": event("Mail was deleted by rule. The manifest names each file.", {
    messages: number("The messages that were deleted."),
    bytes: number("The octets of their files."),
  }),
  "archive.mark_near": event("The file system of the Maildirs is 5 points below `high_water`.", {
    percent,
  }),
  "archive.mark_missed": event(
    "The file system is fuller than `high_water`, and no more mail may go: make room on it.",
    { percent, why: text("The reason.") },
  ),
  "archive.mark_met": event("The file system is again less full than that.", { percent }),
  "archive.retention_failed": event("A run of retention has failed. The next one is in a minute.", {
    error: text("The error."),
  }),
  "archive.holds_unasked": event(
    "Holds could not be asked about new mail. They are asked again before anything is deleted.",
    { error: text("The error.") },
  ),
  "archive.unfit": event(
    "A message that was to go stays, because its file is not what the index knows: run `relayctl archive verify`.",
    { account: text("The account."), folder: text("The folder."), name: text("The unique name.") },
  ),
  "archive.account_removed": event(
    "The empty directories of an account were removed: no list of a router that copies has it any more.",
    { account: text("The account.") },
  ),
});

declare module "../../../observe/events.ts" {
  interface Events extends EventsOf<typeof retentionEvents> {}
}

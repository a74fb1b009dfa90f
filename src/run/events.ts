// Events in the life of the process.

import { event, eventTable, type EventsOf, number, text, texts } from "../observe/event.ts";

export const runEvents = eventTable("The relay", {
  "relay.started": event("The relay listens.", {
    listeners: texts("The addresses and ports that it listens on."),
    queued: number("The messages in the spool."),
  }),
  "relay.reloaded": event("The configuration was read again and is in force.", {
    listeners: texts("The addresses and ports that the relay listens on now."),
    kept: texts("The options that have changed and need a restart: their old values hold."),
  }),
  "relay.reload_refused": event(
    "The configuration was read again and has errors; the one in force stays.",
    { problems: texts("The errors, with their lines.") },
  ),
  "relay.stopping": event("The relay takes no new connections and ends what is under way.", {
    reason: text("The signal that it got."),
  }),
  "relay.stopped": event("The relay has ended.", {}),
  "part.started": event("The process of a part serves.", {
    part: text("The part."),
    pid: number("Its process."),
  }),
  "part.ended": event("The process of a part has ended by itself, and is started again.", {
    part: text("The part."),
    how: text("Its exit code, or the signal that ended it."),
    seconds: number("How long the relay waits before it starts the process again."),
  }),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof runEvents> {}
}

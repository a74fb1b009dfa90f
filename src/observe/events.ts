// The closed list of events. An event that no room has declared cannot be logged, so a postmaster's filters can rely on
// docs/events.md. The events here may be logged by every room. The others are declared in their rooms, which extend
// `Events`. src/events.ts has the tables of all.

import { event, eventTable, type EventsOf, maybe, text } from "./event.ts";

export const commonEvents = eventTable("Warnings, errors and alarms", {
  alarm: event(
    "The postmaster has to act: something is set up wrongly, by a peer's reply, or is implausible.",
    {
      id: maybe(text("The message that showed it; absent if no message did.")),
      what: text("The problem, and what to do about it."),
    },
  ),
  "relay.warning": event("The relay goes on, but something is not as it should be.", {
    what: text("The problem."),
  }),
  "relay.error": event(
    "Something of the relay itself went wrong; the mail in question is deferred.",
    {
      id: maybe(text("The message in question; absent if the error concerns no message.")),
      where: text("The place in the relay."),
      error: text("The error, with its causes."),
    },
  ),
});

/** The fields of every event that the relay logs, by event name. */
export interface Events extends EventsOf<typeof commonEvents> {}

export type EventName = keyof Events;

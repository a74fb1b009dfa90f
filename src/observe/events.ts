// The closed list of events: an event that no room has declared cannot be logged, so a postmaster's filters can rely on
// docs/events.md. Here stand the events that every room may log. The others stand in their rooms, which extend
// `Events`; src/events.ts has the tables of all.

import { event, eventTable, type EventsOf, maybe, text } from "./event.ts";

export const commonEvents = eventTable("Warnings, errors and alarms", {
  alarm: event(
    "The postmaster has to act: something is set up wrongly, by a peer's reply, or is implausible.",
    {
      id: maybe(text("The message that showed it; absent if no message did.")),
      what: text("What is wrong, and what to do."),
    },
  ),
  "relay.warning": event("The relay goes on, but something is not as it should be.", {
    what: text("What it is."),
  }),
  "relay.error": event(
    "Something of the relay itself went wrong; the mail in question is deferred.",
    {
      id: maybe(text("The message in question; absent if there is none.")),
      where: text("The place in the relay."),
      error: text("The error, with its causes."),
    },
  ),
});

/** By name: the fields of every event that the relay logs. */
export interface Events extends EventsOf<typeof commonEvents> {}

export type EventName = keyof Events;

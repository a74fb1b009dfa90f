// Events of mail that the relay writes itself.

import { event, eventTable, type EventsOf, text } from "../observe/event.ts";

export const outboxEvents = eventTable("Mail of the relay's own", {
  "message.unsigned": event(
    "A key of `dkim`, in `[relay]` or in a transport, could not sign a message. The message is sent without that signature.",
    {
      id: text("The message."),
      from: text("The address in its From field."),
      domain: text("The domain of the key."),
      selector: text("The selector of the key."),
      error: text("The error."),
    },
  ),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof outboxEvents> {}
}

// Events of connections to the relay's listeners.

import { event, eventTable, type EventsOf, text, texts } from "../../observe/event.ts";

const client = text("The address of the client.");

export const sessionEvents = eventTable("Connections of clients", {
  "session.refused": event("A connection was closed before its first command.", {
    client,
    reply: text("The reply to the client; empty if there was none."),
    why: text("The reason."),
  }),
  "session.ended": event("A connection ended without QUIT.", {
    client,
    why: text("The reason."),
  }),
  "session.tls_failed": event("A TLS handshake with a client failed.", {
    client,
    error: text("The error."),
  }),
  "session.parameter_dropped": event(
    "Parameters of a command have values that cannot be decoded; the mail goes on without them.",
    {
      client,
      command: text("The command, as the client wrote it."),
      parameters: texts("The names of the parameters."),
    },
  ),
});

declare module "../../observe/events.ts" {
  interface Events extends EventsOf<typeof sessionEvents> {}
}

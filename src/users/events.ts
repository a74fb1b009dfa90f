// Events of logins, whatever the protocol.

import { event, eventTable, type EventsOf, number, text } from "../observe/event.ts";

const user = text("The name that the client gave, at most 254 characters of it.");
const client = text("The address of the client.");
const by = text("The protocol: `submission` or `web`.");

export const loginEvents = eventTable("Logins of users", {
  "login.accepted": event("A user has logged in.", { user, client, by }),
  "login.failed": event("A login was refused: the name or the password is wrong.", {
    user,
    client,
    by,
    why: text("The reason, of which the client hears only that the login failed."),
  }),
  "login.put_off": event(
    "A login was not judged: too many wrong passwords came from the client, or too many logins wait.",
    {
      user,
      client,
      by,
      retry_after_s: number("Seconds after which the client may come again."),
    },
  ),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof loginEvents> {}
}

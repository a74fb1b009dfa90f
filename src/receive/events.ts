// Events of mail that comes in, up to the spool.

import { event, eventTable, type EventsOf, maybe, number, text, texts } from "../observe/event.ts";

const client = text("The address of the client.");
const sender = text("The reverse-path; `<>` is the null sender.");

export const receiveEvents = eventTable("Mail that comes in", {
  "message.accepted": event("A message is in the spool, and the client has had its 250.", {
    id: text("The message."),
    sender,
    recipients: texts("The recipients that were accepted."),
    client,
    helo: text("The name that the client gave in HELO or EHLO."),
    tls: maybe(text("The protocol and the cipher; absent without TLS.")),
    client_certificate: maybe(
      text("The SHA-256 of the client's certificate; absent if the client showed none."),
    ),
    user: maybe(text("The user that has logged in; absent for other clients.")),
    rule: text("The rules of the gate that accepted the recipients: `submission` for a user."),
    authentication: maybe(
      text(
        "SPF, DKIM and DMARC, as in `spf=pass dkim=none dmarc=fail`; absent if nothing asked for them.",
      ),
    ),
    unchecked: maybe(text("The scanners without a finding, and why; absent if all have one.")),
    size: number("The size of the message in bytes."),
  }),
  "message.refused": event("MAIL, DATA or the end of DATA was refused.", {
    client,
    sender,
    recipients: maybe(texts("The recipients until then; absent without any.")),
    reply: text("The reply to the client."),
    why: text("The reason, of which the client hears only the reply."),
  }),
  "recipient.refused": event("RCPT was refused.", {
    client,
    sender,
    recipient: text("The recipient that was refused."),
    reply: text("The reply to the client."),
    why: text("The reason, of which the client hears only the reply."),
  }),
});

declare module "../observe/events.ts" {
  interface Events extends EventsOf<typeof receiveEvents> {}
}

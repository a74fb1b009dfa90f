// Events of the proxies.

import {
  event,
  eventTable,
  type EventsOf,
  flag,
  maybe,
  number,
  text,
} from "../../observe/event.ts";

const proxy = text("The `name` of the proxy in [[proxies]].");
const user = text("The login, as the client gave it.");
const client = text("The address of the mail program.");

export const proxyEvents = eventTable("Proxies", {
  "proxy.login": event("A client has logged in to the server.", {
    proxy,
    client,
    user: maybe(text("The login. Absent if the way of logging in hides it.")),
    server: text("The server, with its port."),
    tls: maybe(text("The TLS version and cipher of the client. Absent in clear.")),
  }),
  "proxy.login_failed": event("The server or the hook has refused a login, or cannot be reached.", {
    proxy,
    client,
    user: maybe(text("The login. Absent if the way of logging in hides it.")),
    why: text("What the server, the hook or the proxy answered."),
  }),
  "proxy.refused": event("The proxy has not served a client.", {
    proxy,
    client,
    why: text("The reason."),
  }),
  "proxy.server_failed": event("A server could not be used. The next one in the list is tried.", {
    proxy,
    server: text("The server, with its port."),
    error: text("What happened."),
  }),
  "proxy.kept": event("A message has passed and its copy is on disk.", {
    proxy,
    account: text("The account that the copy belongs to."),
    path: text("The file."),
    size: number("Octets of the message."),
  }),
  "proxy.not_kept": event("A copy could not be written.", {
    proxy,
    account: maybe(text("The account. Absent if the login leads to none.")),
    user,
    why: text("The reason."),
    passed: flag("Whether the client got the message nevertheless, by `on_store_failure`."),
  }),
});

declare module "../../observe/events.ts" {
  interface Events extends EventsOf<typeof proxyEvents> {}
}

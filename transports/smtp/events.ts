// Events of the smtp transport, beside what becomes of a delivery.

import { event, eventTable, type EventsOf, text } from "../../src/observe/event.ts";

export const transportEvents = eventTable("Transports", {
  "mta_sts.would_fail": event(
    "Mail went to a host that is not as the domain's policy under test wants it.",
    {
      domain: text("The domain of the policy."),
      host: text("The host."),
      error: text("What the policy would have refused."),
    },
  ),
});

declare module "../../src/observe/events.ts" {
  interface Events extends EventsOf<typeof transportEvents> {}
}

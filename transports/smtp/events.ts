// Events of the smtp transport, besides the outcomes of deliveries.

import { event, eventTable, type EventsOf, text } from "../../src/observe/event.ts";

export const transportEvents = eventTable("Transports", {
  "mta_sts.would_fail": event(
    "Mail went to a host that violates the domain's MTA-STS policy, which is in testing mode.",
    {
      domain: text("The domain of the policy."),
      host: text("The host."),
      error: text(
        "The violation. In enforce mode the relay would not have delivered to this host.",
      ),
    },
  ),
});

declare module "../../src/observe/events.ts" {
  interface Events extends EventsOf<typeof transportEvents> {}
}

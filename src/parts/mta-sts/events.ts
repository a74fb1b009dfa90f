// Events of MTA-STS policies.

import {
  event,
  eventTable,
  type EventsOf,
  flag,
  number,
  text,
  texts,
  word,
} from "../../observe/event.ts";

export const mtaStsEvents = eventTable("MTA-STS policies", {
  "mta_sts.fetched": event("The policy of a domain was fetched.", {
    domain: text("The domain."),
    mode: word(["enforce", "testing", "none"], "The mode of the policy."),
    mx: texts("The hosts that the policy allows."),
    max_age_s: number("The time for which the policy holds, in seconds."),
  }),
  "mta_sts.failed": event("The policy of a domain could not be fetched.", {
    domain: text("The domain."),
    error: text("The error."),
    kept: flag("True if an older policy holds; if not, mail goes as if the domain had none."),
  }),
});

declare module "../../observe/events.ts" {
  interface Events extends EventsOf<typeof mtaStsEvents> {}
}

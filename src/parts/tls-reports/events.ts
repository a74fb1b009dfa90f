// Events of reports on TLS.

import { event, eventTable, type EventsOf, maybe, text, time } from "../../observe/event.ts";

const domain = text("The domain that the report is about.");
const to = text("The destination, as the domain has written it.");

export const tlsReportEvents = eventTable("Reports on TLS", {
  "tls_report.sent": event("A domain has its report, or the report is on its way as mail.", {
    id: maybe(text("The message with the report; absent if it went by HTTPS.")),
    domain,
    to,
    report_id: text("The identifier in the report."),
  }),
  "tls_report.failed": event("A report could not be sent.", {
    domain,
    to,
    error: text("The error."),
    next_attempt: maybe(time("The time of the next attempt; absent if the report is given up.")),
  }),
});

declare module "../../observe/events.ts" {
  interface Events extends EventsOf<typeof tlsReportEvents> {}
}

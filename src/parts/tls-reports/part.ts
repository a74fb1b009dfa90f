// The part for daily reports on TLS to the domains that ask for them: [tls_reports].

import { nested, optional } from "../../options/options.ts";
import { part } from "../part.ts";
import { tlsReportEvents } from "./events.ts";
import { tlsReportOptions } from "./options.ts";
import { TlsReports } from "./tls-reports.ts";

export const tlsReports = part({
  name: "tls-reports",
  events: tlsReportEvents,
  sections: {
    tls_reports: optional(
      nested(
        "Daily reports on TLS (RFC 8460), to the domains that ask for them. Without this table the relay sends none.",
        tlsReportOptions,
      ),
    ),
  },
  start(means) {
    if (means.readOnly) return {};
    const reports = new TlsReports(means);
    return {
      offer: () => ({ services: { tlsSessions: reports } }),
      begin: ({ sections, outside }, { outbox }) =>
        reports.begin(sections.tls_reports, outside, outbox),
      follow: ({ sections, outside }) => reports.follow(sections.tls_reports, outside),
      close: () => reports.close(),
    };
  },
});

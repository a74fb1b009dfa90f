// A report as mail (RFC 8460 5.3): multipart/report.

import type { Draft } from "../../mail/draft.ts";
import type { Mailbox } from "../../mail/envelope.ts";
import type { TlsReport } from "./report.ts";

/** The draft of the message to one destination. */
export function tlsReportDraft(report: TlsReport, to: Mailbox): Draft {
  const { id, domain, submitter, fileName, gzipped } = report;
  return {
    from: { name: "", address: submitter.contact },
    to,
    subject: `Report Domain: ${domain} Submitter: ${submitter.domain} Report-ID: <${id}>`,
    messageId: `<${id}>`,
    fields: {
      "TLS-Report-Domain": domain,
      "TLS-Report-Submitter": submitter.domain,
      "Auto-Submitted": "auto-generated",
    },
    content: {
      reportType: "tlsrpt",
      parts: [
        {
          kind: "text",
          text: `This is an aggregate TLS report from ${submitter.domain}\r\n`,
        },
        { kind: "attachment", type: "application/tlsrpt+gzip", fileName, content: gzipped },
      ],
    },
  };
}

// A report as mail (RFC 8460 5.3): multipart/report, signed with DKIM over the whole body.

import { signMessage, type SigningKey } from "../../receive/authentication/mailauth.ts";
import { field, mailDate } from "../../mail/text.ts";
import type { Mailbox } from "../../mail/envelope.ts";
import type { TlsReport } from "./report.ts";

/** Header fields that the signature covers. */
const SIGNED = [
  "From",
  "To",
  "Subject",
  "Date",
  "Message-ID",
  "TLS-Report-Domain",
  "TLS-Report-Submitter",
  "MIME-Version",
  "Content-Type",
];

/** The message to one reader. `now` in milliseconds since the epoch. Rejects when it cannot be signed. */
export async function tlsReportLetter(
  report: TlsReport,
  to: Mailbox,
  now: number,
  key: SigningKey,
): Promise<Buffer> {
  const message = Buffer.from(composed(report, to, now));
  const signature = await signMessage(message, SIGNED, key, now);
  return Buffer.concat([Buffer.from(signature), message]);
}

/** In no base64, and in no text of ours. */
const BOUNDARY = "=_tls-report";

function composed(report: TlsReport, to: Mailbox, now: number): string {
  const { id, domain, submitter, fileName, gzipped } = report;
  const header = [
    field("From", submitter.contact),
    field("To", to.address),
    field("Subject", `Report Domain: ${domain} Submitter: ${submitter.domain} Report-ID: <${id}>`),
    field("Date", mailDate(now)),
    field("Message-ID", `<${id}>`),
    field("TLS-Report-Domain", domain),
    field("TLS-Report-Submitter", submitter.domain),
    field("Auto-Submitted", "auto-generated"),
    field("MIME-Version", "1.0"),
  ];
  const body = [
    'Content-Type: multipart/report; report-type="tlsrpt";',
    ` boundary="${BOUNDARY}"`,
    "",
    "This is a report in MIME format.",
    `--${BOUNDARY}`,
    "Content-Type: text/plain; charset=us-ascii",
    "Content-Transfer-Encoding: 7bit",
    "",
    `This is an aggregate TLS report from ${submitter.domain}`,
    `--${BOUNDARY}`,
    "Content-Type: application/tlsrpt+gzip",
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: attachment;",
    ` filename="${fileName}"`,
    "",
    ...(gzipped.toString("base64").match(/.{1,76}/g) ?? []),
    `--${BOUNDARY}--`,
    "",
  ];
  return header.join("") + body.join("\r\n");
}

// A report by HTTPS (RFC 8460 5.4). Only the status of the answer counts.

import { exchange, type HttpsMeans } from "../../base/net/https.ts";

/** Resolves when the other side has accepted the report. Rejects if it refuses, or if its answer is unknown. */
export function postReport(url: URL, gzipped: Buffer, means: HttpsMeans): Promise<void> {
  const { hostname: host, port, pathname, search } = url;
  const wanted = {
    method: "POST",
    host,
    ...(port === "" ? {} : { port: Number(port) }),
    path: `${pathname}${search}`,
    headers: { "content-type": "application/tlsrpt+gzip", "content-length": gzipped.length },
    body: gzipped,
  };
  return exchange(wanted, means, ({ statusCode = 0 }) => {
    if (statusCode < 200 || statusCode > 299) throw new Error(`HTTP status ${statusCode}`);
  });
}

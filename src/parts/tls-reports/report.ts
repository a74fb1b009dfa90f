// One report in the JSON format of RFC 8460 4.4: one domain and one day.
// Invariant: the same day gives the same report with the same id, so that a reader can recognise a repeated report.

import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { crc32, gzip } from "node:zlib";
import { given } from "../../base/given.ts";
import type { FailureCount, PolicyCounts } from "./tally.ts";

export interface ReportSubject {
  /** The domain that has asked for the report. */
  readonly domain: string;
  /** The beginning of the day, in milliseconds since the epoch. */
  readonly day: number;
  readonly counts: readonly PolicyCounts[];
}

export interface Submitter {
  readonly organization: string;
  /** The address for questions. */
  readonly contact: string;
  /** The domain of that address. */
  readonly domain: string;
}

export interface TlsReport {
  readonly id: string;
  readonly domain: string;
  readonly submitter: Submitter;
  /** The name of the file by RFC 8460 5.1. */
  readonly fileName: string;
  readonly gzipped: Buffer;
}

export const DAY = 86_400_000;
/** Milliseconds over which reports are spread after midnight (RFC 8460 4.1). */
export const SPREAD = 4 * 3_600_000;

/** When a report is due, in ms since the epoch: the same after a restart, another for each relay and domain. */
export function dueTime(day: number, domain: string, hostname: string): number {
  return day + DAY + (crc32(`${hostname} ${domain}`) % SPREAD);
}

const zip = promisify(gzip);

export async function composeTlsReport(
  subject: ReportSubject,
  submitter: Submitter,
): Promise<TlsReport> {
  const { domain, day } = subject;
  const id = `${dateOf(day)}.${domain}@${submitter.domain}`;
  const begin = day / 1000;
  const end = (day + DAY) / 1000 - 1;
  const unique = createHash("sha256").update(id).digest("hex").slice(0, 12);
  const fileName = `${submitter.domain}!${domain}!${begin}!${end}!${unique}.json.gz`;
  const text = JSON.stringify(reportObject(subject, submitter, id));
  return { id, domain, submitter, fileName, gzipped: await zip(text) };
}

/** "2026-11-22". */
export function dateOf(day: number): string {
  return new Date(day).toISOString().slice(0, 10);
}

function reportObject({ day, counts }: ReportSubject, submitter: Submitter, id: string): object {
  const date = dateOf(day);
  return {
    "organization-name": submitter.organization,
    "date-range": {
      "start-datetime": `${date}T00:00:00Z`,
      "end-datetime": `${date}T23:59:59Z`,
    },
    "contact-info": submitter.contact,
    "report-id": id,
    policies: counts.map(policyObject),
  };
}

function policyObject({ policy, successful, failed, details }: PolicyCounts): object {
  const { type, lines, domain, mx } = policy;
  return {
    policy: {
      "policy-type": type,
      ...(lines.length === 0 ? {} : { "policy-string": lines }),
      "policy-domain": domain,
      ...(mx.length === 0 ? {} : { "mx-host": mx }),
    },
    summary: {
      "total-successful-session-count": successful,
      "total-failure-session-count": failed,
    },
    ...(details.length === 0 ? {} : { "failure-details": details.map(failureObject) }),
  };
}

function failureObject({ failure, count }: FailureCount): object {
  const { result, from, host, to, reason } = failure;
  return {
    "result-type": result,
    ...given({ "sending-mta-ip": from, "receiving-mx-hostname": host, "receiving-ip": to }),
    "failed-session-count": count,
    ...given({ "failure-reason-code": reason }),
  };
}

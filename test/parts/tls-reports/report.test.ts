// A report in the shape of RFC 8460 appendix B, and counts that cannot grow without end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { composeTlsReport, DAY, dueTime } from "../../../src/parts/tls-reports/report.ts";
import { Tally } from "../../../src/parts/tls-reports/tally.ts";
import type { ShownPolicy } from "../../../src/tls/sessions.ts";

const POLICY: ShownPolicy = {
  type: "sts",
  domain: "company-y.example",
  lines: ["version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"],
  mx: ["*.mail.company-y.example"],
};

const SUBMITTER = {
  organization: "Company-X",
  contact: "sts-reporting@company-x.example",
  domain: "company-x.example",
};

function times(count: number, what: () => void): void {
  for (let index = 0; index < count; index++) what();
}

test("a report is that of the RFC's example", async () => {
  const tally = new Tally();
  times(5326, () => tally.add(POLICY, undefined));
  const expired = { result: "certificate-expired", from: "2001:db8:abcd:12::1" } as const;
  times(100, () => tally.add(POLICY, { ...expired, host: "mx1.mail.company-y.example" }));
  times(200, () =>
    tally.add(POLICY, {
      result: "starttls-not-supported",
      from: "2001:db8:abcd:13::1",
      host: "mx2.mail.company-y.example",
      to: "203.0.113.56",
    }),
  );
  times(3, () =>
    tally.add(POLICY, {
      result: "validation-failure",
      from: "198.51.100.62",
      host: "mx-backup.mail.company-y.example",
      to: "203.0.113.58",
      reason: "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
    }),
  );
  const subject = { domain: "company-y.example", day: Date.UTC(2016, 3, 1), counts: tally.counts };
  const report = await composeTlsReport(subject, SUBMITTER);

  assert.deepEqual(JSON.parse(gunzipSync(report.gzipped).toString()), {
    "organization-name": "Company-X",
    "date-range": {
      "start-datetime": "2016-04-01T00:00:00Z",
      "end-datetime": "2016-04-01T23:59:59Z",
    },
    "contact-info": "sts-reporting@company-x.example",
    "report-id": "2016-04-01.company-y.example@company-x.example",
    policies: [
      {
        policy: {
          "policy-type": "sts",
          "policy-string": [
            "version: STSv1",
            "mode: testing",
            "mx: *.mail.company-y.example",
            "max_age: 86400",
          ],
          "policy-domain": "company-y.example",
          "mx-host": ["*.mail.company-y.example"],
        },
        summary: {
          "total-successful-session-count": 5326,
          "total-failure-session-count": 303,
        },
        "failure-details": [
          {
            "result-type": "certificate-expired",
            "sending-mta-ip": "2001:db8:abcd:12::1",
            "receiving-mx-hostname": "mx1.mail.company-y.example",
            "failed-session-count": 100,
          },
          {
            "result-type": "starttls-not-supported",
            "sending-mta-ip": "2001:db8:abcd:13::1",
            "receiving-mx-hostname": "mx2.mail.company-y.example",
            "receiving-ip": "203.0.113.56",
            "failed-session-count": 200,
          },
          {
            "result-type": "validation-failure",
            "sending-mta-ip": "198.51.100.62",
            "receiving-mx-hostname": "mx-backup.mail.company-y.example",
            "receiving-ip": "203.0.113.58",
            "failed-session-count": 3,
            "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
          },
        ],
      },
    ],
  });
  assert.match(
    report.fileName,
    /^company-x\.example!company-y\.example!1459468800!1459555199![0-9a-z]+\.json\.gz$/,
  );
});

test("the same day gives the same report, another one another id", async () => {
  const subject = { domain: "example.net", day: 0, counts: [] };
  const first = await composeTlsReport(subject, SUBMITTER);
  assert.deepEqual(await composeTlsReport(subject, SUBMITTER), first);
  const next = await composeTlsReport({ ...subject, day: DAY }, SUBMITTER);
  assert.notEqual(next.fileName, first.fileName);
  assert.notEqual(next.id, first.id);
});

test("reports are due within four hours of midnight, not all at once", () => {
  const due = ["a.example", "b.example", "c.example"].map((domain) => dueTime(0, domain, "mx"));
  assert.equal(new Set(due).size, 3);
  for (const time of due) assert.ok(time >= DAY && time < DAY + 4 * 3_600_000);
});

test("policies that are not the same are counted apart", () => {
  const tally = new Tally();
  tally.add(POLICY, undefined);
  tally.add({ ...POLICY, lines: ["mode: enforce"] }, undefined);
  tally.add({ ...POLICY, lines: ["mode: enforce"] }, undefined);
  assert.deepEqual(
    tally.counts.map(({ successful }) => successful),
    [1, 2],
  );
});

test("whatever a domain comes up with, what is kept of it is small, and the sums are right", () => {
  const tally = new Tally();
  const long = "x".repeat(100_000);
  for (let index = 0; index < 1000; index++) {
    const policy = { ...POLICY, lines: [`${index % 30} ${long}`, ...Array(1000).fill(long)] };
    tally.add(policy, undefined);
    tally.add(POLICY, { result: "validation-failure", reason: `${index}\r\n${long}` });
  }
  assert.ok(JSON.stringify(tally.counts).length < 2_000_000);
  const own = tally.counts.find(({ policy }) => policy.lines[0] === "version: STSv1");
  assert.equal(own?.failed, 1000);
  assert.equal(own.details.length, 100);
  assert.match(own.details[0]?.failure.reason ?? "", /^0 x+$/);
});

// Whole reports as they go out. UPDATE=1 writes the golden files anew; read the difference before it goes in.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { composeReport, type ReportRequest } from "../../src/bounce.ts";
import { status } from "../../src/status.ts";
import { body, ENVELOPE, mailbox, MESSAGE, NOW, recipient, request } from "./report.ts";

const GOLDEN = path.join(import.meta.dirname, "..", "golden", "bounce");

const CASES: Readonly<Record<string, ReportRequest>> = {
  failed: request(),
  "failed-several": request({
    recipients: [
      recipient("bob@example.net"),
      recipient("carol@example.net", {
        original: mailbox("team@example.com"),
        status: status(452, "2.2", "Mailbox full"),
      }),
      recipient("dave@nowhere.example", {
        status: status(550, "1.2", "No such domain"),
        orcpt: "rfc822;dave+2Bwork@nowhere.example",
      }),
    ].map(({ remoteMta, ...rest }, index) =>
      index === 2 ? rest : { ...rest, remoteMta: remoteMta ?? "" },
    ),
    envelope: { ...ENVELOPE, envid: "QQ314159+2Bx", ret: "FULL" },
  }),
  "failed-header-only": request({ envelope: { ...ENVELOPE, ret: "HDRS" } }),
  "failed-too-large": request({ returnSizeLimit: 200 }),
  delayed: request({
    kind: "delayed",
    recipients: [
      recipient("bob@example.net", {
        status: status(451, "4.1", "Greylisted, please try again in 300 seconds"),
        lastAttemptAt: NOW - 60_000,
      }),
    ],
    retryUntil: NOW + 7 * 86_400_000,
  }),
  relayed: request({
    kind: "relayed",
    recipients: [recipient("bob@example.net", { status: status(250, "0.0", "OK queued") })],
  }),
  internationalized: request({
    envelope: { ...ENVELOPE, sender: mailbox("ålice@example.org"), smtputf8: true },
    body: body(MESSAGE.replace("alice@", "ålice@").replace("Lunch", "Middag på torsdag")),
    recipients: [recipient("bjørn@example.net", { orcpt: "utf-8;bj\\x{F8}rn@example.net" })],
  }),
};

for (const [name, given] of Object.entries(CASES)) {
  test(`the report "${name}" is what its golden file says`, async () => {
    const { bytes } = await composeReport(given);
    const file = path.join(GOLDEN, `${name}.eml`);
    if (process.env["UPDATE"] === "1") fs.writeFileSync(file, bytes);
    assert.equal(bytes.toString(), fs.readFileSync(file, "utf8"));
  });
}

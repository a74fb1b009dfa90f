// Whole reports as they go out. UPDATE=1 writes the golden files anew; read the difference before it goes in.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { hostPlace } from "../support/place.ts";
import type { ReportRequest } from "../../src/bounce/bounce.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import {
  body,
  composeReport,
  ENVELOPE,
  MESSAGE,
  NOW,
  recipient,
  reply,
  request,
} from "./report.ts";

const GOLDEN = path.join(import.meta.dirname, "..", "golden", "bounce");
const DAY = 86_400_000;
const OLD = { ...ENVELOPE, receivedAt: NOW - 8 * DAY };
const MAILBOX_FULL = reply(452, "2.2", "Mailbox full");
const OTHER_HOST = hostPlace("mx2.example.net [2001:db8::25]");

const CASES: Readonly<Record<string, ReportRequest>> = {
  failed: request(),
  "failed-several": request({
    recipients: [
      recipient("bob@example.net"),
      recipient("carol@example.net", {
        original: mailbox("team@example.com"),
        status: MAILBOX_FULL,
        place: OTHER_HOST,
      }),
      recipient("dan@example.net", { status: MAILBOX_FULL, place: OTHER_HOST }),
      {
        mailbox: mailbox("dave@nowhere.example"),
        original: mailbox("dave@nowhere.example"),
        status: status(550, "1.2", "The domain nowhere.example does not exist"),
        orcpt: "rfc822;dave+2Bwork@nowhere.example",
      },
    ],
    envelope: { ...OLD, envid: "QQ314159+2Bx", ret: "FULL" },
  }),
  "failed-unreachable": request({
    envelope: OLD,
    recipients: [
      recipient("bob@example.net", {
        status: status(451, "4.1", "cannot connect: connection refused"),
      }),
    ],
  }),
  "failed-spam": request({
    recipients: [
      recipient("bob@example.net", {
        status: reply(
          550,
          "7.1",
          "Message rejected as spam by content filtering, see https://x.example",
        ),
      }),
    ],
  }),
  "failed-header-only": request({ envelope: { ...ENVELOPE, ret: "HDRS" } }),
  "failed-too-large": request({ returnSizeLimit: 200 }),
  delayed: request({
    kind: "delayed",
    recipients: [
      recipient("bob@example.net", {
        status: reply(451, "7.1", "Greylisted, please try again in 300 seconds"),
        lastAttemptAt: NOW - 60_000,
        retryUntil: NOW + 7 * DAY,
      }),
      recipient("carol@example.org", {
        status: status(451, "7.5", "TLS handshake failed"),
        place: hostPlace("mx.example.org [192.0.2.77]"),
        lastAttemptAt: NOW - 60_000,
        retryUntil: NOW + 6 * DAY,
      }),
    ],
  }),
  relayed: request({
    kind: "relayed",
    recipients: [recipient("bob@example.net", { status: reply(250, "0.0", "OK queued as 4711") })],
  }),
  delivered: request({
    kind: "delivered",
    recipients: [
      recipient("bob@example.net", {
        status: status(250, "0.0", "stored"),
        place: { kind: "file", path: "/var/mail/example.net/bob/new/1.2.3" },
        orcpt: "rfc822;bob@example.com",
      }),
    ],
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

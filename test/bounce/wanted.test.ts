import assert from "node:assert/strict";
import { test } from "node:test";

import { wantsReport, wantsWarning } from "../../src/bounce/bounce.ts";
import { mailbox } from "../support/build.ts";

const SENDER = mailbox("alice@example.org");

test("nothing is told to a null sender, whatever NOTIFY says", () => {
  for (const kind of ["failed", "delayed", "relayed", "delivered"] as const) {
    assert.equal(wantsReport(kind, null, "SUCCESS,FAILURE,DELAY"), false);
    assert.equal(wantsReport(kind, null, undefined), false);
  }
});

test("without NOTIFY failures and delays are told, success is not", () => {
  assert.equal(wantsReport("failed", SENDER, undefined), true);
  assert.equal(wantsReport("delayed", SENDER, undefined), true);
  assert.equal(wantsReport("relayed", SENDER, undefined), false);
  assert.equal(wantsReport("delivered", SENDER, undefined), false);
});

test("NOTIFY is obeyed word by word", () => {
  assert.equal(wantsReport("failed", SENDER, "NEVER"), false);
  assert.equal(wantsReport("failed", SENDER, "SUCCESS,DELAY"), false);
  assert.equal(wantsReport("failed", SENDER, "delay,failure"), true);
  assert.equal(wantsReport("delayed", SENDER, "FAILURE"), false);
  assert.equal(wantsReport("delayed", SENDER, "FAILURE,DELAY"), true);
  assert.equal(wantsReport("relayed", SENDER, "SUCCESS"), true);
  assert.equal(wantsReport("delivered", SENDER, "DELAY,SUCCESS"), true);
  assert.equal(wantsReport("delivered", SENDER, "NEVER"), false);
});

const warned = (...fields: string[]) =>
  wantsWarning(Buffer.from(`${["From: a@example.org", ...fields].join("\r\n")}\r\n\r\nbody\r\n`));

test("a person is warned of a delay", () => {
  assert.equal(warned(), true);
  assert.equal(warned("Auto-Submitted: no", "Precedence: first-class"), true);
  assert.equal(wantsWarning(Buffer.from("\r\nno header\r\n")), true);
});

test("lists, bulk mail and machines are not", () => {
  assert.equal(warned("List-Id: <x.example.org>"), false);
  assert.equal(warned("LIST-POST: NO"), false);
  assert.equal(warned("List-Subscribe: <mailto:x@example.org>"), false);
  assert.equal(warned("Precedence: Bulk"), false);
  assert.equal(warned("precedence : list"), false);
  assert.equal(warned("Precedence:\r\n\tjunk"), false);
  assert.equal(warned("Auto-Submitted: auto-generated (vacation)"), false);
  assert.equal(warned("Auto-Submitted: auto-replied"), false);
});

test("what stands in the body, or in another field, is no sign of a list", () => {
  assert.equal(warned("", "List-Id: <x.example.org>"), true);
  assert.equal(warned("X-List-Id: <x.example.org>", "Subject: Precedence: bulk"), true);
  assert.equal(warned("List-Id:"), true);
});

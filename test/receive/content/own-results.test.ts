import assert from "node:assert/strict";
import { test } from "node:test";
import { claimsToBeOurs } from "../../../src/receive/content/own-results.ts";
import { watching } from "./watching.ts";

const OURS = [
  "Authentication-Results: mx.example.com; spf=pass",
  "authentication-results : MX.Example.COM; dmarc=pass",
  "Authentication-Results:mx.example.com 1; none",
  "Authentication-Results: mx.example.com/1; none",
  "Authentication-Results: mx.example.com.; none",
  'Authentication-Results: "mx.example.com"; none',
  'Authentication-Results: "mx\\.example.com"; none',
  "Authentication-Results:\r\n (a (nested) one) mx.example.com (x)\r\n ; none",
  "Authentication-Results\r\n : mx.example.com; none",
  "Authentication-Results: (no end mx.example.com; none",
  "Authentication-Results: ) mx.example.com; none",
  "Authentication-Results: mx.example.com",
  `Authentication-Results: (${"x".repeat(2000)}) mx.example.com; none`,
];
const OTHERS = [
  "Authentication-Results: mx.example.net; spf=pass",
  "Authentication-Results: mx.example.com.evil.test; spf=pass",
  "Authentication-Results: not-mx.example.com; spf=pass",
  "Authentication-Results: other.test; spf=pass smtp.mailfrom=mx.example.com",
  "Authentication-Results: other.test (mx.example.com); none",
  `Authentication-Results: other.test; ${"spf=pass (mx.example.com); ".repeat(100)}none`,
  `Authentication-Results: (${"x".repeat(2000)}) other.test; none`,
  "ARC-Authentication-Results: i=1; mx.example.com; none",
  "X-Authentication-Results: mx.example.com; none",
  "Subject: Authentication-Results: mx.example.com; none",
];

function through(fields: readonly string[], pieceSize: number): string {
  const watch = watching([], [], "mx.example.com");
  const bytes = Buffer.from(`${fields.join("\r\n")}\r\n\r\n${OURS[0]}\r\n`);
  let out = "";
  for (let at = 0; at < bytes.length; at += pieceSize) {
    out += watch.pass(bytes.subarray(at, at + pieceSize))?.toString() ?? "";
  }
  return out + (watch.end()?.toString() ?? "");
}

test("results in our name are taken out, everything else stays as it is", () => {
  for (const one of OURS) {
    for (const size of [1, 1000]) {
      const left = through(["From: a@b.test", one, "To: c@d.test"], size);
      assert.equal(left, through(["From: a@b.test", "To: c@d.test"], size), one);
    }
  }
  for (const one of OTHERS) assert.ok(through([one], 7).startsWith(`${one}\r\n\r\n`), one);
});

test("a field that is made to keep us busy does not", () => {
  for (const text of [
    "(".repeat(500_000),
    '\\"'.repeat(300_000),
    "mx.example.com/".repeat(40_000),
  ]) {
    claimsToBeOurs(`Authentication-Results: ${text} mx.example.com`, "mx.example.com");
  }
});

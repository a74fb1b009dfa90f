// The table of replies: which row a reply of a host fits, and what Google's rows say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BUILT_IN_REPLY_RULES, findReplyRule, rulesAfter } from "../../src/retry/reply-rules.ts";
import { parseRetryRules, retryUntil } from "../../src/retry/retry.ts";
import { status } from "../../src/mail/status.ts";

const GOOGLE = "aspmx.l.google.com";
const said = (code: number, detail: string, text = "text") => status(code, detail, text);
const found = (reply: string, hosts: readonly string[] = ["mx.example.net"]) => ({ hosts, reply });

function google(code: number, detail: string, text?: string) {
  return findReplyRule(BUILT_IN_REPLY_RULES, GOOGLE, said(code, detail, text));
}

test("a row is found by code, by enhanced code and by words, whatever their case", () => {
  const mx = "mx.example.net";
  const meets = (reply: string, one: ReturnType<typeof said>) =>
    findReplyRule([found(reply)], mx, one) !== undefined;
  const reply = said(421, "7.0", "IP not in Whitelist for RCPT domain");
  assert.ok(meets("421", reply));
  assert.ok(meets("421 4.7.0", reply));
  assert.ok(meets("421 4.7.0 NOT IN whitelist", reply));
  assert.ok(meets("421 whitelist", reply));
  assert.ok(!meets("450", reply));
  assert.ok(!meets("421 4.7.28", reply));
  assert.ok(!meets("421 4.7.0 blacklist", reply));
});

function fits(hosts: string, name: string): boolean {
  return findReplyRule([found("450", [hosts])], name, said(450, "2.1")) !== undefined;
}

test("a row is for hosts by name; a star is everything below, and not the name itself", () => {
  assert.ok(fits("MX.Example.net", "mx.example.NET"));
  assert.ok(fits("*.Example.net", "mx.example.net"));
  assert.ok(!fits("*.example.net", "example.net"));
  assert.ok(!fits("*.example.net", "mx.badexample.net"));
  assert.ok(!fits("example.net", "mx.example.net"));
});

test("the first row that fits decides, so the configuration's come before the built-in ones", () => {
  const own = { ...found("450 4.2.1", ["*.google.com"]), alarm: "mine" };
  const rule = findReplyRule([own, ...BUILT_IN_REPLY_RULES], GOOGLE, said(450, "2.1"));
  assert.equal(rule, own);
});

test("Google: 450 4.2.1 puts the recipient off with all its mail, for minutes", () => {
  const rule = google(
    450,
    "2.1",
    "The user you are trying to contact is receiving mail too quickly",
  );
  assert.equal(rule?.hold, "recipient");
  assert.equal(rule?.rules?.[0]?.interval, 300_000);
});

test("Google: 452 4.2.2 retries for hours, and only the message waits", () => {
  const rule = google(452, "2.2", "The recipient's inbox is out of storage space");
  assert.equal(rule?.rules?.[0]?.interval, 4 * 3_600_000);
  assert.notEqual(rule?.hold, "recipient");
});

test("Google: what the postmaster must mend is an alarm", () => {
  assert.match(google(421, "7.0", "IP not in whitelist for RCPT domain")?.alarm ?? "", /gateway/);
  assert.match(google(421, "7.0", "TLS required for RCPT domain")?.alarm ?? "", /TLS/);
  for (const code of [421, 550]) {
    assert.match(google(code, "7.28", "unusual rate")?.alarm ?? "", /unsolicited/);
  }
  assert.match(google(550, "7.26", "unauthenticated")?.alarm ?? "", /unauthenticated/);
});

test("Google: an unusual rate slows the host down, and a server that is busy does not", () => {
  assert.equal(google(421, "7.28", "unusual rate")?.rules?.[0]?.interval, 3_600_000);
  assert.equal(google(421, "7.0", "Try again later, closing connection"), undefined);
  assert.equal(google(421, "4.5", "Server busy, try again later"), undefined);
});

test("Google's rows are for hosts under google.com and googlemail.com only", () => {
  const reply = said(450, "2.1");
  for (const name of ["smtp.google.com", "aspmx2.googlemail.com", "ALT1.ASPMX.L.GOOGLE.COM"]) {
    assert.ok(findReplyRule(BUILT_IN_REPLY_RULES, name, reply), name);
  }
  for (const name of ["mx.example.net", "google.com.example.net", "notgoogle.com"]) {
    assert.equal(findReplyRule(BUILT_IN_REPLY_RULES, name, reply), undefined, name);
  }
});

test("a row without rules leaves it to the retry rules", () => {
  const parsed = parseRetryRules("F,3h,1h");
  assert.ok("rules" in parsed);
  const policy = { retry: [{ match: "*", rules: parsed.rules }], replies: BUILT_IN_REPLY_RULES };
  const hours = (one: ReturnType<typeof said>) =>
    retryUntil(rulesAfter(one, { domain: "example.com", host: GOOGLE }, policy), 0) / 3_600_000;
  assert.equal(hours(said(421, "7.0", "IP not in whitelist")), 3);
  assert.equal(hours(said(452, "2.2")), 8 * 24);
  assert.equal(hours(said(451, "3.0")), 3);
});

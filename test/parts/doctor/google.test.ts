// Google's replies of the last day, each with the setting to change.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { judgeReplies } from "../../../src/parts/doctor/google.ts";
import { BUILT_IN_REPLY_RULES } from "../../../src/retry/reply-rules.ts";

const NOW = Date.parse("2026-11-25T10:00:00Z");
const HOUR = 3_600_000;

interface Said {
  readonly id?: string;
  readonly name?: "delivery.deferred" | "delivery.failed";
  readonly host?: string | undefined;
  readonly status: string;
  readonly at?: number;
}

/** `completed` are the messages that have been delivered since. */
function judge(said: readonly Said[], completed: readonly string[] = []) {
  const events = said.map(
    ({ id = "a", name = "delivery.deferred", at = NOW - HOUR, ...fields }) => ({
      id,
      name,
      at,
      fields: { host: "aspmx.l.google.com [192.0.2.1]", ...fields },
    }),
  );
  const history = {
    named: () => events,
    events: (id: string) =>
      completed.includes(id) ? [{ at: NOW, name: "message.completed", fields: {} }] : [],
  };
  return judgeReplies(history, BUILT_IN_REPLY_RULES, NOW);
}

const WHITELIST = "421 4.7.0 IP not in whitelist for RCPT domain, closing connection.";

suite("a reply of Google", () => {
  const cases: readonly (readonly [reply: string, advice: RegExp])[] = [
    [WHITELIST, /Inbound gateway: add every address/],
    ["421 4.7.0 TLS required for RCPT domain, closing connection.", /tls = "verify"/],
    ["421 4.7.0 Our system has detected an unusual rate of unsolicited mail", /Message tagging/],
    ["421 4.7.28 Gmail has detected an unusual rate", /Message tagging/],
    ["550 5.7.28 Our system has detected an unusual rate", /Message tagging/],
    [
      "550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
      /Inbound gateway/,
    ],
    [
      "550 5.7.1 Unauthenticated email from x.test is not accepted due to domain's DMARC policy.",
      /Inbound gateway/,
    ],
    [
      "550 5.7.1 [2001:db8::1] Our system has detected that this message does not meet IPv6 sending guidelines regarding PTR records and authentication.",
      /PTR and SPF/,
    ],
  ];
  for (const [status, advice] of cases) {
    test(status.slice(0, 60), () => {
      const [finding, ...more] = judge([{ status }]);
      assert.deepEqual(more, []);
      assert.match(finding?.advice ?? "", advice);
      assert.match(finding?.found ?? "", /^Google .*last 1h ago; aspmx\.l\.google\.com said "/);
    });
  }

  const harmless = [
    "450 4.2.1 The user you are trying to contact is receiving mail too quickly",
    "452 4.2.2 The email account that you tried to reach is over quota",
    "550 5.1.1 The email account that you tried to reach does not exist",
    "421 4.3.0 Temporary System Problem. Try again later",
  ];
  for (const status of harmless) {
    test(`calls for no change: ${status.slice(0, 40)}`, () => {
      assert.deepEqual(
        judge([{ status }]).map(({ result }) => result),
        ["ok"],
      );
    });
  }

  test("of another host is none of Google's", () => {
    for (const host of ["mx.example.net [192.0.2.1]", "notgoogle.com [192.0.2.1]", undefined]) {
      assert.deepEqual(
        judge([{ status: WHITELIST, host }]).map(({ result }) => result),
        ["ok"],
      );
    }
  });

  test("is a failure while mail waits for it or was refused, and then a warning", () => {
    assert.equal(judge([{ status: WHITELIST }])[0]?.result, "fail");
    assert.equal(judge([{ status: WHITELIST }], ["a"])[0]?.result, "warn");
    const refused = { status: "550 5.7.26 unauthenticated", name: "delivery.failed" } as const;
    assert.equal(judge([refused], ["a"])[0]?.result, "fail");
  });

  test("is one finding, however often it came", () => {
    const said = ["a", "a", "b", "c"].map((id) => ({ id, status: WHITELIST }));
    const findings = judge([...said, { status: "421 4.7.28 rate", id: "d" }], ["c", "d"]);
    assert.deepEqual(
      findings.map(({ result, found }) => [result, /: (.*), last/.exec(found)?.[1]]),
      [
        ["fail", "2 messages waiting, 1 message late"],
        ["warn", "1 message late"],
      ],
    );
  });

  test("for which routers.toml has an alarm has that for its advice", () => {
    const rules = [{ hosts: ["*.google.com"], reply: "451 4.5.0", alarm: "call Google" }];
    const event = {
      id: "a",
      name: "delivery.deferred",
      at: NOW,
      fields: { host: "aspmx.l.google.com [192.0.2.1]", status: "451 4.5.0 odd" },
    };
    const history = { named: () => [event], events: () => [] };
    assert.equal(judgeReplies(history, rules, NOW)[0]?.advice, "call Google.");
  });
});

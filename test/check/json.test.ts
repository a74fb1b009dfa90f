// The dry run for programs, as a table.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CheckedRecipient, CheckReport } from "../../src/check/check.ts";
import { reportJson } from "../../src/check/json.ts";
import { status } from "../../src/mail/status.ts";
import { checked, delivery, refused, report } from "./reports.ts";

/** As a program reads it. */
function read(recipients: readonly CheckedRecipient[], given: Partial<CheckReport> = {}) {
  return JSON.parse(JSON.stringify(reportJson(report(recipients, given))));
}

const GATES = {
  accept: { verdict: "accept", reply: "250 2.1.5 Recipient ok", rule: "local_domains" },
  refuse: { verdict: "refuse", reply: "550 5.7.1 Relaying denied", rule: "none" },
  defer: { verdict: "defer", reply: "451 4.4.3 Try again later", rule: "none" },
};

describe("the gate on top", () => {
  const [accept, refuse, defer] = [checked(), refused("refuse"), refused("defer")];
  const table: readonly (readonly [
    what: string,
    recipients: readonly CheckedRecipient[],
    kind: keyof typeof GATES | undefined,
  ])[] = [
    ["no recipient", [], undefined],
    ["one that is accepted", [accept], "accept"],
    ["one that is refused", [refuse], "refuse"],
    ["one that is put off", [defer], "defer"],
    ["one refused, one accepted", [refuse, accept], "accept"],
    ["one put off, one accepted", [defer, accept], "accept"],
    ["one refused, one put off", [refuse, defer], "defer"],
    ["two that are refused", [refuse, refuse], "refuse"],
  ];
  for (const [what, recipients, kind] of table) {
    it(`of ${what}`, () => {
      const { gate, recipients: each } = read(recipients);
      assert.deepEqual(gate, kind && GATES[kind]);
      assert.deepEqual(
        each.map((one: { gate: object }) => one.gate),
        recipients.map(({ gate: { kind: own } }) => GATES[own]),
      );
    });
  }
});

describe("the reply that decides for a recipient", () => {
  const TOO_BIG = status(552, "3.4", "Too big");
  const QUEUED = status(250, "0.0", "Ok, queued");
  const SOON = status(451, "3.0", "Later");
  const table: readonly (readonly [
    what: string,
    recipient: CheckedRecipient,
    message: CheckReport["message"],
    reply: string,
    said: object | undefined,
  ])[] = [
    ["to RCPT, without a message", checked(), undefined, "250 2.1.5 Recipient ok", undefined],
    [
      "to RCPT, where the message is taken",
      checked(),
      QUEUED,
      "250 2.1.5 Recipient ok",
      { verdict: "accept", reply: "250 2.0.0 Ok, queued" },
    ],
    [
      "to the message, where that is refused",
      checked(),
      TOO_BIG,
      "552 5.3.4 Too big",
      { verdict: "refuse", reply: "552 5.3.4 Too big" },
    ],
    [
      "to the message, where that is put off",
      checked(),
      SOON,
      "451 4.3.0 Later",
      { verdict: "defer", reply: "451 4.3.0 Later" },
    ],
    [
      "to RCPT, where it was refused there",
      refused("refuse"),
      TOO_BIG,
      "550 5.7.1 Relaying denied",
      { verdict: "refuse", reply: "552 5.3.4 Too big" },
    ],
  ];
  for (const [what, recipient, message, reply, said] of table) {
    it(what, () => {
      const { recipients, message: own } = read([recipient], message && { message });
      assert.equal(recipients[0].reply, reply);
      assert.deepEqual(own, said);
    });
  }
});

describe("a delivery", () => {
  const NAMED = { router: "accounts", transport: "google", unseen: false };
  const table: readonly (readonly [what: string, given: object, shown: object])[] = [
    ["without a place", {}, NAMED],
    [
      "of a copy",
      { unseen: true, path: "/mail/bob" },
      { ...NAMED, unseen: true, path: "/mail/bob" },
    ],
    [
      "to hosts",
      { nextHops: [{ name: "mx.example.com", port: 26 }, { name: "2001:db8::1" }] },
      { ...NAMED, hosts: ["mx.example.com:26", "2001:db8::1"] },
    ],
    ["without any host", { nextHops: [] }, { ...NAMED, hosts: [] }],
    [
      "with what TLS it is made",
      { tls: [{ host: "mx.example.com", rule: "verify", why: "tls" }] },
      { ...NAMED, tls: [{ host: "mx.example.com", rule: "verify", why: "tls" }] },
    ],
  ];
  for (const [what, given, shown] of table) {
    it(what, () => {
      const { recipients } = read([checked({ deliveries: [delivery(given)] })]);
      assert.deepEqual(recipients[0].deliveries, [shown]);
    });
  }

  it("comes with the steps that lead to it, and without their address", () => {
    const step = { router: "accounts", result: "accept", why: "bob is listed" } as const;
    const { recipients } = read([checked({ trace: [{ ...step, address: "bob@example.com" }] })]);
    assert.deepEqual(recipients[0].trace, [step]);
  });
});

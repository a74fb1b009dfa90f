// Answers of a router that count as decisions, and those that do not, as a table.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Decision } from "../../src/contract/contract.ts";
import { status } from "../../src/mail/status.ts";
import { checkedDecision } from "../../src/route/checked-decision.ts";
import { mailbox } from "../support/build.ts";

const LATER = status(451, "4.3", "later");
const GONE = status(550, "1.6", "gone");
const BOB = mailbox("bob@example.com");
const HOST = { name: "mx.test", port: 26, addresses: ["192.0.2.1"], domain: "example.com" };

/** The compiler knows nothing of what a third party's driver answers. */
function checked(answer: unknown): Decision {
  const given: { answer: Decision } = { answer: { kind: "pass" } };
  Object.assign(given, { answer });
  return checkedDecision(given.answer);
}

describe("a decision counts as it is", () => {
  const cases: readonly Decision[] = [
    { kind: "pass" },
    { kind: "accept", transport: "smtp" },
    { kind: "accept", transport: "smtp", hosts: [] },
    { kind: "accept", transport: "smtp", hosts: [HOST, { name: "192.0.2.1" }] },
    { kind: "redirect", to: [BOB, mailbox("carol@example.com")] },
    { kind: "decline" },
    { kind: "decline", status: GONE, otherwise: LATER },
    { kind: "discard", why: "as the file says" },
    { kind: "fail", status: GONE, why: "it has moved" },
    { kind: "defer", status: LATER },
  ];
  for (const decision of cases)
    test(JSON.stringify(decision), () => assert.equal(checked(decision), decision));
});

describe("no decision is", () => {
  const cases: Readonly<Record<string, unknown>> = {
    nothing: undefined,
    "a text": "accept",
    "an unknown kind": { kind: "accepted" },
    "a redirect without addresses": { kind: "redirect" },
    "a redirect to nobody": { kind: "redirect", to: [] },
    "a redirect to texts": { kind: "redirect", to: ["bob@example.com"] },
    "a redirect to a text": { kind: "redirect", to: "bob@example.com" },
    "a redirect to half a mailbox": { kind: "redirect", to: [BOB, { address: "a@b.test" }] },
    "a failure with a temporary reply": { kind: "fail", status: LATER },
    "a failure without a reply": { kind: "fail" },
    "a failure with half a reply": { kind: "fail", status: { code: 550 } },
    "a failure with a code that is none": { kind: "fail", status: { ...GONE, code: 600 } },
    "a deferral with a final reply": { kind: "defer", status: GONE },
    "a deferral without a reply": { kind: "defer" },
    "a deferral with half a reply": { kind: "defer", status: { code: 451, enhanced: "4.3.0" } },
    "a decline with a temporary reply": { kind: "decline", status: LATER },
    "a decline that is final when it is unsure": { kind: "decline", otherwise: GONE },
    "an accept with hosts that are null": { kind: "accept", transport: "smtp", hosts: null },
    "an accept with hosts that are texts": { kind: "accept", transport: "smtp", hosts: ["mx"] },
    "an accept with a host without a name": {
      kind: "accept",
      transport: "smtp",
      hosts: [{ addresses: ["192.0.2.1"] }],
    },
    "an accept with an address that is no list": {
      kind: "accept",
      transport: "smtp",
      hosts: [{ ...HOST, addresses: "192.0.2.1" }],
    },
  };
  for (const [what, answer] of Object.entries(cases))
    test(what, () => assert.throws(() => checked(answer), TypeError));
});

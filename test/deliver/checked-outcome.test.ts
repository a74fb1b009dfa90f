// Answers of a transport that count as outcomes, and those that do not, as a table.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import { checkedOutcome } from "../../src/deliver/checked-outcome.ts";
import { status } from "../../src/mail/status.ts";

const LATER = { kind: "deferred", status: status(451, "3.0", "later"), scope: "host" } as const;
const DONE = { kind: "delivered", status: status(250, "0.0", "done") } as const;
const REFUSED = { kind: "failed", status: status(550, "1.1", "no") } as const;
const HOST = { kind: "host", name: "mx.test", address: "192.0.2.1", port: 25 } as const;

/** The compiler knows nothing of what a third party's driver answers. */
function checked(answer: unknown): Outcome | undefined {
  const given: { answer: Outcome } = { answer: DONE };
  Object.assign(given, { answer });
  return checkedOutcome(given.answer);
}

describe("an outcome counts as it is", () => {
  const cases: readonly Outcome[] = [
    DONE,
    REFUSED,
    LATER,
    { ...DONE, place: HOST, tls: "TLSv1.3", final: true, dsnPassedOn: true },
    { ...DONE, place: { kind: "file", path: "/mail/new/1" } },
    { ...REFUSED, place: { kind: "socket", path: "/run/lmtp" } },
    { ...LATER, place: HOST, notBefore: 1.5, waitsFor: { key: "mx.test [192.0.2.1]" } },
    {
      ...LATER,
      waitsFor: { key: "maildir /a", host: "maildir" },
      notFinalBefore: 5,
      untried: true,
    },
    { ...LATER, freeze: true, error: "timeout" },
  ];
  for (const outcome of cases)
    test(JSON.stringify(outcome), () => assert.equal(checked(outcome), outcome));
});

describe("an answer is no outcome, so that the delivery is deferred:", () => {
  const cases: Readonly<Record<string, unknown>> = {
    nothing: null,
    "a text": "delivered",
    "an unknown kind": { ...DONE, kind: "sent" },
    "a kind of every object": { ...DONE, kind: "constructor" },
    "no status": { kind: "failed" },
    "a status that is null": { ...DONE, status: null },
    "a failure with a temporary reply": { ...REFUSED, status: LATER.status },
    "a delivery that was refused": { ...DONE, status: REFUSED.status },
    "a deferral without a text": { ...LATER, status: { code: 451, enhanced: "4.3.0" } },
    "a deferral without an enhanced code": { ...LATER, status: { code: 451, text: "later" } },
    "a code with a part": { ...LATER, status: { ...LATER.status, code: 451.5 } },
    "a time that is no number": { ...LATER, notBefore: Number.NaN },
    "a time that never comes": { ...LATER, notBefore: Number.POSITIVE_INFINITY },
    "a time that is null": { ...LATER, notBefore: null },
    "an end that never comes": { ...LATER, notFinalBefore: Number.POSITIVE_INFINITY },
    "a hint as a text": { ...LATER, waitsFor: "mx.test [192.0.2.1]" },
    "a hint without a key": { ...LATER, waitsFor: { host: "mx.test" } },
    "a hint with a host that is no text": { ...LATER, waitsFor: { key: "mx.test", host: 1 } },
    "a hold, which is the queue's": { ...LATER, heldDomain: "example.com" },
    "a place as a text": { ...LATER, place: "mx.test [192.0.2.1]" },
    "a place without a port": { ...LATER, place: { ...HOST, port: undefined } },
    "a place of an unknown kind": { ...LATER, place: { kind: "cloud", path: "/" } },
  };
  for (const [what, answer] of Object.entries(cases))
    test(what, () => assert.equal(checked(answer), undefined));
});

describe("a delivery that was made, or refused for good, stays so", () => {
  test("without a place that is none", () => {
    assert.deepEqual(checked({ ...DONE, place: "mx.test" }), DONE);
    assert.deepEqual(checked({ ...REFUSED, place: { kind: "file" }, tls: "x" }), {
      ...REFUSED,
      tls: "x",
    });
  });

  test("with the place, when it is the status that is not whole", () => {
    assert.deepEqual(checked({ kind: "delivered", status: { code: 250 }, place: HOST }), {
      kind: "delivered",
      status: { code: 250, enhanced: "2.0.0", text: "" },
      place: HOST,
    });
    assert.deepEqual(checked({ kind: "failed", status: { code: 550.5, text: "no" } }), {
      kind: "failed",
      status: { code: 550, enhanced: "5.0.0", text: "no" },
    });
  });
});

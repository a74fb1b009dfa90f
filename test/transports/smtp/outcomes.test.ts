import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Outcome } from "../../../src/contract/contract.ts";
import { type Status, status } from "../../../src/mail/status.ts";
import type { TransactionResult } from "../../../src/smtp/client/client.ts";
import { recordOutcomes } from "../../../transports/smtp/outcomes.ts";
import { people } from "../support.ts";

const OK = status(250, "1.5", "Recipient ok");
const TAKEN = status(250, "0.0", "Taken");
const REFUSED = status(550, "1.1", "No such user");
const LATER = status(451, "2.1", "Later");
const CLOSING = status(421, "4.2", "Closing");
const FULL = status(452, "5.3", "Too many recipients");
const NOT_TAKEN = status(554, "6.0", "Spam");

const said = (result: Partial<TransactionResult>): TransactionResult => ({
  recipients: [OK],
  message: undefined,
  deliveries: [],
  failure: undefined,
  closed: false,
  answered: true,
  dsn: false,
  notPassed: false,
  ...result,
});

/** What was said of one recipient, and what becomes of it: "kind scope code", or "again". */
const CASES: Readonly<Record<string, readonly [TransactionResult, string]>> = {
  "the message is taken": [said({ message: TAKEN }), "delivered 250"],
  "the message is refused": [said({ message: NOT_TAKEN }), "failed 554"],
  "the message is put off": [said({ message: LATER }), "deferred message 451"],
  "the message has 421": [said({ message: CLOSING }), "again"],
  "the message has no answer": [said({}), "again"],
  "the recipient is refused, others have the message": [
    said({ recipients: [REFUSED], message: TAKEN }),
    "failed 550",
  ],
  "the recipient is put off": [
    said({ recipients: [LATER], message: TAKEN }),
    "deferred recipient 451",
  ],
  "the recipient has 421": [said({ recipients: [CLOSING] }), "again"],
  "the recipient is refused, and the message has 421": [
    said({ recipients: [REFUSED], message: CLOSING }),
    "failed 550",
  ],
  "too many recipients, others have the message": [
    said({ recipients: [FULL], message: TAKEN }),
    "again",
  ],
  "too many recipients, and no other was taken": [
    said({ recipients: [FULL] }),
    "deferred recipient 452",
  ],
  "too many recipients, and the message is refused": [
    said({ recipients: [FULL], message: NOT_TAKEN }),
    "deferred recipient 452",
  ],
  "the connection is lost under the message": [
    said({ failure: { status: LATER, scope: "message" } }),
    "deferred message 451",
  ],
  "the connection is lost before it": [
    said({ failure: { status: LATER, scope: "host" } }),
    "again",
  ],
  "delivered by itself": [said({ deliveries: [TAKEN] }), "delivered final 250"],
  "refused by itself": [said({ deliveries: [NOT_TAKEN] }), "failed 554"],
  "closed on by itself": [said({ deliveries: [CLOSING] }), "again"],
  "delivered by itself, reports passed on": [
    said({ deliveries: [TAKEN], dsn: true }),
    "delivered dsn 250",
  ],
  "reports passed on": [said({ message: TAKEN, dsn: true }), "delivered dsn 250"],
  "still coming in, and put off": [
    said({ message: LATER, notPassed: true }),
    "deferred message not passed 451",
  ],
  "still coming in, and refused": [said({ message: NOT_TAKEN, notPassed: true }), "failed 554"],
};

function described(outcome: Outcome): string {
  const words: string[] = [outcome.kind];
  if ("scope" in outcome) words.push(outcome.scope);
  if ("notPassed" in outcome) words.push("not passed");
  if ("final" in outcome) words.push("final");
  if ("dsnPassedOn" in outcome) words.push("dsn");
  return [...words, outcome.status.code].join(" ");
}

/** What becomes of `bob`, of whom all this was said. */
function becomes(result: TransactionResult, tls?: string): Outcome | undefined {
  const outcomes = new Map<string, Outcome>();
  const recipients = people("bob");
  const place = { kind: "host", name: "mx.example", address: "192.0.2.1", port: 25 } as const;
  const again = recordOutcomes(outcomes, recipients, result, { place, tls });
  const [outcome] = outcomes.values();
  assert.deepEqual(again, outcome === undefined ? recipients : []);
  assert.ok(outcome === undefined || outcome.place === place);
  return outcome;
}

describe("what becomes of a recipient", () => {
  for (const [what, [result, expected]] of Object.entries(CASES)) {
    it(`${what}: ${expected}`, () => {
      const outcome = becomes(result);
      assert.equal(outcome === undefined ? "again" : described(outcome), expected);
    });
  }

  it("552 after a recipient that was taken means too many", () => {
    const old: Status = { ...status(552, "5.3", "Too many recipients"), remote: true };
    const outcomes = new Map<string, Outcome>();
    const [bob, carl] = people("bob", "carl");
    assert.ok(bob !== undefined && carl !== undefined);
    const place = { kind: "host", name: "mx.example", address: "192.0.2.1", port: 25 } as const;
    const result = said({ recipients: [OK, old], message: TAKEN });
    const again = recordOutcomes(outcomes, [bob, carl], result, { place, tls: undefined });
    assert.deepEqual(again, [carl]);
    assert.equal(outcomes.get(bob.id)?.kind, "delivered");
  });

  it("the TLS of a delivery is noted, and of nothing else", () => {
    const tls = "TLSv1.3";
    const [taken, refused] = [TAKEN, NOT_TAKEN].map((message) => becomes(said({ message }), tls));
    assert.ok(taken !== undefined && "tls" in taken && taken.tls === tls);
    assert.ok(refused !== undefined && !("tls" in refused));
  });
});

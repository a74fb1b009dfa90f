// What becomes of a message by the proofs and the claims that it has to show.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DomainList, Match } from "../../../src/lists/lists.ts";
import { statusLine } from "../../../src/mail/status.ts";
import type { Examined } from "../../../src/receive/authentication/authentication.ts";
import type { Signature } from "../../../src/receive/authentication/mailauth.ts";
import { LoopShare } from "../../../src/base/loop-share.ts";
import { Examinations } from "../../../src/receive/content/examinations.ts";
import { tenantScanner } from "../../../src/receive/content/tenant-proof.ts";
import { manualClock } from "../../support/clock.ts";
import { resolverAnswering } from "../../support/services.ts";
import type { Proof, Secret } from "../../../src/receive/gate/gate.ts";

/** A message of example.com with one signature, or none. */
function examined(...results: readonly Signature["result"][]): Examined {
  return {
    readable: true,
    tooLong: false,
    unfit: false,
    shape: { wellFormed: true, counts: new Map([["from", 1]]) },
    author: { domains: ["example.com"], exact: true },
    signatures: results.map((result) => ({
      result,
      why: "",
      domain: "example.com",
      selector: "s",
      start: "",
      covered: new Set(["from"]),
      partial: false,
      testing: false,
    })),
  };
}

/** Answers every question about a message with what it is given. */
class Answered extends Examinations {
  readonly #seen: Examined | "crowded out";

  constructor(seen: Examined | "crowded out") {
    const resolver = resolverAnswering({ kind: "no-such-name" });
    super({ resolver, clock: manualClock(), share: new LoopShare() });
    this.#seen = seen;
  }

  override ask() {
    const seen = this.#seen;
    return {
      isCrowdedOut: seen === "crowded out",
      answer: () =>
        seen === "crowded out" ? Promise.reject(new Error("not held")) : Promise.resolve(seen),
      drop: () => undefined,
    };
  }
}

interface Case {
  readonly proofs?: readonly Proof[];
  readonly claims?: readonly Proof[];
  readonly secrets?: readonly Secret[];
  /** Fields that the filter has asked about. */
  readonly fields?: readonly string[];
  readonly seen?: Examined | "crowded out";
}

function begun({ proofs = [], claims = [], secrets = [], seen = examined() }: Case) {
  return tenantScanner(new Answered(seen)).begin({
    client: { address: "192.0.2.1", helo: "client.test" },
    sender: null,
    recipients: [],
    isLocal: false,
    isRelayed: true,
    proofs,
    claims,
    secrets,
  });
}

/** "pass", "pass, not relayed", or the line of the refusal. */
async function finding(one: Case): Promise<string> {
  const scan = begun(one);
  assert.ok(scan);
  for (const field of one.fields ?? []) scan.unwanted?.isUnwanted(field);
  const found = await scan.end();
  if (found.kind === "refuse") return statusLine(found.status);
  return found.relayed === false ? `${found.kind}, not relayed` : found.kind;
}

const matching = (kind: Match["kind"]): DomainList => ({ match: () => ({ kind, why: "" }) });
const header = (name: string, value = "s3cret"): Secret => ({ name, value });
const OURS: Proof = { dkim: matching("in") };
const UNREADABLE: Proof = { dkim: matching("defer") };
const TENANT: Proof = { headers: [header("x-a", "old"), header("x-a", "new")] };
const EITHER: Proof = { ...OURS, headers: [header("x-a"), header("x-b")] };
const DENIED = "550 5.7.1 Relaying denied: the message does not show that it is from our tenant";
const NO_HEADER = `${DENIED}: no x-a header with the right value`;
const NO_SIGNATURE = `${DENIED}: no DKIM signature of example.com`;
const NO_ANSWER = "451 4.7.0 Try again later: no answer from the DNS about the key of example.com";

describe("a message that has to show", () => {
  const table: readonly (readonly [what: string, given: Case, found: string])[] = [
    ["a header that it has not", { proofs: [TENANT] }, NO_HEADER],
    ["a header that it has", { proofs: [TENANT], fields: ["X-A: new\r\n"] }, "pass"],
    ["the header of before", { proofs: [TENANT], fields: ["x-a : old\r\n"] }, "pass"],
    ["a header that is folded", { proofs: [TENANT], fields: ["X-A:\r\n\told\r\n"] }, "pass"],
    ["a header with another value", { proofs: [TENANT], fields: ["X-A: newer\r\n"] }, NO_HEADER],
    ["a header in other case", { proofs: [TENANT], fields: ["X-A: NEW\r\n"] }, NO_HEADER],
    ["a header of another name", { proofs: [TENANT], fields: ["X-B: new\r\n"] }, NO_HEADER],
    ["an empty header", { proofs: [TENANT], fields: ["X-A:\r\n"] }, NO_HEADER],
    [
      "one of two headers or a signature",
      { proofs: [EITHER] },
      `${NO_SIGNATURE}, and no x-a header with the right value, and no x-b header with the right value`,
    ],
    ["the second header", { proofs: [EITHER], fields: ["X-B: s3cret\r\n"] }, "pass"],
    ["a signature that it has", { proofs: [OURS], seen: examined("pass") }, "pass"],
    ["a second signature", { proofs: [OURS], seen: examined("fail", "pass") }, "pass"],
    ["a signature that it has not", { proofs: [OURS] }, NO_SIGNATURE],
    [
      "a signature, where that is another's",
      { proofs: [{ dkim: matching("out") }], seen: examined("pass") },
      NO_SIGNATURE,
    ],
    [
      "a signature whose key the DNS does not give",
      { proofs: [OURS], seen: examined("temperror") },
      NO_ANSWER,
    ],
    [
      "a signature, by a list that cannot be read",
      { proofs: [UNREADABLE], seen: examined("pass") },
      "451 4.7.0 Try again later: the list of our domains cannot be read now",
    ],
    [
      "a signature, where nobody can look at it",
      { proofs: [OURS], seen: "crowded out" },
      "452 4.3.1 Too many long header sections at once, try again later",
    ],
    [
      "a header or a signature, at which nobody can look",
      { proofs: [EITHER], seen: "crowded out", fields: ["X-A: s3cret\r\n"] },
      "pass",
    ],
    [
      "two proofs, and has the first",
      { proofs: [OURS, TENANT], seen: examined("pass") },
      NO_HEADER,
    ],
    [
      "two proofs, and has both",
      { proofs: [OURS, TENANT], seen: examined("pass"), fields: ["X-A: new\r\n"] },
      "pass",
    ],
    ["what it claims, and has not", { claims: [TENANT] }, "pass, not relayed"],
    ["what it claims, and has", { claims: [TENANT], fields: ["X-A: new\r\n"] }, "pass"],
    [
      "a signature that it claims, and the DNS does not answer",
      { claims: [OURS], seen: examined("temperror") },
      NO_ANSWER,
    ],
    ["as a proof what it claims, too", { proofs: [TENANT], claims: [TENANT] }, NO_HEADER],
    ["nothing, and has a secret", { secrets: [header("x-a")] }, "pass"],
  ];
  for (const [what, given, found] of table) {
    it(`${what}: ${found}`, async () => assert.equal(await finding(given), found));
  }

  it("nothing at all is not looked at", () => assert.equal(begun({}), undefined));
});

describe("the field with a secret", () => {
  const table: readonly (readonly [field: string, given: Case, isUnwanted: boolean])[] = [
    ["X-A: s3cret\r\n", { secrets: [header("x-a")] }, true],
    ["x-a:s3cret\r\n", { secrets: [header("x-a")] }, true],
    ["X-A: s3cret \t\r\n", { secrets: [header("x-a")] }, true],
    ["X-A: s3cre\r\n t\r\n", { secrets: [header("x-a")] }, false],
    ["X-A: s3cret, too\r\n", { secrets: [header("x-a")] }, false],
    ["X-B: s3cret\r\n", { secrets: [header("x-a")] }, false],
    ["X-A\r\n : s3cret\r\n", { secrets: [header("x-a")] }, false],
    ["X-A: old\r\n", { proofs: [TENANT] }, true],
    ["X-A: new\r\n", { claims: [TENANT] }, true],
    ["X-A: gr\xfcn\r\n", { secrets: [header("x-a", "gr\u00fcn")] }, false],
    ["X-A: gr\xc3\xbcn\r\n", { secrets: [header("x-a", "gr\u00fcn")] }, true],
  ];
  for (const [field, given, isUnwanted] of table) {
    it(`${JSON.stringify(field)} ${isUnwanted ? "stays behind" : "goes on"}`, () => {
      assert.equal(begun(given)?.unwanted?.isUnwanted(field), isUnwanted);
    });
  }
});

describe("a message may go out before its end", () => {
  const SECTION = { hops: 0, held: "unwanted" } as const;
  const shown = ["X-A: new\r\n"];
  const table: readonly (readonly [
    what: string,
    given: Case,
    before: boolean,
    behindHeader: boolean,
  ])[] = [
    ["that has to show a header", { proofs: [TENANT] }, false, false],
    ["that has shown it", { proofs: [TENANT], fields: shown }, true, true],
    ["that has to show a signature", { proofs: [OURS] }, false, false],
    ["that claims a header", { claims: [TENANT] }, false, true],
    ["that has shown what it claims", { claims: [TENANT], fields: shown }, true, true],
    ["that claims a signature", { claims: [OURS] }, false, false],
    ["of which only a secret stays behind", { secrets: [header("x-a")] }, true, true],
  ];
  for (const [what, given, before, behindHeader] of table) {
    it(`one ${what}: ${before ? "at once" : behindHeader ? "behind its header" : "never"}`, () => {
      const scan = begun(given);
      for (const field of given.fields ?? []) scan?.unwanted?.isUnwanted(field);
      assert.equal(scan?.mayGo?.(), before);
      scan.header?.(SECTION);
      assert.equal(scan.mayGo?.(), behindHeader);
    });
  }
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isVouchedFor } from "../../../src/receive/authentication/vouched.ts";
import type { Result, Signature } from "../../../src/receive/authentication/mailauth.ts";
import type { Spf } from "../../../src/receive/authentication/results.ts";
import { mailbox } from "../../support/build.ts";

const SENDER = mailbox("carol@mail.example.net");

function spf(result: Result, identity: Spf["identity"] = "mailfrom"): Spf {
  return { result, identity, domain: "mail.example.net" };
}

function signature(domain: string, result: Result = "pass", given: Partial<Signature> = {}) {
  const rest = { why: "", selector: "s", start: "", covered: new Set(["from"]) };
  return { ...rest, domain, result, partial: false, testing: false, ...given };
}

const cases: Readonly<Record<string, readonly [Spf, readonly Signature[], boolean | undefined]>> = {
  "an SPF pass of the sender's domain": [spf("pass"), [], true],
  "an SPF pass of the name in HELO is none": [spf("pass", "helo"), [], false],
  "softfail, neutral and none": [spf("softfail"), [], false],
  "nothing at all": [spf("none"), [], false],
  "a signature of the domain": [spf("fail"), [signature("mail.example.net")], true],
  "a signature of the organization": [spf("fail"), [signature("example.net")], true],
  "a signature of another name of the organization": [
    spf("none"),
    [signature("esp.example.net")],
    true,
  ],
  "a signature in capitals": [spf("none"), [signature("EXAMPLE.NET")], true],
  "a signature of somebody else": [spf("fail"), [signature("example.org")], false],
  "a signature of a name that only ends alike": [
    spf("fail"),
    [signature("evilexample.net")],
    false,
  ],
  "a signature of a public suffix": [spf("fail"), [signature("net")], false],
  "a signature that is wrong": [spf("fail"), [signature("example.net", "fail")], false],
  "a signature over a part of the body": [
    spf("fail"),
    [signature("example.net", "pass", { partial: true })],
    false,
  ],
  "a key for tests": [spf("fail"), [signature("example.net", "pass", { testing: true })], false],
  "a DNS that does not answer about SPF": [spf("temperror"), [], undefined],
  "a DNS that does not answer about the key": [
    spf("fail"),
    [signature("example.net", "temperror")],
    undefined,
  ],
  "somebody else's DNS that does not answer": [
    spf("fail"),
    [signature("example.org", "temperror")],
    false,
  ],
  "one that passes beside one without an answer": [
    spf("temperror"),
    [signature("example.org", "temperror"), signature("example.net")],
    true,
  ],
};

describe("whether anybody vouches for a sender", () => {
  for (const [what, [spfResult, signatures, expected]] of Object.entries(cases)) {
    test(`${what}: ${expected}`, async () => {
      assert.equal(await isVouchedFor(SENDER, { spf: spfResult, signatures }), expected);
    });
  }

  test("two customers of one public suffix do not vouch for each other", async () => {
    const shown = { spf: spf("fail"), signatures: [signature("evil.co.uk")] };
    assert.equal(await isVouchedFor(mailbox("x@bank.co.uk"), shown), false);
  });
});

// What is said of strangers' mail, and when it is refused.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Inbound } from "../../../src/receive/authentication/inbound.ts";
import type { Evaluation } from "../../../src/receive/authentication/inbound.ts";
import { statusLine } from "../../../src/mail/status.ts";
import { manualClock } from "../../support/clock.ts";
import { mailbox } from "../../support/build.ts";
import { type How, LETTER, rsaKey, signed } from "./signing.ts";
import { examined, type Zone, zoneResolver } from "./support.ts";

const BANK = rsaKey();
const EVIL = rsaKey();

const ZONE: Zone = {
  "bank.test": ["v=spf1 ip4:192.0.2.25 -all", "something else"],
  "_dmarc.bank.test": ["v=DMARC1; p=reject"],
  "sel._domainkey.bank.test": [BANK.record],
  "silent._domainkey.bank.test": "temporary",
  "soft.test": ["v=spf1 ~all"],
  "_dmarc.soft.test": ["v=DMARC1; p=quarantine"],
  "strict.test": ["v=spf1 ip4:192.0.2.25 -all"],
  "mail.strict.test": ["v=spf1 ip4:192.0.2.25 -all"],
  "_dmarc.strict.test": ["v=DMARC1; p=reject; aspf=s"],
  "evil.test": ["v=spf1 ip4:203.0.113.6 -all"],
  "sel._domainkey.evil.test": [EVIL.record],
  "silent._domainkey.evil.test": "temporary",
  "silent.test": "temporary",
  "_dmarc.silent.test": ["v=DMARC1; p=reject"],
  "_dmarc.unsure.test": "temporary",
  "helo.test": ["v=spf1 a -all"],
  "A helo.test": ["192.0.2.25"],
  "mx.test": ["v=spf1 mx -all"],
  "MX mx.test": ["helo.test"],
  "old.test": ["v=spf1 ptr -all"],
  "_dmarc.old.test": ["v=DMARC1; p=reject"],
  "deep.test": [
    `v=spf1 ${Array.from({ length: 11 }, (_, i) => `include:n${i}.deep.test`).join(" ")} -all`,
  ],
  ...Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`n${i}.deep.test`, ["v=spf1 ?all"]])),
  "void.test": ["v=spf1 a:a.void.test a:b.void.test a:c.void.test ip4:192.0.2.25 -all"],
};

const HONEST = "192.0.2.25";
const STRANGER = "203.0.113.6";

interface Sent {
  readonly letter?: string;
  readonly from?: string | null;
  readonly by?: string;
  readonly helo?: string;
  readonly zone?: Zone;
}

async function enforced(sent: Sent): Promise<Evaluation> {
  const { letter = letterFrom("ceo@bank.test"), from = "ceo@bank.test", by = STRANGER } = sent;
  const resolver = zoneResolver({ ...ZONE, ...sent.zone });
  const services = { resolver, clock: manualClock() };
  const inbound = new Inbound({ hostname: "mx.example.com", policy: "enforce" }, services);
  const client = { address: by, helo: sent.helo ?? "helo.test" };
  const evaluate = inbound.begin(client, from === null ? null : mailbox(from));
  return evaluate(await examined(letter, resolver));
}

async function said(sent: Sent): Promise<string> {
  const { summary, refusal } = await enforced(sent);
  return `${summary}${refusal === undefined ? "" : ` ${refusal.code}`}`;
}

const letterFrom = (author: string) => LETTER.replace("Alice <alice@example.com>", author);

function signedBy(author: string, how: Partial<How>): string {
  return signed(letterFrom(author), { key: EVIL, domain: "evil.test", ...how });
}

describe("a message is let in", () => {
  const evil = "x@evil.test";
  const cases: Readonly<Record<string, readonly [Sent, string]>> = {
    "by SPF of its author's domain": [{ by: HONEST }, "spf=pass dkim=none dmarc=pass"],
    "by DKIM of its author's domain": [
      { letter: signedBy("ceo@bank.test", { key: BANK, domain: "bank.test" }), from: evil },
      "spf=pass dkim=pass dmarc=pass",
    ],
    "by DKIM of a domain below": [
      {
        letter: signedBy("ceo@bank.test", { key: BANK, domain: "mail.bank.test" }),
        from: evil,
        zone: { "sel._domainkey.mail.bank.test": [BANK.record] },
      },
      "spf=pass dkim=pass dmarc=pass",
    ],
    "when its author's domain asks for nothing": [
      { letter: letterFrom("x@evil.test"), from: "x@evil.test" },
      "spf=pass dkim=none dmarc=none",
    ],
    "when it asks for quarantine": [
      { letter: letterFrom("a@soft.test"), from: evil },
      "spf=pass dkim=none dmarc=fail",
    ],
    "when the DNS does not answer about SPF of its author's domain": [
      { letter: letterFrom("a@silent.test"), from: "a@silent.test" },
      "spf=temperror dkim=none dmarc=temperror",
    ],
    "when it does not answer about a key of it": [
      {
        letter: signedBy("ceo@bank.test", { domain: "bank.test", selector: "silent" }),
        from: evil,
      },
      "spf=pass dkim=temperror dmarc=temperror",
    ],
    "when it does not answer about its policy": [
      { letter: letterFrom("a@unsure.test"), from: evil },
      "spf=pass dkim=none dmarc=temperror",
    ],
    "when SPF of its author's domain cannot be told for a ptr": [
      { letter: letterFrom("a@old.test"), from: "a@old.test" },
      "spf=temperror dkim=none dmarc=temperror",
    ],
    "without an author": [
      { letter: LETTER.replace(/^From:.*\r\n/, ""), from: evil },
      "spf=pass dkim=none dmarc=none",
    ],
    "with a null sender, by SPF of the HELO name": [
      { letter: letterFrom("a@helo.test"), from: null, by: HONEST },
      "spf=pass dkim=none dmarc=none",
    ],
    "by the MX of its author's domain": [
      { letter: letterFrom("a@mx.test"), from: "a@mx.test", by: HONEST },
      "spf=pass dkim=none dmarc=none",
    ],
    "with too many lookups in SPF": [
      { letter: letterFrom("a@deep.test"), from: "a@deep.test" },
      "spf=permerror dkim=none dmarc=none",
    ],
    "with too many void lookups in SPF": [
      { letter: letterFrom("a@void.test"), from: "a@void.test", by: HONEST },
      "spf=permerror dkim=none dmarc=none",
    ],
  };
  for (const [what, [sent, words]] of Object.entries(cases)) {
    test(what, async () => assert.equal(await said(sent), words));
  }
});

describe("a forged author is refused where his domain asks for it", () => {
  const evil = "x@evil.test";
  const refused = "spf=pass dkim=none dmarc=fail 550";
  const cases: Readonly<Record<string, readonly [Sent, string]>> = {
    "without anything": [{}, "spf=fail dkim=none dmarc=fail 550"],
    "with SPF of the forger": [{ from: evil }, refused],
    "with DKIM of the forger": [
      { letter: signedBy("ceo@bank.test", {}), from: evil },
      "spf=pass dkim=pass dmarc=fail 550",
    ],
    "with a changed body": [
      {
        letter: signedBy("ceo@bank.test", { key: BANK, domain: "bank.test" }).replace(
          "Hello",
          "Hi",
        ),
        from: evil,
      },
      "spf=pass dkim=fail dmarc=fail 550",
    ],
    "with a subdomain of his": [{ letter: letterFrom("a@mail.bank.test"), from: evil }, refused],
    "with a relaxed SPF domain where it is to be the same": [
      { letter: letterFrom("a@strict.test"), from: "a@mail.strict.test", by: HONEST },
      refused,
    ],
    "with a null sender and a HELO of the forger": [{ from: null, helo: "evil.test" }, refused],
    "beside another author": [
      { letter: letterFrom("x@evil.test, ceo@bank.test"), from: evil },
      refused,
    ],
    "in a second From": [
      { letter: `From: ${evil}\r\n${letterFrom("ceo@bank.test")}`, from: evil },
      refused,
    ],
    "in a From that is none": [{ letter: letterFrom('"ceo@bank.test'), from: evil }, refused],
    "with the dot of the root behind it": [
      { letter: letterFrom("<ceo@bank.test.>"), from: evil },
      refused,
    ],
    "in a group": [{ letter: letterFrom("us: ceo@bank.test;"), from: evil }, refused],
    "behind a comment": [
      { letter: letterFrom("(x@evil.test) ceo@bank.test"), from: evil },
      refused,
    ],
    "with a DNS of the forger that does not answer": [
      { letter: signedBy("ceo@bank.test", { selector: "silent" }), from: "a@silent.test" },
      "spf=temperror dkim=temperror dmarc=fail 550",
    ],
    "with the name of a key that cannot be asked for": [
      {
        letter: signedBy("ceo@bank.test", {
          domain: "bank.test",
          selector: Array.from({ length: 5 }, () => "s".repeat(60)).join("."),
        }),
        from: evil,
      },
      "spf=pass dkim=neutral dmarc=fail 550",
    ],
    "behind a crowd of signatures": [
      {
        letter:
          "DKIM-Signature: v=1; d=silent.bank.test.evil.test; s=a; h=from; a=rsa-sha256; bh=x; b=x\r\n".repeat(
            50,
          ) + letterFrom("ceo@bank.test"),
        from: evil,
      },
      "spf=pass dkim=fail dmarc=fail 550",
    ],
    "under so many fields that nobody reads them": [
      { letter: "a:\r\n".repeat(20_000) + letterFrom("ceo@bank.test"), from: evil },
      "spf=pass dkim=none dmarc=permerror 550",
    ],
    "at the end of a From that nobody reads so far": [
      { letter: letterFrom(`"${"x".repeat(5000)}" <ceo@bank.test>`), from: evil },
      "spf=pass dkim=none dmarc=permerror 550",
    ],
    "in the last of more From fields than anybody reads": [
      {
        letter: `From: ${"x".repeat(3000)}\r\n`.repeat(2) + letterFrom("ceo@bank.test"),
        from: evil,
      },
      "spf=pass dkim=none dmarc=permerror 550",
    ],
    "among so many authors that nobody asks for all": [
      {
        letter: letterFrom(
          [1, 2, 3, 4]
            .map((n) => `a@n${n}.test, `)
            .join("")
            .concat("ceo@bank.test"),
        ),
        from: evil,
      },
      "spf=pass dkim=none dmarc=permerror 550",
    ],
  };
  for (const [what, [sent, words]] of Object.entries(cases)) {
    test(what, async () => assert.equal(await said(sent), words));
  }

  test("and the client hears whose policy it is", async () => {
    const { refusal } = await enforced({});
    assert.equal(
      refusal && statusLine(refusal),
      "550 5.7.26 Unauthenticated mail from bank.test is not accepted, as its DMARC policy wants it",
    );
  });
});

describe("Authentication-Results", () => {
  test("has every method, by names of the DNS alone", async () => {
    const letter = signedBy("ceo@bank.test", { key: BANK, domain: "Bank.test" });
    const { header } = await enforced({ letter, from: "x@evil.test" });
    assert.equal(
      header.replace(/header\.b="[A-Za-z0-9+/]{8}"/, "header.b=B"),
      "Authentication-Results: mx.example.com;\r\n" +
        "\tspf=pass smtp.mailfrom=evil.test;\r\n" +
        "\tdkim=pass header.d=bank.test header.s=sel header.b=B;\r\n" +
        "\tdmarc=pass (p=reject) header.from=bank.test\r\n",
    );
  });

  test("of an unsigned message with a null sender", async () => {
    const { header } = await enforced({
      letter: letterFrom("a@helo.test"),
      from: null,
      by: HONEST,
    });
    assert.equal(
      header,
      "Authentication-Results: mx.example.com;\r\n\tspf=pass smtp.helo=helo.test;\r\n" +
        "\tdkim=none;\r\n\tdmarc=none header.from=helo.test\r\n",
    );
  });

  test("has nothing that a stranger made up", async () => {
    const word = "[a-z0-9._-]+";
    const wellFormed = new RegExp(
      `^Authentication-Results: mx\\.example\\.com;\r\n\tspf=none;\r\n` +
        `\tdkim=[a-z]+(?: header\\.d=${word})?(?: header\\.s=${word})?(?: header\\.b="[A-Za-z0-9+/=]+")?;\r\n` +
        `\tdmarc=fail \\(p=reject\\) header\\.from=bank\\.test\r\n$`,
    );
    for (const domain of ["evil.test;dkim=pass", "evil.test)(", '"evil', "a b", "e\u00e9.test"]) {
      const letter = signedBy("ceo@bank.test", { domain, selector: '";\u00e9 (' });
      const { header } = await enforced({ letter, helo: "[192.0.2.1]", from: null });
      assert.match(header, wellFormed);
    }
  });
});

test("a policy of more than four kilobytes is none, and others end, however they are made", async () => {
  const long = "a;b=c".repeat(12_000);
  const records = {
    [`v=spf1 a:${"a".repeat(4000)}`]: "permerror",
    [`v=spf1 a:${"a-".repeat(2000)}.`]: "permerror",
    [`v=spf1 exists:${"%{d}.".repeat(700)}test`]: "neutral",
    "v=spf1 exists:%{d99999999r.-+,/_=}.test": "temperror",
    [`v=spf1 ${"a:b ".repeat(900)}`]: "permerror",
    [`v=spf1 ${"x=y ".repeat(900)}`]: "neutral",
    "v=spf1 redirect=evil2.test": "permerror",
    "v=spf1 exp=evil2.test -all": "fail",
    [`v=spf1 ip4:${STRANGER} x=${long}`]: "none",
  };
  for (const [record, result] of Object.entries(records)) {
    const zone = { "evil2.test": [record], "_dmarc.evil2.test": [`v=DMARC1; p=${long}`] };
    const words = await said({ letter: letterFrom("x@evil2.test"), from: "x@evil2.test", zone });
    assert.equal(words, `spf=${result} dkim=none dmarc=none`, record.slice(0, 60));
  }
});

function never(): Promise<never> {
  return new Promise(() => undefined);
}

test("nobody waits longer than ten seconds for SPF, and as long for the policy", async () => {
  const clock = manualClock();
  const resolver = { ...zoneResolver({}), txt: never };
  const inbound = new Inbound(
    { hostname: "mx.example.com", policy: "enforce" },
    { resolver, clock },
  );
  const evaluate = inbound.begin({ address: STRANGER, helo: "helo.test" }, mailbox("a@bank.test"));
  const message = await examined(letterFrom("a@bank.test"), zoneResolver({}));
  let done = false;
  const evaluating = evaluate(message).finally(() => (done = true));
  const later = async () => {
    clock.advance(9999);
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    return done;
  };
  assert.deepEqual(
    [await later(), await later(), await later(), await later()],
    [false, false, false, true],
  );
  const { summary, refusal } = await evaluating;
  assert.equal(summary, "spf=temperror dkim=none dmarc=temperror");
  assert.equal(refusal, undefined);
});

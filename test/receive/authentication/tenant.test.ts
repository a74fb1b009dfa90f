// Whether another tenant of Google's can send through us: every case is a message that he might send.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { examineAll, Examination } from "../../../src/receive/authentication/authentication.ts";
import { ONLY_ONCE } from "../../../src/receive/authentication/header-shape.ts";
import { judgeTenant, type TenantVerdict } from "../../../src/receive/authentication/tenant.ts";
import { headerBudgets } from "../../../src/receive/header/header-budget.ts";
import { HeaderReader } from "../../../src/receive/header/header.ts";
import { LoopShare } from "../../../src/base/loop-share.ts";
import { manualClock } from "../../support/clock.ts";
import { bench } from "../../lists/support.ts";
import { ed25519Key, type How, LETTER, rsaKey, signed } from "./signing.ts";
import { examined, type Zone, zoneResolver } from "./support.ts";

const OURS = rsaKey();
const THEIRS = rsaKey();
const WEAK = rsaKey(768);
const EDWARDS = ed25519Key();

const GOOGLE = "20230601.gappssmtp.com";

const ZONE: Zone = {
  "sel._domainkey.example.com": [OURS.record],
  "edwards._domainkey.example.com": [EDWARDS.record],
  "weak._domainkey.example.com": [WEAK.record],
  "testing._domainkey.example.com": [OURS.record.replace("k=rsa", "t=y; k=rsa")],
  "revoked._domainkey.example.com": ["v=DKIM1; k=rsa; p="],
  "two._domainkey.example.com": [THEIRS.record, OURS.record],
  "silent._domainkey.example.com": "temporary",
  "calendar._domainkey.example.com": [OURS.record.replace("k=rsa", "s=calendar; k=rsa")],
  "sel._domainkey.mail.example.com": [OURS.record],
  "sel._domainkey.other.test": [THEIRS.record],
  "silent._domainkey.other.test": "temporary",
  "sel._domainkey.com": [THEIRS.record],
  "sel._domainkey.notexample.com": [THEIRS.record],
  "sel._domainkey.example.com.other.test": [THEIRS.record],
  "sel._domainkey.example.co": [THEIRS.record],
};
/** Google's key is the same for all tenants. */
const DEFAULTS: Zone = Object.fromEntries(
  ["example-com", "other-test", "my-example-com", "mail-example-com", "example-co-uk"].map(
    (name) => [`sel._domainkey.${name}.${GOOGLE}`, [OURS.record]],
  ),
);

async function verdictOf(
  message: string,
  ours: readonly string[] = ["example.com"],
): Promise<TenantVerdict> {
  using here = bench();
  const resolver = zoneResolver({ ...ZONE, ...DEFAULTS });
  return judgeTenant(await examined(message, resolver), here.lists.domains(ours));
}

function by(given: Partial<How> = {}): How {
  return { key: OURS, domain: "example.com", ...given };
}

const from = (author: string) => LETTER.replace("Alice <alice@example.com>", author);

const TYPED = `MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\n${LETTER}`;

describe("a message is from our tenant", () => {
  const cases: Readonly<Record<string, string>> = {
    "with a signature of its author's domain": signed(LETTER, by()),
    "with Ed25519": signed(
      LETTER,
      by({ key: EDWARDS, selector: "edwards", algorithm: "ed25519-sha256" }),
    ),
    "with Google's default signature for its author's domain": signed(
      LETTER,
      by({ domain: `example-com.${GOOGLE}` }),
    ),
    "with the signature of the domain above its author's": signed(
      from("alice@mail.example.com"),
      by(),
    ),
    "when d= is in other case": signed(LETTER, by({ domain: "Example.COM" })),
    "when From is covered twice, against a second one": signed(
      LETTER,
      by({ covers: ["from", "to", "subject", "date", "from", "cc", "reply-to"] }),
    ),
    "when a signature that has not expired says so": signed(LETTER, by({ tags: "x=4000000000" })),
    "beside signatures of others, broken ones, and ones without an answer": signed(
      signed(signed(LETTER, by()), by({ key: THEIRS, domain: "other.test" })),
      by({ selector: "silent", domain: "other.test" }),
    ),
    "beside a thousand signatures of others": Array.from(
      { length: 1000 },
      (_, i) => `DKIM-Signature: v=1; d=n${i}.test; s=a; h=from; a=rsa-sha256; bh=x; b=x\r\n`,
    )
      .join("")
      .concat(signed(LETTER, by())),
    "with several authors of one domain": signed(
      from('alice@example.com, "Bob, the \\" builder" (at work) <bob@example.com>'),
      by(),
    ),
    "when a display name has another's address": signed(
      from('"ceo@other.test" <alice@example.com>'),
      by(),
    ),
    "with a content type that stands once": signed(TYPED, by()),
    "with fields of a list that the signature covers": signed(
      `List-Id: <sales.example.com>\r\n${LETTER}`,
      by({ covers: ["from", "to", "subject", "date", "list-id"] }),
    ),
    "with an empty body": signed(`${LETTER.slice(0, LETTER.indexOf("\r\n\r\n"))}\r\n\r\n`, by()),
  };
  for (const [what, message] of Object.entries(cases)) {
    test(what, async () => assert.deepEqual(await verdictOf(message), { kind: "proven" }));
  }

  test("in whatever pieces it comes", async () => {
    using here = bench();
    const resolver = zoneResolver(ZONE);
    for (const size of [1, 2, 3, 7, 64]) {
      const seen = await examined(signed(LETTER, by()), resolver, size);
      const verdict = await judgeTenant(seen, here.lists.domains(["example.com"]));
      assert.equal(verdict.kind, "proven", `pieces of ${size}`);
    }
  });
});

const LATER = signed(LETTER, by());

describe("another tenant cannot send through us", () => {
  const no = "no DKIM signature of example.com";
  const the = "the DKIM signature of example.com: ";
  const unsure = "its author cannot be told for certain";
  const cases: Readonly<Record<string, readonly [message: string, why: string]>> = {
    "without a signature": [LETTER, no],
    "with a changed body": [LATER.replace("Hello", "Hallo"), `${the}body hash did not verify`],
    "with more behind the body": [`${LATER}Buy this!\r\n`, `${the}body hash did not verify`],
    "with another author": [
      LATER.replace("Alice <alice", "Mallory <mallory"),
      `${the}bad signature`,
    ],
    "with another subject": [LATER.replace("hello", "Buy this!"), `${the}bad signature`],
    "with a second From on top": [
      `From: mallory@other.test\r\n${LATER}`,
      "more than one from field",
    ],
    "with a second From at the end": [
      LATER.replace("\r\n\r\n", "\r\nFROM : mallory@other.test\r\n\r\n"),
      "more than one from field",
    ],
    "with a second From whose colon is folded": [
      `From\r\n : mallory@other.test\r\n${LATER}`,
      "more than one from field",
    ],
    "with a second subject on top": [`Subject: Buy!\r\n${LATER}`, "more than one subject field"],
    "with a subject that the signature does not cover": [
      signed(LETTER, by({ covers: ["from", "to", "date"] })).replace("hello", "Buy this!"),
      `${the}it does not cover subject`,
    ],
    "with a Reply-To of his own": [
      `Reply-To: mallory@other.test\r\n${LATER}`,
      `${the}it does not cover reply-to`,
    ],
    "with a second Content-Type": [
      `Content-Type: multipart/mixed; boundary=x\r\n${signed(TYPED, by())}`,
      "more than one content-type field",
    ],
    "with a second Content-Transfer-Encoding at the end": [
      signed(TYPED, by()).replace("\r\n\r\n", "\r\ncontent-transfer-encoding: base64\r\n\r\n"),
      "more than one content-transfer-encoding field",
    ],
    "with a second MIME-Version": [
      `MIME-Version: 1.0\r\n${signed(TYPED, by())}`,
      "more than one mime-version field",
    ],
    ...Object.fromEntries(
      ONLY_ONCE.flatMap((name) =>
        [`${name}: a`, `${name.toUpperCase()} : a`, `${name}\r\n\t: a`].map((field) => [
          `with two more fields ${JSON.stringify(field)}`,
          [`${field}\r\n${field}\r\n${signed(TYPED, by())}`, `more than one ${name} field`],
        ]),
      ),
    ),
    "with a List-Unsubscribe of his own": [
      `List-Unsubscribe: <https://evil.test/>\r\n${LATER}`,
      `${the}it does not cover list-unsubscribe`,
    ],
    "with a Resent-From of his own": [
      `Resent-From: mallory@other.test\r\n${LATER}`,
      `${the}it does not cover resent-from`,
    ],
    "with a line that is no field": [`mallory was here\r\n${LATER}`, unsure],
    "with a folded line on top": [` X: mallory@other.test\r\n${LATER}`, unsure],
    "with From uncovered": [
      signed(LETTER, by({ covers: ["to", "subject", "date"] })),
      `${the}From field not signed`,
    ],
    "with a part of the body uncovered": [
      `${signed(LETTER, by({ length: 20 }))}Buy this!\r\n`,
      `${the}it covers only a part of the body`,
    ],
    "with l= over all of the body": [
      signed(LETTER, by({ length: 100 })),
      `${the}it covers only a part of the body`,
    ],
    "with an expired signature": [signed(LETTER, by({ tags: "x=1600000000" })), `${the}expired`],
    "with rsa-sha1": [signed(LETTER, by({ algorithm: "rsa-sha1" })), `${the}weak algorithm`],
    "with a key that is too short": [
      signed(LETTER, by({ key: WEAK, selector: "weak" })),
      `${the}weak key`,
    ],
    "with a key for tests": [
      signed(LETTER, by({ selector: "testing" })),
      `${the}its key is for tests only`,
    ],
    "with a key that was revoked": [
      signed(LETTER, by({ selector: "revoked" })),
      `${the}invalid public key`,
    ],
    "with a key that is not for mail": [
      signed(LETTER, by({ selector: "calendar" })),
      `${the}key not for email`,
    ],
    "with one of two keys of a name": [
      signed(LETTER, by({ selector: "two", key: THEIRS })),
      `${the}invalid public key`,
    ],
    "with a key that is nowhere": [signed(LETTER, by({ selector: "none" })), `${the}no key`],
    "with his own key and our domain": [signed(LETTER, by({ key: THEIRS })), `${the}bad signature`],
    "with our domain as a second d=": [
      signed(LETTER, by({ key: THEIRS, domain: "other.test", tags: "d=example.com" })),
      `${the}signature syntax error`,
    ],
    "with our domain as D=": [
      signed(LETTER, by({ key: THEIRS, domain: "other.test", tags: "D=example.com" })),
      no,
    ],
    "with our domain as i= only": [
      signed(LETTER, by({ key: THEIRS, domain: "other.test", tags: "i=@example.com" })),
      no,
    ],
    "with his own domain": [signed(LETTER, by({ key: THEIRS, domain: "other.test" })), no],
    "with his own domain and author": [
      signed(from("mallory@other.test"), by({ key: THEIRS, domain: "other.test" })),
      "no DKIM signature of other.test",
    ],
    "with ours behind a common end": [
      signed(from("alice@notexample.com"), by({ key: THEIRS, domain: "notexample.com" })),
      "no DKIM signature of notexample.com",
    ],
    "with ours as the beginning of his": [
      signed(
        from("alice@example.com.other.test"),
        by({ key: THEIRS, domain: "example.com.other.test" }),
      ),
      "no DKIM signature of example.com.other.test",
    ],
    "with a part of ours": [signed(LETTER, by({ key: THEIRS, domain: "com" })), no],
    "with our signature and his author": [
      signed(from("mallory@other.test"), by()),
      "no DKIM signature of other.test",
    ],
    "with our signature and two authors": [
      signed(from("alice@example.com, mallory@other.test"), by()),
      unsure,
    ],
    "with our signature and a group": [signed(from("us: alice@example.com;"), by()), unsure],
    "with our signature and an author whom mailers read differently": [
      signed(from("<mallory@other.test> <alice@example.com>"), by()),
      unsure,
    ],
    "with our signature and a quote without an end": [
      signed(from('"mallory@other.test <alice@example.com>'), by()),
      unsure,
    ],
    "with our signature and no author": [
      signed(LETTER.replace(/^From:.*\r\n/, ""), by({ covers: ["from", "to", "subject", "date"] })),
      unsure,
    ],
    "with a subdomain's signature": [signed(LETTER, by({ domain: "mail.example.com" })), no],
    "with Google's default signature of his": [
      signed(LETTER, by({ domain: `other-test.${GOOGLE}` })),
      no,
    ],
    "with Google's default signature of his, and himself": [
      signed(from("mallory@other.test"), by({ domain: `other-test.${GOOGLE}` })),
      "no DKIM signature of other.test",
    ],
    "with a default signature of another date form": [
      signed(LETTER, by({ domain: "example-com.evil.gappssmtp.com" })),
      no,
    ],
    "with a default signature of another service": [
      signed(LETTER, by({ domain: "example-com.20230601.gappssmtp.com.other.test" })),
      no,
    ],
    "with a default signature of ours for a subdomain": [
      signed(from("alice@mail.example.com"), by({ domain: `example-com.${GOOGLE}` })),
      "no DKIM signature of mail.example.com",
    ],
  };
  for (const [what, [message, why]] of Object.entries(cases)) {
    test(what, async () => assert.deepEqual(await verdictOf(message), { kind: "unproven", why }));
  }

  test("whose domain Google's default signature writes as ours", async () => {
    for (const [domain, written] of [
      ["my-example.com", "my-example-com"],
      ["mail.example.com", "mail-example-com"],
      ["example.co.uk", "example-co-uk"],
    ] as const) {
      const message = signed(from(`a@${domain}`), by({ domain: `${written}.${GOOGLE}` }));
      const verdict = await verdictOf(message, [domain]);
      assert.match(JSON.stringify(verdict), /"unproven".*needs a key of the domain/, domain);
    }
  });

  test("with a header section that is made to keep us busy", async () => {
    for (const filler of [
      "a:\r\n".repeat(200_000),
      "X: y\r\n".repeat(60_000),
      `X: y${"\r\n y".repeat(60_000)}\r\n`,
      `To: y${"\r\n y".repeat(60_000)}\r\n`,
      `DKIM-Signature: h=${"to:".repeat(100_000)}\r\n`,
      `From: ${"(".repeat(100_000)}\r\n`,
      `From: ${'"\\'.repeat(100_000)}\r\n`,
      `From: ${"a@b,".repeat(50_000)}\r\n`,
      `From: ${"a@b <".repeat(1600)}\r\n`,
      `${manyAuthors(500)}${"DKIM-Signature: d=n.test;s=a\r\n".repeat(9900)}`,
      `${manyAuthors(50_000)}${"DKIM-Signature: d=n.test;s=a\r\n".repeat(9000)}`,
      `DKIM-Signature: ${";".repeat(8000)}\r\n`.repeat(128),
    ]) {
      const verdict = await verdictOf(filler + signed(LETTER, by({ key: THEIRS })));
      assert.equal(verdict.kind, "unproven");
    }
  });
});

/** Five hundred in each From. */
function manyAuthors(count: number): string {
  const authors = Array.from({ length: count }, (_, i) => `@n${i}.t${i % 500 === 499 ? "" : ","}`);
  return authors.join("").replaceAll(/(?:@[^,@]+,?){500}/g, "From: $&\r\n");
}

describe("while it cannot be known, nobody is refused for good, and nobody let in", () => {
  test("the DNS does not answer about a key of the author's domain", async () => {
    const verdict = await verdictOf(signed(LETTER, by({ selector: "silent" })));
    assert.deepEqual(verdict, {
      kind: "unknown",
      why: "no answer from the DNS about the key of example.com",
    });
  });

  test("the list of domains cannot be read", async () => {
    const verdict = await verdictOf(LATER, ["lsearch:/nowhere/at/all"]);
    assert.equal(verdict.kind, "unknown");
  });

  test("but a key of somebody else does not matter", async () => {
    const verdict = await verdictOf(
      signed(LETTER, by({ selector: "silent", domain: "other.test" })),
    );
    assert.equal(verdict.kind, "unproven");
  });
});

test("two who want to know hear the same", async () => {
  const examination = new Examination({
    resolver: zoneResolver(ZONE),
    clock: manualClock(),
    share: new LoopShare(),
  });
  await examineAll([Buffer.from(LATER, "latin1")], examination, headerBudgets().relayHosts);
  const [first, second] = [await examination.finish(), await examination.finish()];
  assert.equal(first.signatures[0]?.result, "pass");
  assert.equal(second, first);
});

test("a long body is looked at in many turns, so that others have theirs", async () => {
  const resolver = zoneResolver(ZONE);
  const examination = new Examination({
    resolver,
    clock: manualClock(),
    share: new LoopShare({ now: () => 0, after: () => undefined }),
  });
  const header = new HeaderReader(headerBudgets().relayHosts);
  header.read(Buffer.from(LATER.slice(0, LATER.indexOf("\r\n\r\n") + 4), "latin1"));
  examination.header(header.section ?? assert.fail());
  const ended = new AbortController();
  void Promise.resolve(examination.body(Buffer.from("a \r\n".repeat(2 ** 18)))).then(() =>
    ended.abort(),
  );
  let turns = 0;
  for (; !ended.signal.aborted; turns++) await new Promise(setImmediate);
  assert.ok(turns >= 30, `a megabyte in ${turns} turns`);
});

test("a key that many signatures name is asked for once", async () => {
  const resolver = zoneResolver({});
  const many = "DKIM-Signature: v=1; d=n.test; s=a; h=from; a=rsa-sha256; bh=x; b=x\r\n".repeat(6);
  await examined(many + LETTER, resolver);
  assert.deepEqual(resolver.asked, ["a._domainkey.n.test"]);
});

test("no more than six keys are asked for, those of the author's domain first", async () => {
  const resolver = zoneResolver(ZONE);
  const strangers = Array.from(
    { length: 20 },
    (_, i) => `DKIM-Signature: v=1; d=n${i}.test; s=a; h=from; a=rsa-sha256; bh=x; b=x\r\n`,
  ).join("");
  await examined(strangers + LATER, resolver);
  assert.equal(resolver.asked.length, 6);
  assert.equal(resolver.asked[0], "sel._domainkey.example.com");
});

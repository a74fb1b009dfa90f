// One thing is broken at a time: the doctor names exactly that.

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { policy } from "../../support/policy-host.ts";
import { type Short, World, ZONE, POLICY } from "./world.ts";

type Expected = readonly (readonly [check: string, result: string, found: RegExp])[];

function assertComplaints(actual: readonly Short[], expected: Expected): void {
  const shown = JSON.stringify(actual, undefined, 1);
  assert.equal(actual.length, expected.length, shown);
  for (const [index, [check, result, found]] of expected.entries()) {
    assert.deepEqual(actual[index]?.slice(0, 2), [check, result], shown);
    assert.match(actual[index]?.[2] ?? "", found);
  }
}

const many = (count: number, term: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => term(index)).join(" ");

const mx = (...records: (readonly [number, string])[]) => ({ ...ZONE["example.com"], MX: records });
const spf = (text: string) => ({ ...ZONE["example.com"], TXT: [text] });

/** What is changed in the DNS, and what the doctor finds then. */
const WORLDS: Readonly<Record<string, readonly [changes: Record<string, unknown>, Expected]>> = {
  "nothing is broken": [{}, []],
  "the address record leads elsewhere": [
    { "mx.example.com": { ...ZONE["mx.example.com"], A: ["127.0.0.77"] } },
    [["dns", "fail", /^A of mx\.example\.com: 127\.0\.0\.77 does not lead to this relay$/]],
  ],
  "one of two address records leads elsewhere": [
    { "mx.example.com": { ...ZONE["mx.example.com"], A: ["127.0.0.1", "127.0.0.77"] } },
    [["dns", "fail", /127\.0\.0\.77 does not lead/]],
  ],
  "IPv6 leads elsewhere": [
    { "mx.example.com": { ...ZONE["mx.example.com"], AAAA: ["2001:db8::77"] } },
    [["dns", "fail", /^AAAA of mx\.example\.com: 2001:db8::77 does not lead/]],
  ],
  "there is no address record": [
    { "mx.example.com": { TXT: ZONE["mx.example.com"]?.TXT } },
    [["dns", "fail", /^mx\.example\.com has no address record$/]],
  ],
  "there is no PTR": [
    { "1.0.0.127.in-addr.arpa": undefined },
    [["dns", "fail", /^PTR of 127\.0\.0\.1: there is none$/]],
  ],
  "the PTR names another host": [
    { "1.0.0.127.in-addr.arpa": { PTR: ["static.provider.test"] } },
    [
      [
        "dns",
        "fail",
        /^PTR of 127\.0\.0\.1: it names static\.provider\.test, not mx\.example\.com$/,
      ],
    ],
  ],
  "the MX is still Google's": [
    { "example.com": mx([1, "aspmx.l.google.com"], [5, "alt1.aspmx.l.google.com"]) },
    [
      [
        "dns",
        "fail",
        /^MX of example\.com: it names aspmx\.l\.google\.com, alt1\..* not this relay$/,
      ],
    ],
  ],
  "Google is a second MX": [
    { "example.com": mx([10, "mx.example.com"], [20, "aspmx.l.google.com"]) },
    [["dns", "fail", /aspmx\.l\.google\.com \(20\) takes mail past this relay/]],
  ],
  "Google comes before this relay": [
    { "example.com": mx([1, "smtp.google.com"], [10, "mx.example.com"]) },
    [["dns", "fail", /smtp\.google\.com \(1\) takes mail past this relay/]],
  ],
  "another host comes first": [
    {
      "example.com": mx([5, "old.example.net"], [10, "mx.example.com"]),
      "old.example.net": { A: ["192.0.2.99"] },
    },
    [["dns", "fail", /old\.example\.net \(5\) comes before mx\.example\.com \(10\)/]],
  ],
  "another host shares the mail": [
    {
      "example.com": mx([10, "old.example.net"], [10, "mx.example.com"]),
      "old.example.net": { A: ["192.0.2.99"] },
    },
    [["dns", "fail", /old\.example\.net \(10\) gets a share of the mail/]],
  ],
  "a backup is unknown": [
    {
      "example.com": mx([10, "mx.example.com"], [20, "old.example.net"]),
      "old.example.net": { A: ["192.0.2.99"] },
    },
    [["dns", "warn", /the backup old\.example\.net \(20\) is no host that this relay knows/]],
  ],
  "a backup has no address": [
    { "backup.example.com": undefined },
    [["dns", "warn", /backup\.example\.com \(20\) has no address/]],
  ],
  "an MX with another name leads here": [
    { "example.com": mx([10, "mail.example.com"]), "mail.example.com": { A: ["127.0.0.1"] } },
    // Its name is neither in the policy nor in the certificate.
    [["dns", "fail", /^MTA-STS of example\.com: the policy .* not mail\.example\.com$/]],
  ],
  "there is no MX": [
    { "example.com": { TXT: ZONE["example.com"]?.TXT } },
    [["dns", "fail", /^MX of example\.com: there is none$/]],
  ],
  "there is a null MX": [
    { "example.com": mx([0, "."]) },
    [["dns", "fail", /^MX of example\.com: it is null/]],
  ],
  "SPF does not pass the relay": [
    { "example.com": spf("v=spf1 include:_spf.google.com ~all") },
    [["dns", "fail", /^SPF of example\.com: it does not pass 127\.0\.0\.1.*\(softfail\)$/]],
  ],
  "there is no SPF record": [
    { "example.com": spf("nothing") },
    [["dns", "fail", /^SPF of example\.com: there is no record$/]],
  ],
  "there are two SPF records": [
    {
      "example.com": { ...ZONE["example.com"], TXT: ["v=spf1 ip4:127.0.0.1 -all", "v=spf1 -all"] },
    },
    [["dns", "fail", /^SPF of example\.com: there are 2 records$/]],
  ],
  "SPF has an error": [
    { "example.com": spf("v=spf1 ip4:127.0.0.999 ip4:127.0.0.1 -all") },
    [["dns", "fail", /^SPF of example\.com: the record has an error$/]],
  ],
  "SPF needs eleven lookups, although the relay comes first": [
    {
      "example.com": spf(
        `v=spf1 ip4:127.0.0.1 ${many(10, (index) => `a:h${index}.test`)} include:_spf.google.com -all`,
      ),
    },
    [["dns", "fail", /^SPF of example\.com: it needs 11 lookups, and receivers stop at 10$/]],
  ],
  "SPF needs ten lookups": [
    { "example.com": spf(`v=spf1 ip4:127.0.0.1 ${many(10, (index) => `a:h${index}.test`)} -all`) },
    [],
  ],
  "SPF of the relay's own name is missing": [
    { "mx.example.com": { A: ["127.0.0.1"] } },
    [["dns", "warn", /^SPF of mx\.example\.com: there is no record/]],
  ],
  "SPF of the relay's own name does not pass it": [
    { "mx.example.com": { A: ["127.0.0.1"], TXT: ["v=spf1 ip4:192.0.2.1 -all"] } },
    [["dns", "fail", /^SPF of mx\.example\.com: it does not pass 127\.0\.0\.1/]],
  ],
  "there is no DMARC record": [
    { "_dmarc.example.com": undefined },
    [["dns", "warn", /^DMARC of example\.com: there is no record$/]],
  ],
  "DMARC has no policy": [
    { "_dmarc.example.com": { TXT: ["v=DMARC1; rua=mailto:x@example.com"] } },
    [["dns", "warn", /^DMARC of example\.com: .* has no policy$/]],
  ],
  "there are two DMARC records": [
    { "_dmarc.example.com": { TXT: ["v=DMARC1; p=none", "v=DMARC1; p=reject"] } },
    [["dns", "warn", /has 2 records$/]],
  ],
  "there is no MTA-STS": [{ "_mta-sts.example.com": undefined }, []],
  "the MTA-STS record has no id": [
    { "_mta-sts.example.com": { TXT: ["v=STSv1;"] } },
    [["dns", "fail", /^MTA-STS of example\.com: the record is invalid/]],
  ],
  "the policy host has no address": [
    { "mta-sts.example.com": undefined },
    [
      [
        "dns",
        "fail",
        /^MTA-STS of example\.com: the policy cannot be used: mta-sts\.example\.com: it has no/,
      ],
    ],
  ],
  "Google's record is gone": [
    { "_spf.google.com": undefined, "example.com": spf("v=spf1 ip4:127.0.0.1 -all") },
    [["lists", "warn", /^spf:_spf\.google\.com: .*no SPF record; the answer of \d+s ago holds/]],
  ],
  "Google's record passes the whole world": [
    { "_spf.google.com": { TXT: ["v=spf1 +all"] } },
    [["lists", "warn", /passes every address/]],
  ],
  "Google's record has other networks": [
    { "_spf.google.com": { TXT: ["v=spf1 ip4:203.0.113.0/24 ~all"] } },
    [["lists", "warn", /only 0 of 2 networks/]],
  ],
  "Google's record has a huge network": [
    {
      "_spf.google.com": {
        TXT: ["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:1::/48 ip4:64.0.0.0/3 ~all"],
      },
    },
    [["lists", "warn", /64\.0\.0\.0\/3 is a very large network/]],
  ],
  "Google's host has no address": [
    { "aspmx.l.google.com": undefined },
    [["reach", "fail", /^transports\.gmail: aspmx\.l\.google\.com.*has no address/]],
  ],
  "Google's host does not answer": [
    { "aspmx.l.google.com": { A: ["127.0.0.88"] } },
    [["reach", "fail", /aspmx\.l\.google\.com \[127\.0\.0\.88\].*refused/]],
  ],
  "one of Google's addresses does not answer": [
    { "aspmx.l.google.com": { A: ["127.0.0.1", "127.0.0.88"] } },
    [["reach", "warn", /\[127\.0\.0\.1\].*, but aspmx\.l\.google\.com \[127\.0\.0\.88\]/]],
  ],
};

suite("the doctor, in a world where", () => {
  let world: World;
  before(async () => {
    world = await World.open();
  });
  after(() => world[Symbol.asyncDispose]());

  for (const [what, [changes, expected]] of Object.entries(WORLDS)) {
    test(what, async () => {
      world.zone(changes);
      assertComplaints(await world.complaints(), expected);
    });
  }

  test("nothing is broken, and some things cannot be known yet", async () => {
    world.zone({});
    const findings = await world.examine();
    const skipped = findings.filter(({ result }) => result === "skipped");
    assert.deepEqual(
      skipped.map(({ found }) => found),
      [
        "port 25 outbound: the DNS names no mail host of gmail.com to try",
        "no message in is in the history",
        "no message out is in the history",
        "the history has no message yet",
      ],
    );
    assert.equal(new Set(findings.map(({ check }) => check)).size, 11);
  });

  test("the policy names another host", async () => {
    world.zone({});
    for (const [mode, result] of [
      ["enforce", "fail"],
      ["testing", "warn"],
    ] as const) {
      world.policyHost.answer = policy(`mode: ${mode}`, "mx: aspmx.l.google.com", "max_age: 86400");
      const expected =
        /^MTA-STS of example\.com: the policy \(\w+\) names aspmx\.l\.google\.com, and not mx/;
      assertComplaints(await world.complaints(["dns"]), [["dns", result, expected]]);
    }
    world.policyHost.answer = policy(...POLICY);
  });

  test("a question gets no answer: what depends on it is skipped, and nothing else", async () => {
    for (const [question, found] of [
      ["MX example.com", /^MX of example\.com: the DNS gives no answer/],
      ["TXT _dmarc.example.com", /^DMARC of example\.com/],
      ["TXT mx.example.com", /^SPF of mx\.example\.com/],
      ["PTR 1.0.0.127.in-addr.arpa", /^PTR of 127\.0\.0\.1/],
    ] as const) {
      world.relay.dns.set({ ...ZONE, fail: { [question]: "SERVFAIL" } });
      const findings = await world.examine(["dns"]);
      const others = findings.filter(({ result }) => result !== "ok");
      assert.deepEqual(
        others.map(({ result }) => result),
        ["skipped"],
        JSON.stringify(others),
      );
      assert.match(others[0]?.found ?? "", found);
    }
  });
});

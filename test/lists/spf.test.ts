import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expandSpf } from "../../src/lists/spf.ts";
import { type TxtRecords, txtResolver } from "./support.ts";

const expand = (records: TxtRecords) =>
  expandSpf(
    txtResolver(() => records),
    "x.test",
  );

/** x.test includes 1.test and so on: `length` + 1 lookups after the first record. */
function chain(length: number): TxtRecords {
  const links = Array.from({ length: length + 1 }, (_, index) => [
    index === 0 ? "x.test" : `${index}.test`,
    [`v=spf1 ip4:192.0.2.${index} include:${index + 1}.test -all`],
  ]);
  return Object.fromEntries([...links, [`${length + 1}.test`, ["v=spf1 -all"]]]);
}

describe("an SPF record as a list", () => {
  const good: readonly (readonly [string, TxtRecords, readonly string[], (readonly string[])?])[] =
    [
      [
        "holds ip4 and ip6, each once",
        {
          "x.test": [
            "v=spf1 ip4:192.0.2.0/24 +ip4:192.0.2.0/24 IP6:2001:DB8::/32 ip4:10.0.0.1 ~all",
          ],
        },
        ["192.0.2.0/24", "2001:db8::/32", "10.0.0.1"],
      ],
      [
        "follows include and redirect",
        {
          "x.test": ["v=spf1 include:a.test redirect=b.test"],
          "a.test": ["v=spf1 ip4:192.0.2.1 -all"],
          "b.test": ["v=spf1 ip4:192.0.2.2 -all"],
        },
        ["192.0.2.1", "192.0.2.2"],
      ],
      [
        "looks at nothing behind all, redirect included",
        { "x.test": ["v=spf1 redirect=b.test ip4:192.0.2.1 ?all ip4:192.0.2.2"] },
        ["192.0.2.1"],
      ],
      [
        "is closed under loops and diamonds",
        {
          "x.test": ["v=spf1 include:a.test include:b.test -all"],
          "a.test": ["v=spf1 include:b.test include:x.test ip4:192.0.2.1 -all"],
          "b.test": ["v=spf1 ip4:192.0.2.2 -all"],
        },
        ["192.0.2.2", "192.0.2.1"],
      ],
      [
        "leaves out and names what depends on client or moment",
        {
          "x.test": [
            "v=spf1 a mx a:y.test/24 ptr exists:%{i}.y.test include:%{d}.y.test ip4:192.0.2.1 -all",
          ],
        },
        ["192.0.2.1"],
        ["a", "mx", "a:y.test/24", "ptr", "exists:%{i}.y.test", "include:%{d}.y.test"],
      ],
      [
        "keeps out first what SPF does not pass",
        { "x.test": ["v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.1 ~ip4:192.0.2.2 ?ip4:192.0.2.3 -all"] },
        ["!192.0.2.1", "!192.0.2.2", "!192.0.2.3", "192.0.2.0/24"],
      ],
      [
        "takes the one SPF record among other texts, modifiers aside",
        { "x.test": ["hello", "v=spf10 +all", "V=SPF1  ip4:192.0.2.1 exp=why.test foo=bar  "] },
        ["192.0.2.1"],
      ],
      ["follows ten lookups", chain(9), Array.from({ length: 10 }, (_, i) => `192.0.2.${i}`)],
    ];
  for (const [name, records, entries, ignored = []] of good) {
    test(name, async () => {
      const expansion = await expand(records);
      assert.ok("entries" in expansion, JSON.stringify(expansion));
      assert.deepEqual([expansion.entries, expansion.ignored], [entries, ignored]);
    });
  }

  test("names the domains whose records it has read, in their order", async () => {
    const expansion = await expand(chain(2));
    const read = ["x.test", "1.test", "2.test", "3.test"];
    assert.deepEqual("records" in expansion && expansion.records, read);
  });

  const bad: readonly (readonly [string, TxtRecords, RegExp])[] = [
    ["no record", {}, /x\.test has no SPF record/],
    ["no TXT", { "x.test": [] }, /no SPF record/],
    ["only other texts", { "x.test": ["hello"] }, /no SPF record/],
    ["two records", { "x.test": ["v=spf1 -all", "v=spf1 ip4:192.0.2.1 -all"] }, /2 SPF records/],
    ["DNS trouble", { "x.test": "temporary" }, /SERVFAIL/],
    ["nobody passes", { "x.test": ["v=spf1 -all"] }, /passes no address/],
    [
      "only mechanisms that are not followed",
      { "x.test": ["v=spf1 mx -all"] },
      /passes no address/,
    ],
    ["all", { "x.test": ["v=spf1 ip4:192.0.2.1 all"] }, /passes every address/],
    ["+all", { "x.test": ["v=spf1 ip4:192.0.2.1 +all"] }, /passes every address/],
    ["+ALL", { "x.test": ["v=spf1 ip4:192.0.2.1 +ALL"] }, /passes every address/],
    [
      "+all in an include",
      { "x.test": ["v=spf1 ip4:192.0.2.1 include:a.test -all"], "a.test": ["v=spf1 +all"] },
      /a\.test passes every address/,
    ],
    [
      "+all behind a redirect",
      { "x.test": ["v=spf1 ip4:192.0.2.1 redirect=a.test"], "a.test": ["v=spf1 all"] },
      /a\.test passes every address/,
    ],
    ["all of IPv4", { "x.test": ["v=spf1 ip4:0.0.0.0/0 -all"] }, /passes every address/],
    [
      "two halves",
      { "x.test": ["v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all"] },
      /passes every address/,
    ],
    ["all of public IPv6", { "x.test": ["v=spf1 ip6:2000::/3 -all"] }, /passes every address/],
    [
      "an include that does not answer",
      { "x.test": ["v=spf1 ip4:192.0.2.1 include:a.test -all"], "a.test": "temporary" },
      /a\.test: SERVFAIL/,
    ],
    [
      "an include without a record",
      { "x.test": ["v=spf1 ip4:192.0.2.1 include:a.test -all"] },
      /a\.test has no SPF record/,
    ],
    ["a broken CIDR", { "x.test": ["v=spf1 ip4:192.0.2.1 ip4:192.0.2.0/33 -all"] }, /unreadable/],
    ["ip4 with IPv6", { "x.test": ["v=spf1 ip4:2001:db8::1 -all"] }, /unreadable/],
    ["ip6 with IPv4", { "x.test": ["v=spf1 ip6:192.0.2.1 -all"] }, /unreadable/],
    ["ip6 with mapped IPv4", { "x.test": ["v=spf1 ip6:::ffff:192.0.2.1 -all"] }, /unreadable/],
    ["an unknown mechanism", { "x.test": ["v=spf1 ip4:192.0.2.1 foo:bar -all"] }, /unknown/],
    ["no sense", { "x.test": ["v=spf1 ip4:192.0.2.1 +-all"] }, /unknown/],
    [
      "an include that takes away",
      { "x.test": ["v=spf1 -include:a.test ip4:192.0.2.0/24 -all"] },
      /cannot be followed/,
    ],
    ["more than ten lookups", chain(10), /more than 10 lookups/],
    [
      "more networks than anybody has",
      {
        "x.test": [
          `v=spf1 ${Array.from({ length: 1001 }, (_, n) => `ip4:10.${n >> 8}.${n & 255}.1`).join(" ")} -all`,
        ],
      },
      /more than 1000 terms/,
    ],
    [
      "more terms that are not followed than anybody has",
      {
        "x.test": [
          `v=spf1 ip4:192.0.2.1 ${Array.from({ length: 1001 }, (_, n) => `a:${n}.test`).join(" ")} -all`,
        ],
      },
      /more than 1000 terms/,
    ],
  ];
  for (const [name, records, error] of bad) {
    test(`is refused wholly: ${name}`, async () => {
      const expansion = await expand(records);
      assert.match("error" in expansion ? expansion.error : "no error", error);
    });
  }
});

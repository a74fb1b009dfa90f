import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bench, txtResolver } from "./support.ts";

const hosts = {
  trusted: ["127.0.0.1", "::1", "10.0.0.0/8"],
  office: ["!192.0.2.13", "192.0.2.0/24"],
  but: ["!192.0.2.1"],
  google: ["spf:google.test"],
};

describe("a host list", () => {
  const cases: readonly (readonly [readonly string[], string, "in" | "out"])[] = [
    [["192.0.2.1"], "192.0.2.1", "in"],
    [["192.0.2.1"], "::ffff:192.0.2.1", "in"],
    [["192.0.2.1"], "::ffff:c000:201", "in"],
    [["::ffff:192.0.2.1"], "192.0.2.1", "in"],
    [["192.0.2.1"], "192.0.2.2", "out"],
    [["2001:db8::1"], "2001:0DB8:0::0001", "in"],
    [["38.0.0.0/8"], "2600:1f18::5", "out"],
    [["2001:db8::/32"], "32.1.13.184", "out"],
    [["0.0.0.0/0"], "::1", "out"],
    [["::/0"], "::ffff:192.0.2.1", "out"],
    [["*"], "192.0.2.1", "in"],
    [["*"], "::1", "in"],
    [["*"], "", "out"],
    [["*"], "mx.example.com", "out"],
    [["*"], "fe80::1%eth0", "out"],
    [["!192.0.2.1"], "no address", "out"],
    [[], "192.0.2.1", "out"],
    [["+trusted"], "10.255.255.255", "in"],
    [["+trusted"], "11.0.0.0", "out"],
    [["!+trusted", "*"], "10.0.0.1", "out"],
    [["!+trusted"], "192.0.2.1", "in"],
    [["+office"], "192.0.2.13", "out"],
    [["+office"], "192.0.2.14", "in"],
    [["+office", "192.0.2.0/28"], "192.0.2.13", "in"],
    [["192.0.2.0/28", "!192.0.2.13"], "192.0.2.13", "in"],
    [["+but"], "192.0.2.1", "out"],
    [["+but"], "198.51.100.1", "in"],
    [["+google"], "192.0.2.1", "out"],
    [["!+google", "+trusted"], "127.0.0.1", "in"],
  ];
  for (const [items, address, kind] of cases) {
    test(`[${items.join(", ")}] and ${JSON.stringify(address)}: ${kind}`, () => {
      using b = bench({ hosts });
      const match = b.lists.hosts(items).match(address);
      assert.equal(match.kind, kind, match.why);
    });
  }

  test("says why", async () => {
    const resolver = txtResolver(() => ({ "google.test": ["v=spf1 ip4:203.0.113.0/24 -all"] }));
    using b = bench({ hosts, resolver });
    const list = b.lists.hosts(["!192.0.2.1", "+trusted", "+google"]);
    await b.lists.refresh();
    assert.equal(list.match("10.1.2.3").why, "10.1.2.3 matches +trusted: 10.0.0.0/8");
    assert.equal(
      list.match("203.0.113.9").why,
      "203.0.113.9 matches +google: spf:google.test (203.0.113.0/24)",
    );
    assert.equal(list.match("192.0.2.1").why, "192.0.2.1 is kept out by !192.0.2.1");
    assert.equal(list.match("192.0.2.9").why, "192.0.2.9 is not in the list (last item +google)");
    assert.equal(list.match("rubbish").why, '"rubbish" is not an address');
    await b.lists.close();
  });

  test("an item that the loader should have refused is an error, not a hole", () => {
    using b = bench({ hosts });
    assert.throws(() => b.lists.hosts(["mx.example.com"]), /not an item of a host list/);
    assert.throws(() => b.lists.hosts(["+nowhere"]), /no list \+nowhere/);
  });
});

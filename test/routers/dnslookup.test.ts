import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dnslookup } from "../../routers/dnslookup.ts";
import { testRouter } from "../conformance/router.ts";
import { type Zone } from "../support/dns.ts";
import { HOSTS, brief, lists, setUp } from "./dnslookup-zone.ts";

testRouter(dnslookup, { table: { transport: "smtp" }, services: { lists: lists() } });

describe("dnslookup", () => {
  const cases: readonly (readonly [string, Zone, string])[] = [
    [
      "MX hosts come by preference, each with its addresses, IPv4 first",
      {
        "x.test": {
          MX: [
            [20, "b.test"],
            [10, "a.test"],
            [30, "c.test"],
          ],
        },
      },
      "a.test=192.0.2.1,2001:db8::1 b.test=192.0.2.2 c.test=192.0.2.3",
    ],
    [
      "without MX the domain is its own host",
      { "x.test": { A: ["192.0.2.7"] } },
      "x.test=192.0.2.7",
    ],
    [
      "a CNAME is followed to the MX",
      { "x.test": { CNAME: "y.test" }, "y.test": { MX: [[1, "b.test"]] } },
      "b.test=192.0.2.2",
    ],
    [
      "a host is listed once",
      {
        "x.test": {
          MX: [
            [20, "b.test"],
            [10, "B.test"],
            [30, "b.test"],
          ],
        },
      },
      "b.test=192.0.2.2",
    ],
    ["a null MX fails", { "x.test": { MX: [[0, "."]], A: ["192.0.2.7"] } }, "fail 556 5.1.10"],
    [
      "a null MX among others is ignored",
      {
        "x.test": {
          MX: [
            [0, "."],
            [10, "b.test"],
          ],
        },
      },
      "b.test=192.0.2.2",
    ],
    ["no such domain fails", {}, "fail 550 5.1.2"],
    ["neither MX nor address fails", { "x.test": { TXT: ["hello"] } }, "fail 550 5.1.2"],
    [
      "an address does not help where MX says otherwise",
      { "x.test": { MX: [[1, "gone.test"]], A: ["192.0.2.7"] } },
      "fail 550 5.4.4",
    ],
    [
      "hosts that do not exist are passed over",
      {
        "x.test": {
          MX: [
            [1, "gone.test"],
            [2, "txt.test"],
            [3, "b.test"],
          ],
        },
      },
      "b.test=192.0.2.2",
    ],
    [
      "an MX that is an address is passed over",
      {
        "x.test": {
          MX: [
            [1, "192.0.2.77"],
            [2, "b.test"],
          ],
        },
      },
      "b.test=192.0.2.2",
    ],
    [
      "nothing but addresses as MX fails",
      { "x.test": { MX: [[1, "192.0.2.77"]] } },
      "fail 550 5.4.4",
    ],
    [
      "an MX with odd characters is passed over",
      {
        "x.test": {
          MX: [
            [1, "a b.test"],
            [1, "a/b.test"],
            [2, "b.test"],
          ],
        },
      },
      "b.test=192.0.2.2",
    ],
    [
      "trouble with the MX defers",
      { fail: { "MX x.test": "SERVFAIL" }, "x.test": { A: ["192.0.2.7"] } },
      "defer 451 4.4.3",
    ],
    [
      "trouble with the address of the domain defers",
      { fail: { "A x.test": "SERVFAIL" }, "x.test": { TXT: [""] } },
      "defer 451 4.4.3",
    ],
    [
      "trouble with one host leaves the others",
      {
        fail: { "A a.test": "REFUSED", "AAAA a.test": "REFUSED" },
        "x.test": {
          MX: [
            [1, "a.test"],
            [2, "b.test"],
          ],
        },
      },
      "b.test=192.0.2.2",
    ],
    [
      "trouble with the only host that may exist defers",
      {
        fail: { "AAAA gone.test": "SERVFAIL" },
        "x.test": {
          MX: [
            [1, "gone.test"],
            [2, "nowhere.test"],
          ],
        },
      },
      "defer 451 4.4.3",
    ],
    [
      "trouble with one host and the others ignored defers",
      {
        fail: { "b.test": "SERVFAIL" },
        "x.test": {
          MX: [
            [1, "b.test"],
            [2, "loop.test"],
          ],
        },
      },
      "defer 451 4.4.3",
    ],
    ["loopback is no target", { "x.test": { MX: [[1, "loop.test"]] } }, "decline"],
    ["localhost is no target", { "x.test": { MX: [[1, "localhost"]] } }, "decline"],
    [
      "private and link-local addresses are no targets",
      { "x.test": { MX: [[1, "private.test"]] } },
      "decline",
    ],
    [
      "nor are their likes in IPv6, mapped IPv4 included",
      { "x.test": { MX: [[1, "mapped.test"]] } },
      "decline",
    ],
    [
      "a domain that is its own private host is declined",
      { "x.test": { A: ["10.0.0.1"] } },
      "decline",
    ],
    [
      "each address is judged by itself",
      { "x.test": { MX: [[1, "mixed.test"]] } },
      "mixed.test=192.0.2.9",
    ],
    [
      "we are cut out with those as far away, and farther",
      {
        "x.test": {
          MX: [
            [10, "a.test"],
            [20, "us.test"],
            [20, "b.test"],
            [30, "c.test"],
          ],
        },
      },
      "a.test=192.0.2.1,2001:db8::1",
    ],
    [
      "we are known by name, whatever our address",
      {
        "x.test": {
          MX: [
            [10, "a.test"],
            [20, "mx.example.com"],
            [30, "c.test"],
          ],
        },
      },
      "a.test=192.0.2.1,2001:db8::1",
    ],
    [
      "mail that comes back to us is deferred",
      {
        "x.test": {
          MX: [
            [10, "us.test"],
            [20, "b.test"],
          ],
        },
      },
      "defer 451 4.4.6",
    ],
    [
      "even where our name does not resolve",
      { "x.test": { MX: [[10, "mx.example.com"]] } },
      "defer 451 4.4.6",
    ],
    [
      "or where the domain is our own address",
      { "x.test": { A: ["203.0.113.25"] } },
      "defer 451 4.4.6",
    ],
    [
      "trouble before us in the list is trouble",
      {
        fail: { "b.test": "SERVFAIL" },
        "x.test": {
          MX: [
            [10, "b.test"],
            [20, "us.test"],
          ],
        },
      },
      "defer 451 4.4.3",
    ],
    [
      "trouble behind us does not matter",
      {
        fail: { "b.test": "SERVFAIL" },
        "x.test": {
          MX: [
            [10, "us.test"],
            [20, "b.test"],
          ],
        },
      },
      "defer 451 4.4.6",
    ],
  ];
  for (const [name, zone, expected] of cases) {
    test(name, async () => {
      await using t = await setUp({ ...HOSTS, ...zone });
      assert.equal(brief(await t.route("x.test")), expected);
    });
  }

  for (const domain of [
    "[192.0.2.1]",
    "[IPv6:2001:db8::1]",
    "",
    "no domain",
    "a..test",
    "192.0.2.1",
  ]) {
    test(`${JSON.stringify(domain)} is no domain of the DNS, and nobody is asked`, async () => {
      await using t = await setUp(HOSTS);
      assert.equal(brief(await t.route(domain)), "fail 550 5.1.2");
      assert.deepEqual(t.dns.queries, []);
    });
  }

  test("a thousand MX records lead to a few hosts, with a few addresses each", async () => {
    const zone: Record<`${string}.${string}`, { A: string[] }> = {};
    for (let index = 0; index < 60; index++) {
      zone[`mx${index}.test`] = { A: Array.from({ length: 20 }, (_, n) => `192.0.2.${n}`) };
    }
    const MX = Object.keys(zone).map((name, index) => [index, name] as const);
    await using t = await setUp({ ...zone, "x.test": { MX } });
    const decision = await t.route("x.test");
    assert.ok(decision.kind === "accept" && decision.hosts !== undefined);
    assert.equal(decision.hosts.length, 20);
    assert.equal(decision.hosts[0]?.name, "mx0.test");
    for (const host of decision.hosts) assert.equal(host.addresses?.length, 8);
  });

  test("equal hosts change places with time, and only then", async () => {
    const zone: Zone = {
      ...HOSTS,
      "x.test": {
        MX: [
          [10, "b.test"],
          [10, "c.test"],
          [10, "a.test"],
          [5, "mixed.test"],
        ],
      },
    };
    await using t = await setUp(zone);
    const first = new Map<string, number>();
    for (let round = 0; round < 300; round++) {
      const decision = await t.route("x.test");
      assert.deepEqual(await t.route("x.test"), decision, "within one second the order stands");
      assert.ok(decision.kind === "accept" && decision.hosts !== undefined);
      const [best, second] = decision.hosts;
      assert.equal(best?.name, "mixed.test");
      first.set(second?.name ?? "", (first.get(second?.name ?? "") ?? 0) + 1);
      t.clock.advance(1000);
    }
    assert.equal(first.size, 3);
    for (const [name, count] of first) assert.ok(count > 50, `${name} ${count}`);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dnslookup } from "../../routers/dnslookup.ts";
import type { Decision, Services } from "../../src/contract/contract.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import { createLists } from "../../src/lists/create-lists.ts";
import { problemsOf, readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { manualClock, type ManualClock } from "../support/clock.ts";
import { startDns, type Zone } from "../support/dns.ts";
import { fakeServices, recordingLog, resolverAnswering } from "../support/services.ts";

function lists() {
  return createLists({
    domains: {},
    hosts: { office: ["198.51.100.0/24"] },
    configDirectory: "/nowhere",
    log: recordingLog(),
    resolver: resolverAnswering({ kind: "no-data" }),
    clock: manualClock(),
  });
}

testRouter(dnslookup, { table: { transport: "smtp" }, services: { lists: lists() } });

async function setUp(
  zone: Zone,
  table: Record<string, unknown> = {},
  given: Partial<Services> = {},
) {
  const dns = await startDns(zone);
  const clock: ManualClock = manualClock();
  const resolver = createResolver({ servers: [dns.address], clock, dnssec: true });
  const read = readOptions(dnslookup, { transport: "smtp", ...table });
  const router = dnslookup.create(
    read,
    fakeServices({
      clock,
      resolver,
      lists: lists(),
      ownAddresses: new Set(["203.0.113.25"]),
      ...given,
    }),
  );
  return {
    dns,
    clock,
    route: async (domain: string): Promise<Decision> =>
      router.route(subject(`bob@${domain}`), context()),
    async [Symbol.asyncDispose]() {
      await resolver.close();
      await dns.close();
    },
  };
}

/** "a=192.0.2.1,2001:db8::1 b=…", or the decision in a few words. */
function brief(decision: Decision): string {
  if (decision.kind === "accept") {
    const hosts = decision.hosts ?? [];
    return hosts.map(({ name, addresses = [] }) => `${name}=${addresses.join(",")}`).join(" ");
  }
  return decision.kind === "fail" || decision.kind === "defer"
    ? `${decision.kind} ${decision.status.code} ${decision.status.enhanced}`
    : decision.kind;
}

const HOSTS: Zone = {
  "a.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
  "b.test": { A: ["192.0.2.2"] },
  "c.test": { A: ["192.0.2.3"] },
  "loop.test": { A: ["127.0.0.1"], AAAA: ["::1"] },
  "private.test": { A: ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"] },
  "mapped.test": { AAAA: ["::ffff:a01:203", "::7f00:1", "::", "fe80::1", "fd00::1", "ff02::1"] },
  "mixed.test": { A: ["127.0.0.1", "192.0.2.9"], AAAA: ["fc00::1"] },
  "us.test": { A: ["203.0.113.25"] },
  "txt.test": { TXT: ["no address"] },
};

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

describe("ignore_target_hosts", () => {
  test("[] lets every address pass, our own too", async () => {
    const zone: Zone = {
      "x.test": {
        MX: [
          [1, "loop.test"],
          [2, "us.test"],
          [3, "mx.example.com"],
        ],
      },
    };
    await using t = await setUp(
      { ...HOSTS, ...zone, "mx.example.com": { A: ["10.0.0.1"] } },
      { ignore_target_hosts: [] },
    );
    assert.equal(
      brief(await t.route("x.test")),
      "loop.test=127.0.0.1,::1 us.test=203.0.113.25 mx.example.com=10.0.0.1",
    );
  });

  test("takes the place of the default, and leaves us out all the same", async () => {
    const zone: Zone = {
      "x.test": {
        MX: [
          [1, "private.test"],
          [2, "y.test"],
          [3, "us.test"],
        ],
      },
      "y.test": { A: ["192.0.2.5", "198.51.100.5"] },
    };
    await using t = await setUp(
      { ...HOSTS, ...zone },
      {
        ignore_target_hosts: [
          "!10.1.2.3",
          "10.0.0.0/8",
          "172.16.0.0/12",
          "192.168.0.0/16",
          "169.254.0.0/16",
          "+office",
        ],
      },
    );
    assert.equal(brief(await t.route("x.test")), "private.test=10.1.2.3 y.test=192.0.2.5");
  });

  test("by default leaves out special networks, and NAT64 and 6to4 addresses of such", async () => {
    const zone: Zone = {
      "x.test": {
        MX: [
          [1, "special.test"],
          [2, "carried.test"],
          [3, "a.test"],
        ],
      },
      "special.test": {
        A: ["100.64.0.1", "192.0.0.8", "198.18.0.1"],
        AAAA: ["fec0::1", "2001::1", "::808:808"],
      },
      "carried.test": {
        AAAA: ["64:ff9b::a00:1", "2002:a00:1::1", "64:ff9b::c000:207", "2002:c000:207::1"],
      },
    };
    await using t = await setUp({ ...HOSTS, ...zone });
    assert.equal(
      brief(await t.route("x.test")),
      "carried.test=64:ff9b::c000:207,2002:c000:207::1 a.test=192.0.2.1,2001:db8::1",
    );
  });

  test("judges a carried IPv4 address by a list of one's own too, and knows ours in it", async () => {
    const zone: Zone = {
      "x.test": {
        MX: [
          [1, "carried.test"],
          [2, "us.test"],
        ],
      },
      "carried.test": { AAAA: ["64:ff9b::c000:207", "64:ff9b::c000:208"] },
      "us.test": { AAAA: ["64:ff9b::cb00:7119"] },
    };
    await using t = await setUp(zone, { ignore_target_hosts: ["192.0.2.7"] });
    assert.equal(brief(await t.route("x.test")), "carried.test=64:ff9b::c000:208");
    assert.equal(brief(await t.route("us.test")), "defer 451 4.4.6");
  });

  test("addresses of ours that are no plain addresses do no harm", async () => {
    await using t = await setUp(
      { ...HOSTS, "x.test": { A: ["192.0.2.7"] } },
      {},
      {
        ownAddresses: new Set(["fe80::1%eth0", "*", "localhost"]),
      },
    );
    assert.equal(brief(await t.route("x.test")), "x.test=192.0.2.7");
  });

  test("is checked when it is read", () => {
    const problems = problemsOf(dnslookup, {
      transport: "smtp",
      ignore_target_hosts: ["10.0.0.0/33"],
    });
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /ignore_target_hosts.*prefix length/);
  });
});

describe("what dnslookup says of a host", () => {
  const zone: Zone = {
    "safe.test": { MX: [[10, "mx.safe.test"]] },
    "half.test": { MX: [[10, "mx.safe.test"]] },
    "other.safe.test": { MX: [[10, "a.test"]] },
    "alone.safe.test": { A: ["192.0.2.7"] },
    "alias.safe.test": { MX: [[10, "cname.safe.test"]] },
    "cname.safe.test": { CNAME: "mx.safe.test" },
    "mx.safe.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
    "a.test": { A: ["192.0.2.2"] },
    signed: ["safe.test"],
  };
  for (const [domain, expected] of [
    ["safe.test", { name: "mx.safe.test", secure: true }],
    ["alone.safe.test", { name: "alone.safe.test", secure: true }],
    ["alias.safe.test", { name: "cname.safe.test", secure: true, canonical: "mx.safe.test" }],
    ["half.test", { name: "mx.safe.test" }],
    ["other.safe.test", { name: "a.test" }],
  ] as const) {
    test(`${domain}: ${"secure" in expected ? "" : "not "}secure`, async () => {
      await using t = await setUp(zone);
      const decision = await t.route(domain);
      assert.ok(decision.kind === "accept" && decision.hosts?.[0] !== undefined);
      const { addresses, ...host } = decision.hosts[0];
      assert.ok(addresses !== undefined);
      assert.deepEqual(host, { ...expected, domain });
    });
  }
});

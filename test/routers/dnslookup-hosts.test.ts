import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dnslookup } from "../../routers/dnslookup.ts";
import { problemsOf } from "../conformance/driver.ts";
import { type Zone } from "../support/dns.ts";
import { HOSTS, brief, setUp } from "./dnslookup-zone.ts";

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

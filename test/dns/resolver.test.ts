// The resolver against a server that behaves; hostile-server.test.ts has the others.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resolveAddresses } from "../../src/dns/addresses.ts";
import { createResolver, type ResolverOptions } from "../../src/dns/create-resolver.ts";
import { manualClock } from "../support/clock.ts";
import { type FakeDns, startDns, type Zone } from "../support/dns.ts";

const SECOND = 1000;

async function setUp(zone: Zone, options: Partial<ResolverOptions> = {}) {
  const dns: FakeDns = await startDns(zone);
  const clock = manualClock();
  const resolver = createResolver({ servers: [dns.address], clock, ...options });
  return {
    dns,
    clock,
    resolver,
    async [Symbol.asyncDispose]() {
      await resolver.close();
      await dns.close();
    },
  };
}

describe("the resolver", () => {
  test("reads MX, A, AAAA and TXT", async () => {
    await using t = await setUp({
      "example.test": {
        MX: [
          [10, "MX1.Example.test"],
          [20, "mx2.example.test"],
        ],
        TXT: ["v=spf1 -all", ["one", "two"], "x".repeat(600)],
      },
      "mx1.example.test": { A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1"] },
    });
    assert.deepEqual(await t.resolver.mx("example.test"), {
      kind: "found",
      records: [
        { exchange: "mx1.example.test", preference: 10 },
        { exchange: "mx2.example.test", preference: 20 },
      ],
    });
    assert.deepEqual(await t.resolver.a("mx1.example.test"), {
      kind: "found",
      records: ["192.0.2.1", "192.0.2.2"],
    });
    assert.deepEqual(await t.resolver.aaaa("mx1.example.test"), {
      kind: "found",
      records: ["2001:db8::1"],
    });
    assert.deepEqual(await t.resolver.txt("example.test"), {
      kind: "found",
      records: ["v=spf1 -all", "onetwo", "x".repeat(600)],
    });
  });

  test("gives the null MX as an exchange without a name", async () => {
    await using t = await setUp({ "null.test": { MX: [[0, "."]] } });
    assert.deepEqual(await t.resolver.mx("null.test"), {
      kind: "found",
      records: [{ exchange: "", preference: 0 }],
    });
  });

  test("tells a name that is not there from one that has nothing of the kind", async () => {
    await using t = await setUp({ "a.example.test": { A: ["192.0.2.1"] } });
    assert.deepEqual(await t.resolver.mx("a.example.test"), { kind: "no-data" });
    assert.deepEqual(await t.resolver.mx("example.test"), { kind: "no-data" });
    assert.deepEqual(await t.resolver.mx("b.example.test"), { kind: "no-such-name" });
  });

  test("follows CNAMEs inside the answer", async () => {
    await using t = await setUp({
      "www.test": { CNAME: "Web.test" },
      "web.test": { CNAME: "host.test" },
      "host.test": { A: ["192.0.2.1"] },
      "lost.test": { CNAME: "nowhere.test" },
      "round.test": { CNAME: "about.test" },
      "about.test": { CNAME: "round.test" },
    });
    assert.deepEqual(await t.resolver.a("www.test"), {
      kind: "found",
      records: ["192.0.2.1"],
      canonical: "host.test",
    });
    assert.deepEqual(await t.resolver.aaaa("www.test"), { kind: "no-data" });
    assert.deepEqual(await t.resolver.a("lost.test"), { kind: "no-such-name" });
    assert.equal((await t.resolver.a("round.test")).kind, "temporary");
  });

  for (const failure of ["SERVFAIL", "REFUSED", "NOTIMP"] as const) {
    test(`${failure} is temporary, is asked again, and says nothing for long`, async () => {
      await using t = await setUp({ fail: { "broken.test": failure } });
      const answer = await t.resolver.mx("broken.test");
      assert.equal(answer.kind, "temporary");
      assert.match(answer.kind === "temporary" ? answer.error : "", new RegExp(failure));
      assert.ok(t.dns.queries.length >= 2);
      t.dns.set({ "broken.test": { MX: [[1, "mx.test"]] } });
      assert.equal((await t.resolver.mx("broken.test")).kind, "found");
    });
  }

  test("takes what does not fit a datagram over TCP", async () => {
    const addresses = Array.from({ length: 200 }, (_, index) => `10.0.0.${index}`);
    await using t = await setUp({ "big.test": { A: addresses } });
    assert.deepEqual(await t.resolver.a("big.test"), { kind: "found", records: addresses });
    assert.deepEqual(t.dns.queries, ["A big.test", "A big.test"]);
  });

  test("takes up to 1232 octets over UDP", async () => {
    const addresses = Array.from({ length: 60 }, (_, index) => `10.0.0.${index}`);
    await using t = await setUp({ "some.test": { A: addresses } });
    assert.equal((await t.resolver.a("some.test")).kind, "found");
    assert.deepEqual(t.dns.queries, ["A some.test"]);
  });

  test("compares names without case and without the last dot", async () => {
    await using t = await setUp({ "example.test": { A: ["192.0.2.1"] } });
    assert.equal((await t.resolver.a("EXAMPLE.test.")).kind, "found");
    assert.equal((await t.resolver.a("example.TEST")).kind, "found");
    assert.deepEqual(t.dns.queries, ["A example.test"]);
  });

  for (const name of [
    "",
    ".",
    "a..test",
    ".test",
    "a.test..",
    "a b.test",
    "a\0.test",
    "b\u00fccher.test",
    "[192.0.2.1]",
    "a/b.test",
    "*.test",
    `${"x".repeat(64)}.test`,
    `${"x.".repeat(127)}test`,
  ]) {
    test(`does not ask for ${JSON.stringify(name.slice(0, 20))}, and does not know`, async () => {
      await using t = await setUp({});
      assert.equal((await t.resolver.a(name)).kind, "temporary");
      assert.deepEqual(t.dns.queries, []);
    });
  }

  test("takes names up to the limits", async () => {
    const label = "x".repeat(63);
    const long = `${label}.${label}.${label}.${"x".repeat(56)}.test`;
    assert.equal(long.length, 253);
    await using t = await setUp({ "_spf.example.test": { TXT: ["v=spf1 -all"] } });
    assert.equal((await t.resolver.a(long)).kind, "no-such-name");
    assert.equal((await t.resolver.txt("_spf.example.test")).kind, "found");
  });

  test("a great many questions at once all get their own answer", async () => {
    const zone: Record<`${string}.${string}`, { A: string[] }> = {};
    for (let index = 0; index < 250; index++)
      zone[`host${index}.test`] = { A: [`10.0.0.${index}`] };
    await using t = await setUp(zone);
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    const names = Object.keys(zone);
    const answers = await Promise.all(names.map((name) => t.resolver.a(name)));
    for (const [index, answer] of answers.entries()) {
      assert.deepEqual(answer, { kind: "found", records: [`10.0.0.${index}`] });
    }
    await new Promise(setImmediate);
    process.off("warning", onWarning);
    assert.deepEqual(warnings, []);
  });
});

describe("the cache of the resolver", () => {
  test("asks once as long as the TTL lasts", async () => {
    await using t = await setUp({ "example.test": { A: ["192.0.2.1"] } });
    await t.resolver.a("example.test");
    t.clock.advance(299 * SECOND);
    await t.resolver.a("example.test");
    assert.equal(t.dns.queries.length, 1);
    t.clock.advance(SECOND);
    await t.resolver.a("example.test");
    assert.equal(t.dns.queries.length, 2);
  });

  test("keeps a negative answer for the time its SOA says", async () => {
    await using t = await setUp({ "example.test": { A: ["192.0.2.1"] } });
    for (const name of ["nowhere.test", "example.test"]) {
      await t.resolver.mx(name);
      t.clock.advance(59 * SECOND);
      await t.resolver.mx(name);
      assert.deepEqual(t.dns.queries.splice(0), [`MX ${name}`]);
      t.clock.advance(SECOND);
      await t.resolver.mx(name);
      assert.deepEqual(t.dns.queries.splice(0), [`MX ${name}`]);
    }
  });

  test("one question serves all who ask it at the same time", async () => {
    await using t = await setUp({ "example.test": { A: ["192.0.2.1"] } });
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => t.resolver.a("example.test")),
    );
    assert.equal(new Set(answers).size, 1);
    assert.deepEqual(t.dns.queries, ["A example.test"]);
  });

  test("forgets what was not asked for longest when it is full", async () => {
    const zone = {
      "a.test": { A: ["192.0.2.1"] },
      "b.test": { A: ["192.0.2.2"] },
      "c.test": { A: ["192.0.2.3"] },
    };
    await using t = await setUp(zone, { cacheEntriesMax: 2 });
    for (const name of ["a.test", "b.test", "a.test", "c.test", "a.test", "c.test", "b.test"]) {
      await t.resolver.a(name);
    }
    assert.deepEqual(t.dns.queries, ["A a.test", "A b.test", "A c.test", "A b.test"]);
  });
});

describe("resolveAddresses", () => {
  const zone: Zone = {
    "both.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
    "four.test": { A: ["192.0.2.1"] },
    "six.test": { AAAA: ["2001:db8::1"] },
    "none.test": { TXT: ["x"] },
    "a-broken.test": { AAAA: ["2001:db8::1"] },
    "aaaa-broken.test": { A: ["192.0.2.1"] },
    fail: {
      "A a-broken.test": "SERVFAIL",
      "AAAA aaaa-broken.test": "SERVFAIL",
      "AAAA all-broken.test": "SERVFAIL",
      "A all-broken.test": "NXDOMAIN",
    },
  };
  for (const [name, expected] of [
    ["both.test", ["192.0.2.1", "2001:db8::1"]],
    ["four.test", ["192.0.2.1"]],
    ["six.test", ["2001:db8::1"]],
    ["a-broken.test", ["2001:db8::1"]],
    ["aaaa-broken.test", ["192.0.2.1"]],
    ["192.0.2.7", ["192.0.2.7"]],
    ["2001:db8::7", ["2001:db8::7"]],
    ["localhost", ["127.0.0.1", "::1"]],
    ["none.test", "no-data"],
    ["nowhere.test", "no-such-name"],
    ["all-broken.test", "temporary"],
  ] as const) {
    test(`${name}: ${typeof expected === "string" ? expected : expected.join(" ")}`, async () => {
      await using t = await setUp(zone);
      const answer = await resolveAddresses(t.resolver, name);
      assert.deepEqual(answer.kind === "found" ? answer.records : answer.kind, expected);
    });
  }
});

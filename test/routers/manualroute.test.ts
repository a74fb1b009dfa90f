import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { manualroute } from "../../routers/manualroute.ts";
import type { Decision } from "../../src/contract/contract.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import { createLists } from "../../src/lists/create-lists.ts";
import { problemsOf, readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { manualClock } from "../support/clock.ts";
import { startDns, type Zone } from "../support/dns.ts";
import { fakeServices, recordingLog, resolverAnswering } from "../support/services.ts";
import { builtIn } from "../../src/built-in.ts";

testRouter(manualroute, { table: { transport: "smtp", route: ["smarthost.example.net:587"] } });

async function hostsOf(table: Record<string, unknown>) {
  const read = readOptions(manualroute, { transport: "smtp", ...table });
  const router = manualroute.create(read, fakeServices());
  const decision = await router.route(subject("bob@example.com"), context());
  assert.ok(decision.kind === "accept");
  return decision.hosts;
}

test("hosts are tried in the order in which they are written", async () => {
  const route = ["B.example.net", "a.example.net:587", "192.0.2.1", "[2001:db8::1]:2525", "::1"];
  assert.deepEqual(await hostsOf({ route }), [
    { name: "b.example.net" },
    { name: "a.example.net", port: 587 },
    { name: "192.0.2.1", addresses: ["192.0.2.1"] },
    { name: "2001:db8::1", addresses: ["2001:db8::1"], port: 2525 },
    { name: "::1", addresses: ["::1"] },
  ]);
});

test("one host may be written without a list", async () => {
  assert.deepEqual(await hostsOf({ route: "127.0.0.1:2525" }), [
    { name: "127.0.0.1", addresses: ["127.0.0.1"], port: 2525 },
  ]);
});

test("hosts_randomize changes the order and nothing else", async () => {
  const route = Array.from({ length: 8 }, (_, number) => `mx${number}.example.net`);
  const orders = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const names = (await hostsOf({ route, hosts_randomize: true }))?.map(({ name }) => name) ?? [];
    assert.deepEqual(names.toSorted(), route);
    orders.add(names.join(" "));
  }
  assert.ok(orders.size > 1);
});

test("what is no host is a problem of its item", () => {
  const wrong = [
    "",
    "a b",
    "a:b",
    "host:0",
    "host:65536",
    "[192.0.2.1]",
    "[::1",
    "a@b.example",
    ":25",
  ];
  for (const item of wrong) {
    const problems = problemsOf(manualroute, { transport: "smtp", route: ["ok.example", item] });
    assert.match(problems.join("\n"), /^route\[1\]: [^\n]* is no "host"/, JSON.stringify(item));
  }
});

test("a route without hosts is a problem", () => {
  assert.deepEqual(problemsOf(manualroute, { transport: "smtp", route: [] }), [
    "route: names no host",
  ]);
});

function lists() {
  return createLists({
    lookups: builtIn.lookups,
    domains: { partners: ["partner.example", "*.partner.example"] },
    hosts: {},
    configDirectory: "/nowhere",
    log: recordingLog(),
    resolver: resolverAnswering({ kind: "no-data" }),
    clock: manualClock(),
  });
}

testRouter(manualroute, {
  table: { transport: "smtp", route_list: ["example.com  mx.example.net", "*  example.org/MX"] },
  services: { lists: lists() },
});

async function setUp(t: TestContext, rules: readonly string[], zone: Zone = {}, more = {}) {
  const dns = await startDns(zone);
  const clock = manualClock();
  const resolver = createResolver({ servers: [dns.address], clock });
  t.after(async () => {
    await resolver.close();
    await dns.close();
  });
  const options = readOptions(manualroute, { transport: "smtp", route_list: rules, ...more });
  const router = manualroute.create(options, fakeServices({ clock, resolver, lists: lists() }));
  return async (domain: string): Promise<Decision> =>
    router.route(subject(`bob@${domain}`), context());
}

/** "a:587=192.0.2.1 b", or the kind of the decision. */
function brief(decision: Decision): string {
  if (decision.kind !== "accept") return decision.kind;
  const parts = (decision.hosts ?? []).map(({ name, port, addresses }) => {
    const at = port === undefined ? name : `${name}:${port}`;
    return addresses === undefined ? at : `${at}=${addresses.join(",")}`;
  });
  return parts.join(" ");
}

describe("route_list", () => {
  test("the first rule that matches decides, by any item of a list of domains", async (t) => {
    const ask = await setUp(t, [
      "one.example      a.example.net",
      "+partners        b.example.net:587,  c.example.net",
      "*.one.example    192.0.2.1, [2001:db8::1]:26   byname",
      "!two.example     d.example.net",
    ]);
    assert.equal(brief(await ask("one.example")), "a.example.net");
    assert.equal(brief(await ask("sub.partner.example")), "b.example.net:587 c.example.net");
    const written = "192.0.2.1=192.0.2.1 2001:db8::1:26=2001:db8::1";
    assert.equal(brief(await ask("sub.one.example")), written);
    assert.equal(brief(await ask("else.example")), "d.example.net");
    assert.equal(brief(await ask("two.example")), "decline");
  });

  test("an lsearch file that cannot be read defers, and no later rule is asked", async (t) => {
    const ask = await setUp(t, ["lsearch:/nowhere/list  a.example.net", "*  b.example.net"]);
    assert.equal(brief(await ask("one.example")), "defer");
  });

  test("randomize and no_randomize go before hosts_randomize", async (t) => {
    const names = Array.from({ length: 8 }, (_, number) => `mx${number}.example.net`);
    const orders = async (word: string, usually: boolean) => {
      const rules = [`*  ${names.join(",")}  ${word}`];
      const ask = await setUp(t, rules, {}, { hosts_randomize: usually });
      const seen = new Set<string>();
      for (let round = 0; round < 20; round++) {
        const order = brief(await ask("example.com"));
        assert.deepEqual(order.split(" ").toSorted(), names);
        seen.add(order);
      }
      return seen.size;
    };
    assert.ok((await orders("randomize", false)) > 1);
    assert.ok((await orders("", true)) > 1);
    assert.equal(await orders("no_randomize", true), 1);
    assert.equal(await orders("byname", false), 1);
  });

  const ZONE: Zone = {
    "partner.example": {
      MX: [
        [20, "b.partner.example"],
        [10, "a.partner.example"],
        [30, "c.partner.example"],
      ],
    },
    "a.partner.example": { A: ["198.51.100.1"] },
    "b.partner.example": { A: ["198.51.100.2"] },
    "c.partner.example": { A: ["10.0.0.1"] },
  };

  test("host/MX is the mail exchangers in their order, without private addresses, at the port of the rule", async (t) => {
    const ask = await setUp(t, ["*  first.example.net, partner.example/mx:587"], ZONE);
    assert.equal(
      brief(await ask("one.example")),
      "first.example.net a.partner.example:587=198.51.100.1 b.partner.example:587=198.51.100.2",
    );
  });

  test("exchangers that are not found defer, unless the rule has other hosts; nothing bounces", async (t) => {
    const ask = await setUp(t, ["a.example  gone.example/MX", "*  gone.example/MX, b.example.net"]);
    const decision = await ask("a.example");
    assert.ok(decision.kind === "defer");
    assert.equal(decision.status.enhanced, "4.4.4");
    assert.match(decision.why ?? "", /^gone\.example\/MX: /);
    assert.equal(brief(await ask("b.example")), "b.example.net");
  });

  test("what is wrong with a rule is a problem of its item", () => {
    const wrong: Readonly<Record<string, RegExp>> = {
      "*": /must read like/,
      "": /must read like/,
      "a@b.example  mx.example.net": /"a@b.example" is an address; a domain is wanted here/,
      "+  mx.example.net": /"\+" names no list/,
      "*  a.example:b.example": /"a.example:b.example" must be "host"/,
      "*  192.0.2.1/MX": /"192.0.2.1\/MX" must be "host"/,
      "*  a.example randomise":
        /"randomise" is not an option of a rule, did you mean "randomize"\?/,
      "*  a.example b.example": /"b.example" is not an option of a rule; there are randomize/,
    };
    for (const [rule, why] of Object.entries(wrong)) {
      const table = { transport: "smtp", route_list: ["*  ok.example", rule] };
      const problems = problemsOf(manualroute, table).join("\n");
      assert.match(problems, new RegExp(`^route_list\\[1\\]: .*${why.source}`), rule);
    }
  });

  test("either it or route, and at least one rule", () => {
    const rule = "*  mx.example.net";
    for (const [table, problem] of [
      [{}, "route: must be given, or a route_list"],
      [{ route: "a.example", route_list: rule }, "route_list: cannot be given together with route"],
      [{ route_list: [] }, "route_list: has no rule"],
    ] as const) {
      assert.deepEqual(problemsOf(manualroute, { transport: "smtp", ...table }), [problem]);
    }
  });
});

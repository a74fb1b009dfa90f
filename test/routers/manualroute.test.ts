import assert from "node:assert/strict";
import { test } from "node:test";
import { manualroute } from "../../routers/manualroute.ts";
import { problemsOf, readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { fakeServices } from "../support/services.ts";

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

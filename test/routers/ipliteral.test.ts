import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ipliteral } from "../../routers/ipliteral.ts";
import { createLists } from "../../src/lists/create-lists.ts";
import { readOptions, type OptionTable } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { manualClock } from "../support/clock.ts";
import { startTestRelay } from "../support/relay.ts";
import { fakeServices, recordingLog, resolverAnswering } from "../support/services.ts";
import { builtIn } from "../../src/built-in.ts";

const lists = createLists({
  lookups: builtIn.lookups,
  domains: {},
  hosts: {},
  configDirectory: "/nowhere",
  log: recordingLog(),
  resolver: resolverAnswering({ kind: "no-data" }),
  clock: manualClock(),
});

testRouter(ipliteral, { table: { transport: "smtp" }, services: { lists } });

async function decide(domain: string, table: OptionTable = {}) {
  const services = fakeServices({ lists, ownAddresses: new Set(["203.0.113.25", "2001:db8::25"]) });
  const router = ipliteral.create(
    readOptions(ipliteral, { transport: "smtp", ...table }),
    services,
  );
  return router.route(subject(`bob@${domain}`), context());
}

test("an address literal is its own host", async () => {
  for (const [domain, address] of [
    ["[198.51.100.7]", "198.51.100.7"],
    ["[IPv6:2001:db8::7]", "2001:db8::7"],
  ] as const) {
    const hosts = [{ name: address, addresses: [address] }];
    assert.deepEqual(await decide(domain), { kind: "accept", transport: "smtp", hosts });
  }
});

test("what is no literal is declined, and so is what leads to us or into a private network", async () => {
  for (const domain of [
    "example.com",
    "198.51.100.7",
    "[127.0.0.1]",
    "[10.1.2.3]",
    "[0.0.0.0]",
    "[IPv6:::1]",
    "[IPv6:::ffff:127.0.0.1]",
    "[IPv6:fe80::1]",
    "[100.64.0.1]",
    "[IPv6:fec0::1]",
    "[IPv6:64:ff9b::a00:1]",
    "[IPv6:64:ff9b::10.0.0.1]",
    "[IPv6:2002:a00:1::1]",
    "[203.0.113.25]",
    "[IPv6:2002:cb00:7119::1]",
    "[IPv6:2001:db8::25]",
    "[IPv6:2001:DB8:0::25]",
  ]) {
    assert.equal((await decide(domain)).kind, "decline", domain);
  }
});

test("with ignore_target_hosts = [] every address is good", async () => {
  assert.equal((await decide("[127.0.0.1]", { ignore_target_hosts: [] })).kind, "accept");
});

const config = (hosts: string) => `
[domains]
ours = ["example.com"]
[gate]
local_domains = "+ours"
[[gate.relay]]
hosts = "${hosts}"
sender_domains = "*"
[[routers]]
name = "literals"
driver = "ipliteral"
transport = "nowhere"
[transports.nowhere]
driver = "discard"
`;
const replyTo = async (hosts: string, recipient: string) => {
  await using relay = await startTestRelay({ config: config(hosts) });
  using client = await relay.connect();
  await client.ask("EHLO client.test");
  await client.ask("MAIL FROM:<alice@example.org>");
  return await client.ask(`RCPT TO:<${recipient}>`);
};

describe("a relay with the router", () => {
  test("relays to a literal for nobody but a host of a relay rule", async () => {
    for (const literal of ["bob@[198.51.100.7]", "bob@[IPv6:2001:db8::7]"]) {
      assert.match(await replyTo("192.0.2.99", literal), /^550 5\.7\.1 Relaying denied/);
      assert.match(await replyTo("127.0.0.1", literal), /^250 /);
    }
  });

  test("knows no user at an address of its own", async () => {
    assert.match(await replyTo("127.0.0.1", "bob@[127.0.0.1]"), /^550 5\.1\.1 /);
  });
});

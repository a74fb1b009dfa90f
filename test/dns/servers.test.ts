import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import { parseServer, systemServers } from "../../src/dns/servers.ts";

for (const [text, server] of [
  ["127.0.0.1", { address: "127.0.0.1", port: 53 }],
  ["127.0.0.1:5353", { address: "127.0.0.1", port: 5353 }],
  ["::1", { address: "::1", port: 53 }],
  ["2001:db8::1", { address: "2001:db8::1", port: 53 }],
  ["[::1]", { address: "::1", port: 53 }],
  ["[::1]:5353", { address: "::1", port: 5353 }],
  ["", undefined],
  ["dns.example.com", undefined],
  ["localhost:53", undefined],
  ["127.0.0.1:", undefined],
  ["127.0.0.1:0", undefined],
  ["127.0.0.1:65536", undefined],
  ["127.0.0.1:5353x", undefined],
  ["127.0.0", undefined],
  ["[127.0.0.1]:53", undefined],
  ["[::1", undefined],
  ["::1]:53", undefined],
] as const) {
  test(`${JSON.stringify(text)} is ${server === undefined ? "no server" : "a server"}`, () => {
    assert.deepEqual(parseServer(text), server);
  });
}

test("resolv.conf gives its name servers in order", () => {
  const directory = mkdtempSync(join(tmpdir(), "resolv-"));
  const path = join(directory, "resolv.conf");
  writeFileSync(
    path,
    "# nameserver 192.0.2.9\nsearch example.com\n  nameserver\t192.0.2.1 # the first\n" +
      "nameserver 2001:db8::53\nnameserver dns.example.com\noptions ndots:1\nnameserver 192.0.2.2",
  );
  assert.deepEqual(
    systemServers(path).map(({ address, port }) => `${address} ${port}`),
    ["192.0.2.1 53", "2001:db8::53 53", "192.0.2.2 53"],
  );
  writeFileSync(path, "search example.com\n");
  assert.deepEqual(systemServers(path), [{ address: "127.0.0.1", port: 53 }]);
  rmSync(directory, { recursive: true });
  assert.deepEqual(systemServers(path), [{ address: "127.0.0.1", port: 53 }]);
});

test("a server that is none is an error when the resolver is made", () => {
  assert.throws(
    () => createResolver({ clock: systemClock, servers: ["dns.example.com"] }),
    /"dns.example.com" is no DNS server/,
  );
});

// A report by HTTPS goes to no address of our own networks, and to no port that a stranger has chosen.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";
import { HTTPS, type Https } from "../../../src/base/net/https.ts";
import type { Match } from "../../../src/lists/lists.ts";
import { postReport } from "../../../src/parts/tls-reports/post.ts";
import { manualClock } from "../../support/clock.ts";
import { resolverAnswering } from "../../support/services.ts";
import { httpsOf } from "../../../src/run/https.ts";

/** A service on every address of this machine; how often somebody has connected to it. */
async function service(t: TestContext) {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { port: address.port, connections: () => connections };
}

function post(url: string, https: Https, addresses: readonly string[] = ["127.0.0.1"]) {
  const answer = { kind: "found", records: addresses } as const;
  const resolver = {
    ...resolverAnswering({ kind: "no-such-name" }),
    a: () => Promise.resolve(answer),
  };
  const { signal } = new AbortController();
  const means = { clock: manualClock(), resolver, https, signal };
  return postReport(new URL(url), Buffer.from("x"), means);
}

for (const host of ["reports.example.test", "127.0.0.1", "[::1]", "2130706433", "localhost"]) {
  test(`${host}, which is this machine, is not connected to`, async (t) => {
    const { port, connections } = await service(t);
    const https = { ...HTTPS, port };
    await assert.rejects(
      post(`https://${host}:${port}/`, https),
      /nothing is sent to its|ENOTFOUND/,
    );
    assert.equal(connections(), 0);
  });
}

test("a port of the stranger's choice is not connected to", async (t) => {
  const { port, connections } = await service(t);
  const https = { ...HTTPS, isIgnored: () => false };
  const url = `https://reports.example.test:${port}/`;
  await assert.rejects(post(url, https), /only port 443 is connected to/);
  assert.equal(connections(), 0);
  await assert.rejects(post(url, { ...https, port }), /socket|ECONNRESET/);
  assert.equal(connections(), 1);
});

test("of several addresses those that are ignored are left out", async (t) => {
  const { port, connections } = await service(t);
  const https = { port, isIgnored: (address: string) => address !== "127.0.0.1" };
  const url = `https://reports.example.test:${port}/`;
  await assert.rejects(post(url, https, ["10.0.0.1", "127.0.0.1"]), /socket|ECONNRESET/);
  assert.equal(connections(), 1);
});

const match = (address: string): Match => ({
  kind: address === "192.0.2.1" ? "in" : "out",
  why: "",
});

test("[https] says what is ignored, and which port", () => {
  const asked: (readonly string[])[] = [];
  const hosts = (items: readonly string[]) => {
    asked.push(items);
    return { match };
  };
  const lists = { hosts };
  const https = httpsOf({ port: 8443, ignore_target_hosts: ["192.0.2.1"] }, lists);
  assert.deepEqual([https.port, asked], [8443, [["192.0.2.1"]]]);
  assert.ok(https.isIgnored("192.0.2.1") && !https.isIgnored("192.0.2.2"));
  assert.ok(https.isIgnored("no address"));
  assert.ok(!httpsOf({ port: 443, ignore_target_hosts: [] }, lists).isIgnored("127.0.0.1"));
});

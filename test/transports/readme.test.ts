import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { transportOptions } from "../../src/config/chain-options.ts";
import { findDriver } from "../../src/config/drivers.ts";
import type { Transport } from "../../src/contract.ts";
import { transportDrivers } from "../../transports/index.ts";
import { readOptions } from "../conformance/driver.ts";
import { testTransport } from "../conformance/transport.ts";
import { batch, MESSAGE, recipient } from "../support/message.ts";
import { compilerErrors, exampleDirectory } from "../support/readme-driver.ts";
import { fakeServices } from "../support/services.ts";

const directory = exampleDirectory("transports/README.md", "webhook.ts");
const found = await findDriver<Transport>(
  "./webhook.ts",
  { word: "transport", builtIn: transportDrivers, reserved: Object.keys(transportOptions.fields) },
  directory,
);
assert.ok("driver" in found, JSON.stringify(found));
const webhook = found.driver;

/** An HTTP server that answers every request with `code`, and keeps what it was sent. */
async function listen(t: TestContext, code = 204) {
  const requests: { path: string; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("latin1").on("data", (piece: string) => (body += piece));
    request.on("end", () => {
      requests.push({ path: request.url ?? "", body });
      response.writeHead(code).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { requests, table: { url: `http://127.0.0.1:${address.port}/mail` } };
}

testTransport(webhook, { setup: (t) => listen(t) });

test("the example of transports/README.md satisfies the compiler", () => {
  assert.equal(compilerErrors(directory, "webhook.ts"), "");
});

test("the example of transports/README.md posts the message, and defers what is refused", async (t) => {
  const never = new AbortController().signal;
  const bob = recipient("bob@example.com");
  for (const [code, kind] of [
    [204, "delivered"],
    [500, "deferred"],
  ] as const) {
    const { requests, table } = await listen(t, code);
    const transport = webhook.create(readOptions(webhook, table), fakeServices());
    const outcomes = await transport.deliver(batch([bob]), never);
    assert.equal(outcomes.get(bob.id)?.kind, kind);
    assert.deepEqual(requests, [
      {
        path: "/mail?sender=alice%40example.org&recipient=bob%40example.com",
        body: MESSAGE.toString("latin1"),
      },
    ]);
  }
});

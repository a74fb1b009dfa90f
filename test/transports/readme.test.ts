import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { readOptions } from "../conformance/driver.ts";
import { testTransport } from "../conformance/transport.ts";
import { startHttp } from "../support/http-server.ts";
import { batch, MESSAGE, recipient } from "../support/build.ts";
import { compilerErrors, exampleDirectory, exampleTransport } from "../support/readme-driver.ts";
import { fakeServices } from "../support/services.ts";

const directory = exampleDirectory("transports/README.md", "webhook.ts");
const webhook = await exampleTransport(directory, "webhook.ts");

/** Answers every request with `code`, and keeps what it was sent. */
async function listen(t: TestContext, code = 204) {
  const requests: { path: string; body: string }[] = [];
  const url = await startHttp(t, (request, response) => {
    let body = "";
    request.setEncoding("latin1").on("data", (piece: string) => (body += piece));
    request.on("end", () => {
      requests.push({ path: request.url ?? "", body });
      response.writeHead(code).end();
    });
  });
  return { requests, table: { url: `${url}mail` } };
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

// docs/drivers.md: the driver on the page is loaded, held to the contract, and takes a message to where it says.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { startHttp } from "../support/http-server.ts";
import { compilerErrors, exampleDirectory, exampleRouter } from "../support/readme-driver.ts";
import { startTestRelay } from "../support/relay.ts";
import { fakeServices } from "../support/services.ts";
import { startSink } from "../support/sink.ts";

const directory = exampleDirectory("docs/drivers.md", "mailhost.ts");
const mailhost = await exampleRouter(directory, "mailhost.ts");

/** Knows the host of some addresses, and is broken for others. */
function startDirectory(t: TestContext, hosts: Readonly<Record<string, string>>): Promise<string> {
  return startHttp(t, (request, response) => {
    const address = decodeURIComponent((request.url ?? "").slice(1));
    const host = hosts[address];
    response.writeHead(address.startsWith("broken@") ? 500 : host === undefined ? 404 : 200);
    response.end(host);
  });
}

test("the example of docs/drivers.md satisfies the compiler", () => {
  assert.equal(compilerErrors(directory, "mailhost.ts"), "");
});

// Everything is at home here: a data: URL answers without a server, and ignores what is put behind its "#".
testRouter(mailhost, { table: { transport: "smtp", url: "data:,mx.example.net#" } });

test("the example of docs/drivers.md accepts, declines and defers as the page says", async (t) => {
  const url = await startDirectory(t, {
    "bob@example.com": "mx.example.net:26",
    "odd@x.test": "?",
  });
  const options = readOptions(mailhost, { transport: "smtp", url });
  const router = mailhost.create(options, fakeServices());
  const ask = async (address: string) => router.route(subject(address), context());
  assert.deepEqual(await ask("Bob@example.com"), {
    kind: "accept",
    transport: "smtp",
    hosts: [{ name: "mx.example.net", port: 26 }],
  });
  assert.equal((await ask("carol@example.com")).kind, "decline");
  await assert.rejects(ask("broken@example.com"), /the directory said 500/);
  await assert.rejects(ask("odd@x.test"), /the directory said 200 \?/);
});

test("a relay with the example of docs/drivers.md sends each message where the directory says", async (t) => {
  await using moved = await startSink();
  await using others = await startSink();
  const url = await startDirectory(t, { "alice@example.com": `127.0.0.1:${moved.port}` });
  await using relay = await startTestRelay({
    config: `
[domains]
ours = ["example.com"]
[gate]
local_domains = "+ours"
[[routers]]
name = "moved"
driver = "${join(directory, "mailhost.ts")}"
domains = "+ours"
url = "${url}"
transport = "onwards"
[[routers]]
name = "all_others"
driver = "manualroute"
domains = "+ours"
route = "127.0.0.1:${others.port}"
transport = "onwards"
[transports.onwards]
driver = "smtp"
`,
  });
  using client = await relay.connect();
  await client.ask("EHLO client.test");
  await client.ask("MAIL FROM:<carol@example.org>");
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 /);
  assert.match(await client.ask("RCPT TO:<bob@example.com>"), /^250 /);
  assert.match(await client.ask("RCPT TO:<broken@example.com>"), /^451 4\.3\.0 /);
  await client.ask("DATA");
  client.send("Subject: hello\r\n\r\nHello\r\n");
  assert.match(await client.ask("."), /^250 /);
  const [[toMoved], [toOthers]] = await Promise.all([moved.waitFor(1), others.waitFor(1)]);
  assert.deepEqual(toMoved?.recipients, ["alice@example.com"]);
  assert.deepEqual(toOthers?.recipients, ["bob@example.com"]);
});

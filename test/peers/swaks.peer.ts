// swaks, which postmasters test with, against the relay: in clear and by STARTTLS.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { workspaceConfig } from "../support/build.ts";
import { tlsListener } from "../support/certificates.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { missing } from "./packages.ts";

const skip = missing("swaks", "libnet-ssleay-perl");

async function swaks(relay: TestRelay, ...args: readonly string[]): Promise<string> {
  const server = ["--server", "127.0.0.1", "--port", String(relay.port)];
  const { stdout } = await promisify(execFile)("swaks", [...server, ...args]);
  return stdout;
}

for (const { name, args, protocol } of [
  { name: "in clear", args: [], protocol: "ESMTP id" },
  { name: "by STARTTLS", args: ["--tls"], protocol: "ESMTPS (TLSv1.3 " },
]) {
  test(`swaks delivers ${name}`, { skip }, async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({
      config: workspaceConfig(google.port).concat(tlsListener()),
      files: { gmail_accounts: "alice\n" },
    });
    const said = await swaks(relay, ...args, "-f", "carol@example.org", "-t", "alice@example.com");
    assert.match(said, /250 2\.0\.0 Ok, queued as \w+/);
    await google.waitFor(1);
    const [copy = ""] = await relay.copies("mail/example.com/alice");
    assert.ok(copy.includes(`with ${protocol}`), copy);
    assert.ok(copy.includes("\nThis is a test mailing\n"));
  });
}

test("swaks sees an unknown recipient refused at RCPT", { skip }, async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port).concat(tlsListener()),
    files: { gmail_accounts: "alice\n" },
  });
  // Exit code 24: no recipient was accepted.
  const sent = swaks(relay, "-f", "carol@example.org", "-t", "zoe@example.com");
  await assert.rejects(sent, { code: 24, stdout: /<\*\* 550 5\.1\.1 / });
  assert.equal(google.connections, 0);
});

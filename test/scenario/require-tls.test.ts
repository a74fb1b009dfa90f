// Mail that requires TLS (RFC 8689), from the client that asks for it to the report that needs the same protection.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { OURS, tlsListener } from "../support/certificates.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { send } from "../support/transaction.ts";

/** Google and the world at these ports, with a certificate that is good for 127.0.0.1. */
function config(google: number, world: number): string {
  const verified = `driver = "smtp"\ntls_verify_certificates = "${OURS.certificate}"`;
  return tlsListener() + workspaceConfig(google, world).replaceAll('driver = "smtp"', verified);
}

test("is passed on with it, and its copy is kept", async () => {
  await using google = await startSink({ tls: true });
  await using world = await startSink({ tls: true, server: { hideREQUIRETLS: false } });
  const files = { gmail_accounts: "alice\n" };
  await using relay = await startTestRelay({ config: config(google.port, world.port), files });
  using client = await relay.connect();
  await client.ask("EHLO client.example.net");
  await client.ask("STARTTLS");
  await client.startTls();
  await send(client, "<alice@example.com> REQUIRETLS", ["<bob@example.org>"]);
  await relay.happened("message.completed");
  assert.equal(world.messages[0]?.requireTls, true);
  assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, 1);
});

test("that nobody may be given comes back as a report that requires TLS itself", async () => {
  await using google = await startSink({ tls: true, server: { hideREQUIRETLS: false } });
  await using world = await startSink({ tls: true });
  const files = { gmail_accounts: "alice\n" };
  await using relay = await startTestRelay({ config: config(google.port, world.port), files });
  using client = await relay.connect();
  await client.ask("EHLO client.example.net");
  await client.ask("STARTTLS");
  await client.startTls();
  await send(client, "<alice@example.com> REQUIRETLS", ["<bob@example.org>"]);
  await relay.happened("message.completed", 2);
  assert.deepEqual([world.messages, world.attempted], [[], []]);
  const [report] = google.messages;
  assert.equal(report?.requireTls, true);
  assert.equal(report.sender, "");
  assert.match(report.raw.toString(), /^Status: 5\.7\.30\r$/m);
});

test("in a header only goes on as it is: TLS-Required is for whoever made it", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const files = { gmail_accounts: "alice\n" };
  await using relay = await startTestRelay({ config: config(google.port, world.port), files });
  using client = await relay.connect();
  const letter = "TLS-Required: No\r\nSubject: x\r\n\r\nx\r\n";
  await send(client, "<alice@example.com>", ["<bob@example.org>"], letter);
  const [message] = await world.waitFor(1);
  assert.ok(message?.raw.toString().endsWith(letter));
});

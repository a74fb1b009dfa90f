// A client that has no address of its own to be known by, and shows a certificate instead.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { pem, tlsListener } from "../support/certificates.ts";
import { type TestRelay, startTestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { begin, send } from "../support/transaction.ts";
import type { Wire } from "../support/wire.ts";

const read = (name: string) => readFileSync(pem(name), "utf8");

const KNOWN = { cert: read("other-certificate"), key: read("other-private-key") };
const UNKNOWN = { cert: read("certificate"), key: read("private-key") };
const FINGERPRINT = new X509Certificate(KNOWN.cert).fingerprint256;

/** From anywhere, with this certificate; and one address without. */
async function relayTo(sink: Sink, written = FINGERPRINT): Promise<TestRelay> {
  const config = `${tlsListener()}
client_certificates = "request"
${workspaceConfig(sink.port).replace(
  'hosts = "+trusted"',
  `hosts = ["0.0.0.0/0", "::/0"]\nclient_certificates = ["${written}"]`,
)}`;
  return startTestRelay({ config, files: { gmail_accounts: "alice\n" } });
}

async function secured(relay: TestRelay, options: Parameters<Wire["startTls"]>[0]): Promise<Wire> {
  const client = await relay.connect();
  await client.ask("EHLO client.example.net");
  await client.ask("STARTTLS");
  await client.startTls(options);
  return client;
}

async function outward(client: Wire): Promise<string> {
  await begin(client, "<alice@example.com>");
  return client.ask("RCPT TO:<bob@example.org>");
}

test("who shows the certificate may relay, and the log and Received tell which it was", async () => {
  await using sink = await startSink();
  await using relay = await relayTo(sink, FINGERPRINT.replaceAll(":", "").toLowerCase());
  using client = await secured(relay, KNOWN);
  await send(client, "<alice@example.com>", ["<bob@example.org>"]);
  const [accepted] = await relay.happened("message.accepted");
  assert.equal(accepted?.client_certificate, FINGERPRINT);
  assert.equal(accepted.rule, "gate.relay[0]");
  const [message] = await sink.waitFor(1);
  const head = message?.raw.toString().split("\r\n\r\n")[0] ?? "";
  assert.ok(head.includes(`, client certificate ${FINGERPRINT.slice(0, 23)})`), head);
  assert.ok(!head.includes(FINGERPRINT));
});

test("it is as good in a session that is resumed", async () => {
  await using sink = await startSink();
  await using relay = await relayTo(sink);
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    using first = await secured(relay, { ...KNOWN, maxVersion });
    assert.match(await outward(first), /^250 /);
    assert.ok(first.session !== undefined);
    using second = await secured(relay, { session: first.session, maxVersion });
    assert.match(await outward(second), /^250 /, maxVersion);
  }
});

test("who shows another one, or none, or speaks in the clear, may not", async () => {
  await using sink = await startSink();
  await using relay = await relayTo(sink);
  for (const shown of [UNKNOWN, {}]) {
    using client = await secured(relay, shown);
    assert.match(await outward(client), /^550 5\.7\.1 Relaying denied/);
    assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 /);
    assert.match(await client.ask("RCPT TO:<alice%elsewhere.test@example.com>"), /names a route/);
  }
  using clear = await relay.connect();
  assert.match(await outward(clear), /^550 5\.7\.1 Relaying denied/);
});

test("what was shown before is worth nothing in the next connection", async () => {
  await using sink = await startSink();
  await using relay = await relayTo(sink);
  using first = await secured(relay, KNOWN);
  assert.match(await outward(first), /^250 /);
  using second = await secured(relay, {});
  assert.match(await outward(second), /^550 /);
});

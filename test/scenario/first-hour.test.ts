// The configuration that relayctl init writes, at work: mail in and out leaves its copies, and strangers and other
// customers of Google get nowhere. Only hosts, ports and directories are those of the test.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountsFile, routersFile } from "../../src/parts/setup/routers-file.ts";
import { testCertificate } from "../support/certificates.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { begin, LETTER, say, send } from "../support/transaction.ts";
import type { Wire } from "../support/wire.ts";

const SECRET = "5ec2e7".repeat(8);
const PROVEN = `X-Unseen-Tenant: ${SECRET}\r\n${LETTER}`;
const GOOGLE = "127.0.0.7";
const STRANGER = "127.0.0.9";
const ALICE = "<alice@example.com>";
const DAVE = "<dave@example.org>";

/** Replaces one place, which must be there. */
function changed(text: string, place: RegExp, by: string): string {
  assert.match(text, place);
  return text.replace(place, by);
}

function config({ port }: Sink): string {
  const places: readonly (readonly [RegExp, string])[] = [
    [/address = "0\.0\.0\.0:25"/, 'address = "127.0.0.1:0"'],
    [/user = "nobody"\n/, ""],
    [/"spf:_spf\.google\.com"/, `"${GOOGLE}"`],
    [/hosts = \[\n[^\]]*\]\ntls = "verify"/, `hosts = ["127.0.0.1:${port}"]`],
    [/driver = "dnslookup"/, `driver = "manualroute"\nroute = ["127.0.0.1:${port}"]`],
  ];
  const written = routersFile({
    domains: ["example.com", "example.net"],
    hostname: "mx.example.com",
    addresses: ["192.0.2.25"],
    spool: "spool",
    mail: "mail",
    user: "nobody",
    secret: SECRET,
  });
  return places.reduce((text, [place, by]) => changed(text, place, by), written);
}

async function start(sink: Sink): Promise<TestRelay> {
  const { cert, key } = testCertificate();
  return startTestRelay({
    config: config(sink),
    files: {
      "accounts/example.com": `${accountsFile("example.com")}alice\nbob.smith: bob\nbob\n`,
      "accounts/example.net": `${accountsFile("example.net")}zoe\nalice: alice@example.com\n`,
      "tls/fullchain.pem": cert.toString(),
      "tls/key.pem": key.toString(),
    },
  });
}

/** A client that has begun TLS, as Google's hosts do. */
async function secured(relay: TestRelay, from: string): Promise<Wire> {
  const client = await relay.connect(from);
  await client.ask("EHLO client.example.net");
  assert.match(await client.ask("STARTTLS"), /^220 /);
  await client.startTls();
  return client;
}

async function copiesIn(relay: TestRelay): Promise<Record<string, number>> {
  const maildirs = ["alice", "alice/.Sent", "bob", "bob/.Sent", "_unlisted/.Sent"];
  const found: Record<string, number> = {};
  for (const name of maildirs) {
    const { length } = await relay.copies(`mail/example.com/${name}`).catch(() => []);
    if (length > 0) found[name] = length;
  }
  return found;
}

describe("the configuration of relayctl init", () => {
  test("copies mail from outside, by alias and domain, and passes it on", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    using client = await relay.connect(STRANGER);
    await send(client, DAVE, [ALICE]);
    await send(client, DAVE, ["<bob.smith@example.com>"]);
    await send(client, DAVE, ["<alice@example.net>"]);
    await relay.happened("message.completed", 3);
    assert.deepEqual(await copiesIn(relay), { alice: 2, bob: 1 });
    assert.equal(sink.messages.length, 3);
  });

  test("copies our mail for the world and takes its secret out", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    using client = await secured(relay, GOOGLE);
    await send(client, ALICE, [DAVE], PROVEN);
    await send(client, "<new@example.com>", [DAVE], PROVEN);
    await relay.happened("message.completed", 2);
    assert.deepEqual(await copiesIn(relay), { "alice/.Sent": 1, "_unlisted/.Sent": 1 });
    assert.equal(relay.log.named("copy.unlisted").length, 1);
    const [copy = ""] = await relay.copies("mail/example.com/alice/.Sent");
    const [message] = sink.messages;
    assert.ok(message !== undefined);
    for (const text of [copy, String(message.raw)]) assert.ok(!text.includes("X-Unseen-Tenant"));
    assert.match(
      copy,
      /^Return-path: <alice@example\.com>\nEnvelope-to: dave@example\.org\nDelivery-date: /,
    );
  });

  test("refuses our mail without the secret, without TLS, and from a sender that is not ours", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    using client = await secured(relay, GOOGLE);
    for (const letter of [LETTER, `X-Unseen-Tenant: ${SECRET.slice(1)}\r\n${LETTER}`]) {
      await begin(client, ALICE);
      assert.match(await client.ask(`RCPT TO:${DAVE}`), /^250 /);
      assert.match(await say(client, letter), /^550 5\.7\.1 /);
    }
    await begin(client, "<mallory@other-tenant.example>");
    assert.match(await client.ask(`RCPT TO:${DAVE}`), /^550 5\.7\.1 /);
    using plain = await relay.connect(GOOGLE);
    await begin(plain, ALICE);
    assert.match(await plain.ask(`RCPT TO:${DAVE}`), /^5\d\d 5\.7\./);
    assert.deepEqual(await copiesIn(relay), {});
    assert.equal(sink.messages.length, 0);
  });

  test("lets no stranger relay, and none into a folder of sent mail", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    for (const from of [STRANGER, "127.0.0.1"]) {
      using client = await secured(relay, from);
      await begin(client, ALICE);
      assert.match(await client.ask(`RCPT TO:${DAVE}`), /^550 5\.7\.1 /, from);
      // Even with the secret, which somebody may have read somewhere.
      await send(client, ALICE, ["<bob@example.com>"], PROVEN);
      await send(client, "<new@example.com>", ["<bob@example.com>"]);
    }
    await relay.happened("message.completed", 4);
    assert.deepEqual(await copiesIn(relay), { bob: 4 });
  });

  test("refuses names that are not listed, in each domain for itself", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    using client = await relay.connect(STRANGER);
    await begin(client, DAVE);
    for (const name of ["zoe@example.com", "bob@example.net", "nobody@example.com"]) {
      assert.match(await client.ask(`RCPT TO:<${name}>`), /^550 5\.1\.1 /, name);
    }
    for (const name of ["zoe@example.net", "postmaster@example.com", "abuse@example.net"]) {
      assert.match(await client.ask(`RCPT TO:<${name}>`), /^250 /, name);
    }
  });
});

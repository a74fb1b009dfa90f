// A client that is played over the control socket: what the gate says to it, and that nothing else notices it.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { PlayedSession } from "../../src/parts/doctor/played-session.ts";
import { controlSocket } from "../../src/run/control/protocol.ts";
import { tlsListener } from "../support/certificates.ts";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";

const GATE = `
[[gate.relay]]
hosts = ["198.51.100.0/24"]
sender_domains = "+ours"
require_tls = true
proof = { header = ["X-Tenant: s3cret"] }
[[gate.relay]]
hosts = ["203.0.113.5"]
sender_domains = "*"
`;

const CONFIG = `
[relay]
hostname = "mx.example.com"
spool_directory = "spool"
recipients_per_client_rate = "1/1h"
messages_per_client_rate = "1/1h"
refused_recipients_per_client_rate = "1/1h"
refused_recipients_max = 100
${tlsListener()}
${workspaceConfig(9).replace("[[routers]]", `${GATE}[[routers]]`)}`;

const start = () => startTestRelay({ config: CONFIG, files: { gmail_accounts: "alice\n" } });
const open = ({ configuration }: TestRelay, address: string) =>
  PlayedSession.open(controlSocket(configuration.relay), address);

async function rcpt(session: PlayedSession, sender: string, recipient: string): Promise<string> {
  const mail = await session.command(`MAIL FROM:<${sender}>`);
  assert.equal(mail.code, 250);
  const { code, text } = await session.command(`RCPT TO:<${recipient}>`);
  await session.command("RSET");
  return `${code} ${text}`;
}

suite("a played client", () => {
  test("has the answers of the gate, with the rule that gave them", async () => {
    await using relay = await start();
    using stranger = await open(relay, "192.0.2.1");
    assert.equal(
      await rcpt(stranger, "alice@example.com", "bob@example.org"),
      "550 5.7.1 Relaying denied (none)",
    );
    assert.equal(
      await rcpt(stranger, "bob@example.org", "alice@example.com"),
      "250 2.1.5 Accepted (local_domains)",
    );
    using shared = await open(relay, "198.51.100.77");
    assert.equal(
      await rcpt(shared, "alice@example.com", "bob@example.org"),
      "250 2.1.5 Accepted (gate.relay[1]), if the message has its proof",
    );
    assert.equal(
      await rcpt(shared, "bob@example.org", "carol@example.org"),
      "550 5.7.1 Relaying denied (gate.relay[1])",
    );
    using open6 = await open(relay, "2001:db8::7");
    assert.match(await rcpt(open6, "alice@example.com", "bob@example.org"), /^550 .*\(none\)$/);
    using mapped = await open(relay, "::ffff:203.0.113.5");
    assert.match(
      await rcpt(mapped, "bob@example.org", "a@example.net"),
      /^250 .*\(gate.relay\[2\]\)$/,
    );
  });

  test("cannot deliver a message", async () => {
    await using relay = await start();
    using session = await open(relay, "203.0.113.5");
    await session.command("MAIL FROM:<bob@example.org>");
    await session.command("RCPT TO:<alice@example.com>");
    assert.equal((await session.command("DATA")).code, 354);
    const { code, text } = await session.command("Subject: x\r\n\r\nx\r\n.");
    assert.deepEqual([code, text], [554, "5.5.0 A played session accepts no message"]);
    assert.equal(await relay.relay.spool.count(), 0);
  });

  test("leaves no trace: no event, no rate, no slot", async () => {
    await using relay = await start();
    const before = relay.log.events.length;
    {
      using first = await open(relay, "127.0.0.1");
      using second = await open(relay, "127.0.0.9");
      for (const session of [first, second]) {
        for (let time = 0; time < 3; time++) {
          await rcpt(session, "bob@example.org", "carol@example.org");
        }
      }
    }
    assert.deepEqual(relay.log.events.slice(before), []);
    // Had the played refusals counted, this client would be put off with 450 by now.
    using client = await relay.connect("127.0.0.9");
    await client.ask("EHLO client.example.net");
    await client.ask("MAIL FROM:<bob@example.org>");
    assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 /);
  });

  test("does not hold up the end of the relay", async () => {
    const relay = await start();
    using session = await open(relay, "192.0.2.1");
    await relay.stop();
    await assert.rejects(session.command("NOOP"));
    await relay[Symbol.asyncDispose]();
  });
});

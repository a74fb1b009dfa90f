// Strangers' mail through a whole relay that writes down, or enforces, what SPF, DKIM and DMARC say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LETTER, rsaKey, signed } from "../receive/authentication/signing.ts";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { begin, say } from "../support/transaction.ts";

const BANK = rsaKey();
const STRANGER = "127.0.0.9";

function start(sink: Sink, policy: string, cutthrough = false): Promise<TestRelay> {
  return startTestRelay({
    config: workspaceConfig(sink.port)
      .replace("[[gate.relay]]", `[gate.authentication]\npolicy = "${policy}"\n[[gate.relay]]`)
      .replace('name = "gmail_remote"', `$&\ncutthrough = ${cutthrough}`),
    files: { gmail_accounts: "alice\npermfail-data\n" },
    dns: {
      "bank.test": { TXT: ["v=spf1 -all"] },
      "_dmarc.bank.test": { TXT: ["v=DMARC1; p=reject"] },
      "sel._domainkey.bank.test": { TXT: [BANK.record] },
    },
  });
}

async function sent(
  relay: TestRelay,
  letter: string,
  by = STRANGER,
  to = "alice",
): Promise<string> {
  using client = await relay.connect(by);
  await begin(client, "<ceo@bank.test>");
  assert.match(await client.ask(`RCPT TO:<${to}@example.com>`), /^250 /);
  return await say(client, letter);
}

const FROM_BANK = LETTER.replace("Alice <alice@example.com>", "ceo@bank.test");
const SIGNED = signed(FROM_BANK, { key: BANK, domain: "bank.test" });
const LARGE = signed(FROM_BANK + "a line\r\n".repeat(50_000), { key: BANK, domain: "bank.test" });
const FORGED = "Authentication-Results: mx.example.com; dmarc=pass header.from=bank.test\r\n";
const FOREIGN = "Authentication-Results: mx.bank.test; dmarc=pass\r\n";

test("results stand above our Received line, in the copy and on the wire; forged ones are gone", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, "tag");
  assert.match(await sent(relay, FORGED + FOREIGN + SIGNED), /^250 /);
  await relay.happened("message.completed");
  const arrived = sink.messages[0]?.raw.toString("latin1") ?? "";
  assert.match(
    arrived,
    /^Authentication-Results: mx\.example\.com;\r\n\tspf=fail smtp\.mailfrom=bank\.test;\r\n\tdkim=pass .*;\r\n\tdmarc=pass \(p=reject\) header\.from=bank\.test\r\nReceived: from /,
  );
  assert.ok(arrived.endsWith(`\r\n${FOREIGN}${SIGNED}`));
  const [copy = ""] = await relay.copies("mail/example.com/alice");
  assert.ok(copy.includes(`\n${arrived.replaceAll("\r\n", "\n")}`));
  const [accepted] = relay.log.named("message.accepted");
  assert.equal(accepted?.authentication, "spf=fail dkim=pass dmarc=pass");
  assert.equal(accepted.size, Buffer.byteLength(arrived, "latin1"));
});

test("a message with results is passed on whole, and what the next host says of it is the reply", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, "tag", true);
  assert.match(await sent(relay, LARGE), /^250 2\.0\.0 taken$/);
  const arrived = sink.messages[0]?.raw.toString("latin1") ?? "";
  assert.match(arrived, /^Authentication-Results: mx\.example\.com;\r\n/);
  assert.ok(arrived.endsWith(`\r\n${LARGE}`));
  assert.match(await sent(relay, LARGE, STRANGER, "permfail-data"), /^554 5\.6\.0 not this$/);
});

test("a large message gets them as well", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, "tag");
  assert.match(await sent(relay, LARGE), /^250 /);
  await relay.happened("message.completed");
  const arrived = sink.messages[0]?.raw.toString("latin1") ?? "";
  assert.match(arrived, /^Authentication-Results: mx\.example\.com;\r\n/);
  assert.ok(arrived.endsWith(`\r\n${LARGE}`));
});

test("a forged author is tagged, or refused where that is wanted", async () => {
  await using sink = await startSink();
  await using tagging = await start(sink, "tag");
  assert.match(await sent(tagging, FROM_BANK), /^250 /);
  await tagging.happened("message.completed");
  assert.match(sink.messages[0]?.raw.toString("latin1") ?? "", /\tdmarc=fail \(p=reject\) /);

  await using enforcing = await start(sink, "enforce");
  assert.match(await sent(enforcing, FROM_BANK), /^550 5\.7\.26 .*bank\.test/);
  assert.match(await sent(enforcing, SIGNED), /^250 /);
});

test("without the option, and from hosts of a relay rule, nothing is asked and nothing written", async () => {
  await using sink = await startSink();
  await using off = await start(sink, "off");
  assert.match(await sent(off, FORGED + FROM_BANK), /^250 /);
  await off.happened("message.completed");
  assert.ok(sink.messages[0]?.raw.toString("latin1").endsWith(`\r\n${FORGED}${FROM_BANK}`));

  await using tagging = await start(sink, "enforce");
  assert.match(await sent(tagging, FORGED + FROM_BANK, "127.0.0.1"), /^250 /);
  await tagging.happened("message.completed");
  const trusted = sink.messages[1]?.raw.toString("latin1") ?? "";
  assert.ok(trusted.startsWith("Received: ") && trusted.endsWith(`\r\n${FROM_BANK}`));
  assert.ok(!trusted.includes("Authentication-Results"));
  assert.deepEqual([...off.dns.queries, ...tagging.dns.queries], []);
});

/** More than is held of a stranger's header section, and less than is refused. */
const FILLER = `X-Filler: ${"x".repeat(90)}\r\n`.repeat(3000);

test("a header section beyond 256 KB passes to the byte, unexamined, less what is in our name", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, "tag");
  assert.match(await sent(relay, FILLER + FORGED + FOREIGN + SIGNED), /^250 /);
  await relay.happened("message.completed");
  const arrived = sink.messages[0]?.raw.toString("latin1") ?? "";
  assert.match(
    arrived,
    /^Authentication-Results: mx\.example\.com;\r\n\tspf=none smtp\.mailfrom=bank\.test;\r\n\tdkim=none;\r\n\tdmarc=none\r\nReceived: /,
  );
  assert.ok(arrived.endsWith(`\r\n${FILLER}${FOREIGN}${SIGNED}`));
  assert.equal(
    relay.log.named("message.accepted")[0]?.authentication,
    "spf=none dkim=none dmarc=none",
  );
});

test("it is refused where results are enforced, but not from a host of a relay rule", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, "enforce");
  assert.match(await sent(relay, FILLER + SIGNED), /^552 5\.3\.4 /);
  assert.match(await sent(relay, FILLER + SIGNED, "127.0.0.1"), /^250 /);
});

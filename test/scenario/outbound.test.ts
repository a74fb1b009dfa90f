// Mail of our tenant on its way into the world: who may send it, the copy in .Sent, and the hosts that DNS gives.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, LETTER, say, send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\nbob.smith: bob\n" };

const BY_MX = 'driver = "dnslookup"\nignore_target_hosts = []';

/** Google is 127.0.0.2 and must prove whose tenant is talking; the world's hosts are found by MX. */
function config(port: number, nullSender = "proof"): string {
  return workspaceConfig(port)
    .replace('trusted = ["127.0.0.1"]', 'google_relays = ["127.0.0.2"]')
    .replace(
      /hosts = "\+trusted"\nsender_domains = "\+ours"\nnull_sender = "accept"/,
      'hosts = "+google_relays"\nsender_domains = "+ours"\n' +
        `proof = { header = "X-Unseen-Tenant: s3cret" }\nnull_sender = "${nullSender}"`,
    )
    .replace('driver = "manualroute"', BY_MX)
    .replace(/^route = .*\n/m, "")
    .replace('[transports.remote_smtp]\ndriver = "smtp"', `$&\nport = ${port}`);
}

const PROVEN = `X-Unseen-Tenant: s3cret\r\n${LETTER}`;
const GOOGLE = "127.0.0.2";

const dns = {
  "example.org": { MX: [[10, "mx.example.org"]] },
  "mx.example.org": { A: ["127.0.0.1"] },
} as const;

test("a domain whose hosts have no address that mail can be sent to is refused for that, and the log says why", async () => {
  const zone = {
    "lh.test": { MX: [[10, "mx.lh.test"]] },
    "mx.lh.test": { A: ["127.0.0.1", "10.1.2.3"] },
    "null.test": { MX: [[0, "."]] },
    "gone.test": { MX: [[10, "mx.gone.test"]] },
    "mx.gone.test": {},
  } as const;
  const strict = config(9).replace("ignore_target_hosts = []", "");
  await using relay = await startTestRelay({ config: strict, files, dns: zone });
  using client = await relay.connect(GOOGLE);
  await begin(client, "<alice@example.com>");
  const replies: string[] = [];
  for (const domain of ["lh.test", "null.test", "gone.test", "nowhere.test"]) {
    replies.push(await client.ask(`RCPT TO:<dave@${domain}>`));
  }
  assert.deepEqual(replies, [
    "550 5.4.4 The mail hosts of lh.test have no address that mail can be sent to",
    "556 5.1.10 null.test takes no mail",
    "550 5.4.4 None of the mail hosts of gone.test exists",
    "550 5.1.2 No mail host for nowhere.test",
  ]);
  assert.deepEqual(
    relay.log.named("recipient.refused").map(({ why }) => why),
    [
      "gate.relay[0]: world: ignore_target_hosts leaves no address of lh.test",
      "gate.relay[0]: world: null.test has a null MX",
      "gate.relay[0]: world: every MX of gone.test points to nothing",
      "gate.relay[0]: world: nowhere.test does not exist, or has neither MX nor address",
    ],
  );
});

describe("from Google", () => {
  test("mail leaves by MX, without the proof, and its copy is in .Sent", async () => {
    await using sink = await startSink();
    await using relay = await startTestRelay({ config: config(sink.port), files, dns });
    using client = await relay.connect(GOOGLE);
    await send(client, "<Alice@example.com>", ["<dave@example.org>"], PROVEN);
    await relay.happened("message.completed");

    const [left] = sink.messages;
    assert.deepEqual([left?.sender, left?.recipients], ["Alice@example.com", ["dave@example.org"]]);
    assert.ok(left?.raw.toString().endsWith(`\r\n${LETTER}`));
    const [copy, ...others] = await relay.copies("mail/example.com/alice/.Sent");
    assert.deepEqual(others, []);
    assert.match(
      copy ?? "",
      /^Return-path: <Alice@example\.com>\nEnvelope-to: dave@example\.org\n/,
    );
    assert.ok(left !== undefined && !`${copy}${left.raw.toString()}`.includes("s3cret"));
  });

  test("a forwarded sender and a canonical name lead to the account's own .Sent", async () => {
    await using sink = await startSink();
    await using relay = await startTestRelay({ config: config(sink.port), files, dns });
    using client = await relay.connect(GOOGLE);
    await send(client, "<alice+caf_=dave=example.org@example.com>", ["<dave@example.org>"], PROVEN);
    await send(client, "<Bob.Smith@example.com>", ["<dave@example.org>"], PROVEN);
    await relay.happened("message.completed", 2);
    assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, 1);
    assert.equal((await relay.copies("mail/example.com/bob/.Sent")).length, 1);
    assert.deepEqual(sink.messages.map(({ sender }) => sender).toSorted(), [
      "Bob.Smith@example.com",
      "alice+caf_=dave=example.org@example.com",
    ]);
  });

  test("a null sender passes with the proof, and has no .Sent", async () => {
    await using sink = await startSink();
    await using relay = await startTestRelay({ config: config(sink.port), files, dns });
    using client = await relay.connect(GOOGLE);
    await send(client, "<>", ["<dave@example.org>"], PROVEN);
    await relay.happened("message.completed");
    assert.equal(sink.messages[0]?.sender, "");
    assert.deepEqual(await relay.copies("mail/example.com/alice/.Sent"), []);
  });

  test("another tenant is refused: by its domain at RCPT, by the missing proof at the end of DATA", async () => {
    await using sink = await startSink();
    await using relay = await startTestRelay({ config: config(sink.port), files, dns });
    using client = await relay.connect(GOOGLE);
    await begin(client, "<eve@other.test>");
    assert.match(await client.ask("RCPT TO:<dave@example.org>"), /^550 5\.7\.1 /);
    for (const sender of ["<alice@example.com>", "<>"]) {
      await begin(client, sender);
      assert.match(await client.ask("RCPT TO:<dave@example.org>"), /^250 /);
      assert.match(await say(client), /^550 5\.7\.1 /);
      await begin(client, sender);
      assert.match(await client.ask("RCPT TO:<dave@example.org>"), /^250 /);
      assert.match(await say(client, `X-Unseen-Tenant: guess\r\n${LETTER}`), /^550 5\.7\.1 /);
    }
    assert.deepEqual([await relay.relay.spool.count(), sink.messages.length], [0, 0]);
  });

  test("a stranger with the proof relays nothing", async () => {
    await using sink = await startSink();
    await using relay = await startTestRelay({ config: config(sink.port), files, dns });
    using client = await relay.connect("127.0.0.9");
    await begin(client, "<alice@example.com>");
    assert.match(await client.ask("RCPT TO:<dave@example.org>"), /^550 5\.7\.1 /);
  });
});

describe("the hosts of a domain", () => {
  test("are tried in the order of their preference", async () => {
    await using sink = await startSink();
    const zone = {
      "example.org": {
        MX: [
          [20, "second.example.org"],
          [10, "first.example.org"],
        ],
      },
      "first.example.org": { A: ["127.0.0.41"] },
      "second.example.org": { A: ["127.0.0.1"] },
    } as const;
    await using relay = await startTestRelay({ config: config(sink.port), files, dns: zone });
    using client = await relay.connect(GOOGLE);
    await send(client, "<alice@example.com>", ["<dave@example.org>"], PROVEN);
    const [done] = await relay.happened("delivery.done", 2).then((all) => all.slice(1));
    assert.match(done?.host ?? "", /^second\.example\.org \[127\.0\.0\.1\]/);
  });

  test("are, without MX, the domain itself", async () => {
    await using sink = await startSink();
    const zone = { "example.org": { A: ["127.0.0.1"] } };
    await using relay = await startTestRelay({ config: config(sink.port), files, dns: zone });
    using client = await relay.connect(GOOGLE);
    await send(client, "<alice@example.com>", ["<dave@example.org>"], PROVEN);
    await sink.waitFor(1);
  });

  test("that do not exist, or are none, are a refusal at RCPT", async () => {
    const zone = { "none.test": { MX: [[0, "."]] } } as const;
    await using relay = await startTestRelay({ config: config(9), files, dns: zone });
    using client = await relay.connect(GOOGLE);
    await begin(client, "<alice@example.com>");
    assert.match(await client.ask("RCPT TO:<x@none.test>"), /^55[06] 5\.1\.10 /);
    assert.match(await client.ask("RCPT TO:<x@missing.test>"), /^550 5\.1\.2 /);
  });

  test("that the DNS cannot tell are no reason to refuse: the mail waits in the queue", async () => {
    const zone = { fail: { "MX example.org": "SERVFAIL" } } as const;
    await using relay = await startTestRelay({ config: config(9), files, dns: zone });
    using client = await relay.connect(GOOGLE);
    await send(client, "<alice@example.com>", ["<dave@example.org>"], PROVEN);
    const [deferred] = await relay.happened("delivery.deferred");
    assert.match(deferred?.status ?? "", /^451 4\.4\.3 /);
    await relay.happened("delivery.done");
    assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, 1);
  });
});

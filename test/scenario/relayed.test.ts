// A sender is who it says only where a relay rule lets it through: nobody else writes into a folder of sent mail.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { given } from "../../src/base/given.ts";
import { LETTER as LETTER_OF_ALICE, rsaKey, signed } from "../receive/authentication/signing.ts";
import { openQueueFile } from "../../src/spool/sqlite/queue-file.ts";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { begin, LETTER, say, send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\nbob\ntempfail\n" };
const ALICE = "<alice@example.com>";
const BOB = "<bob@example.com>";
const DAVE = "<dave@example.org>";
const STRANGER = "127.0.0.9";
const GOOGLE = "127.0.0.7";
const SENT = "mail/example.com/alice/.Sent";
const OURS = rsaKey();

const UNLISTED = `[[routers]]
name = "unlisted_outgoing"
driver = "sender-match"
sender_domains = "+ours"
sender_local_parts = ["!lsearch:gmail_accounts"]
transport = "store_unlisted_copy"
[transports.store_unlisted_copy]
driver = "maildir-append"
directory = "mail/{sender_domain}/_unlisted/.Sent"
[[routers]]`;

/** `sender-match` has its defaults: nobody has to know that it must be unseen and for relayed mail. */
function config(sink: Sink): string {
  return workspaceConfig(sink.port)
    .replace("unseen = true\n", "")
    .replace(
      "[[routers]]",
      `[[gate.relay]]
hosts = "${GOOGLE}"
sender_domains = "+ours"
proof = { header = ["X-Tenant: old", "X-Tenant: new"], dkim = "+ours" }
null_sender = "proof"
[[routers]]`,
    );
}

function start(sink: Sink, text = config(sink), directory?: string): Promise<TestRelay> {
  return startTestRelay({
    config: text,
    files,
    dns: {
      "sel._domainkey.example.com": { TXT: [OURS.record] },
      fail: { "silent._domainkey.example.com": "SERVFAIL" },
    },
    ...given({ directory }),
  });
}

async function sendAs(
  relay: TestRelay,
  by: string,
  recipients: readonly string[],
  letter = LETTER,
  sender = ALICE,
): Promise<void> {
  using client = await relay.connect(by);
  await send(client, sender, recipients, letter);
  await relay.happened("message.completed", relay.log.named("message.accepted").length);
}

describe("a copy of sent mail", () => {
  test("is not made for a stranger who says that he is alice", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    for (const sender of [ALICE, "<Alice@EXAMPLE.com>", "<alice+x@example.com>"]) {
      await sendAs(relay, STRANGER, [BOB], LETTER, sender);
    }
    assert.equal((await relay.copies("mail/example.com/bob")).length, 3);
    assert.deepEqual(await relay.copies(SENT), []);
    assert.equal(relay.log.named("copy.missing").length, 0, "it is none of our senders");
  });

  test("is made for a trusted host, to the world and to one of us", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    await sendAs(relay, "127.0.0.1", [DAVE]);
    await sendAs(relay, "127.0.0.1", [BOB]);
    assert.equal((await relay.copies(SENT)).length, 2);
  });

  test("is not made for another tenant of Google's, and is made for ours", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    await sendAs(relay, GOOGLE, [BOB]);
    await sendAs(relay, GOOGLE, [BOB], `X-Tenant: wrong\r\n${LETTER}`);
    await sendAs(
      relay,
      GOOGLE,
      [BOB],
      signed(LETTER_OF_ALICE, {
        key: rsaKey(),
        domain: "example.com",
      }),
    );
    assert.deepEqual(await relay.copies(SENT), []);
    await sendAs(relay, GOOGLE, [BOB], `X-Tenant: old\r\n${LETTER}`);
    await sendAs(relay, GOOGLE, [DAVE], `X-Tenant: new\r\n${LETTER}`);
    const own = signed(LETTER_OF_ALICE, { key: OURS, domain: "example.com" });
    await sendAs(relay, GOOGLE, [BOB], own);
    const copies = await relay.copies(SENT);
    assert.equal(copies.length, 3);
    assert.ok(!copies.join("").includes("X-Tenant"));
  });

  test("waits for a DNS that says nothing of the key", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    using client = await relay.connect(GOOGLE);
    await begin(client, ALICE);
    assert.match(await client.ask(`RCPT TO:${BOB}`), /^250 /);
    const key = { key: OURS, domain: "example.com", selector: "silent" };
    assert.match(await say(client, signed(LETTER_OF_ALICE, key)), /^451 4\.7\.0 /);
  });

  for (const [old, change] of [
    ["", () => undefined],
    [", although an older version has written it", asOldVersion],
  ] as const) {
    test(`is made after a restart, and for a stranger then neither${old}`, async () => {
      const directory = await mkdtemp(join(tmpdir(), "unseen-relayed-"));
      await using sink = await startSink();
      {
        await using relay = await start(sink, config(sink), directory);
        // A file where the directory of the account should be.
        await mkdir(join(directory, "mail/example.com"), { recursive: true });
        await writeFile(join(directory, "mail/example.com/alice"), "in the way");
        using client = await relay.connect();
        await send(client, ALICE, [DAVE]);
        using stranger = await relay.connect(STRANGER);
        await send(stranger, ALICE, ["<tempfail@example.com>"]);
        await relay.happened("delivery.deferred", 2);
      }
      change(join(directory, "spool/spool.sqlite"));
      await rm(join(directory, "mail/example.com/alice"));
      {
        await using relay = await start(sink, config(sink), directory);
        await using queue = openQueueFile(join(directory, "spool"));
        await relay.relay.spool.change(
          "retry",
          (await Array.fromAsync(queue?.ids({}) ?? [])).flat(),
        );
        relay.relay.queue.wake();
        await relay.happened("message.completed");
        await relay.happened("delivery.deferred");
        assert.equal((await relay.copies(SENT)).length, 1);
        assert.match((await relay.copies(SENT))[0] ?? "", /^Envelope-to: dave@example\.org$/m);
      }
      await rm(directory, { recursive: true });
    });
  }
});

/** As version 4 of the spool had it: nobody has written down whether a message was relayed. */
function asOldVersion(file: string): void {
  using database = new DatabaseSync(file);
  for (const { id, envelope } of database.prepare("SELECT id, envelope FROM messages").all()) {
    const { relayed, ...rest } = JSON.parse(String(envelope));
    assert.equal(typeof relayed, "boolean");
    const requests = database
      .prepare("SELECT request FROM recipients WHERE message = ? ORDER BY position")
      .all(Number(id));
    const text = JSON.stringify(rest);
    const sum = requests.reduce((all, { request }) => crc32(String(request), all), crc32(text));
    database
      .prepare("UPDATE messages SET envelope = ?, envelope_checksum = ? WHERE id = ?")
      .run(text, sum, Number(id));
  }
}

describe("mail of ours that leaves", () => {
  test("has its copy, and an event, also when its sender is no account yet", async () => {
    await using sink = await startSink();
    await using relay = await start(sink, config(sink).replace("[[routers]]", UNLISTED));
    await sendAs(relay, "127.0.0.1", [DAVE, "<erin@example.org>"], LETTER, "<new@example.com>");
    await sendAs(relay, "127.0.0.1", [DAVE]);
    await sendAs(relay, STRANGER, [BOB], LETTER, "<new@example.com>");
    assert.equal((await relay.copies("mail/example.com/_unlisted/.Sent")).length, 1);
    assert.equal((await relay.copies(SENT)).length, 1);
    const [event, ...others] = relay.log.named("copy.unlisted");
    assert.deepEqual(others, []);
    assert.equal(event?.sender, "<new@example.com>");
    assert.match(event.host ?? "", /_unlisted\/\.Sent/);
    assert.deepEqual(relay.log.named("copy.missing"), []);
  });

  test("without any copy is in the log", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    await sendAs(relay, "127.0.0.1", [DAVE], LETTER, "<new@example.com>");
    const [event, ...others] = relay.log.named("copy.missing");
    assert.deepEqual(others, []);
    assert.deepEqual(event?.recipients, ["dave@example.org"]);
    assert.equal(event.sender, "<new@example.com>");
    assert.deepEqual(relay.log.named("copy.unlisted"), []);
  });

  test("with a null sender has none, and needs no word", async () => {
    await using sink = await startSink();
    await using relay = await start(sink);
    await sendAs(relay, "127.0.0.1", [DAVE], LETTER, "<>");
    assert.equal(relay.log.named("copy.missing").length, 0);
    assert.deepEqual(await relay.copies(SENT), []);
  });
});

describe("relayed = true on a router that takes the mail itself", () => {
  const members = `[[routers]]
name = "members"
driver = "accept"
domains = "+ours"
local_parts = "all-of-us"
relayed = true
transport = "gmail"
[[routers]]`;

  test("takes what our tenant sends; what only claims to be is refused whole, and bounces nowhere", async () => {
    await using sink = await startSink();
    await using relay = await start(sink, config(sink).replace("[[routers]]", members));
    using stranger = await relay.connect(STRANGER);
    await begin(stranger, ALICE);
    assert.match(await stranger.ask("RCPT TO:<all-of-us@example.com>"), /^550 5\.1\.1 /);
    using google = await relay.connect(GOOGLE);
    await begin(google, ALICE);
    assert.match(await google.ask("RCPT TO:<all-of-us@example.com>"), /^250 /);
    assert.match(await say(google), /^550 5\.1\.1 /);
    await begin(google, ALICE);
    assert.match(await google.ask("RCPT TO:<all-of-us@example.com>"), /^250 /);
    assert.match(await say(google, `X-Tenant: new\r\n${LETTER}`), /^250 /);
    await relay.happened("message.completed");
    assert.equal(sink.messages.length, 1);
    assert.equal(relay.log.named("message.refused").length, 1);
  });
});

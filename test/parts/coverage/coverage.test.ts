// relayctl coverage, after mail in and out of a real relay.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { workspaceConfig } from "../../support/build.ts";
import { Place, relayctl } from "../../support/program.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { startSink } from "../../support/sink.ts";
import { RIGHT } from "../../config/configuration.ts";

const UNLISTED = `[[routers]]
name = "unlisted_outgoing"
driver = "sender-match"
sender_domains = "+ours"
sender_local_parts = ["!lsearch:gmail_accounts", "!nocopy"]
transport = "store_unlisted_copy"
[[routers]]
name = "gmail_users"`;

const FOLDER = `[transports.store_unlisted_copy]
driver = "maildir-append"
directory = "mail/{sender_domain}/_unlisted/.Sent"
`;

async function submit(relay: TestRelay, from: string, ...to: readonly string[]): Promise<void> {
  using wire = await relay.connect();
  await wire.ask("EHLO client.example.net");
  await wire.ask(`MAIL FROM:<${from}>`);
  for (const recipient of to) await wire.ask(`RCPT TO:<${recipient}>`);
  await wire.ask("DATA");
  assert.match(await wire.ask("Subject: x\r\n\r\nhello\r\n."), /queued as/);
}

suite("relayctl coverage", () => {
  test("counts copies by account, aliases included, and names who has none", async () => {
    await using world = await startSink();
    const config = workspaceConfig(world.port).replace(
      '[[routers]]\nname = "gmail_users"',
      UNLISTED,
    );
    const files = { gmail_accounts: "alice\nbob\nal: alice\nnever\nquiet\n" };
    await using relay = await startTestRelay({ config: `${config}${FOLDER}`, files });
    const quiet = join(relay.directory, "mail/example.com/quiet/cur");
    mkdirSync(quiet, { recursive: true });
    writeFileSync(join(quiet, "1.M1P1.mx:2,S"), "Subject: old\n\n");
    await submit(
      relay,
      "carol@example.net",
      "alice@example.com",
      "al@example.com",
      "bob@example.com",
    );
    await submit(relay, "alice@example.com", "x@example.org", "y@example.org");
    await submit(relay, "al+caf_=x@example.com", "x@example.org");
    await submit(relay, "scanner@example.com", "x@example.org");
    await submit(relay, "nocopy@example.com", "x@example.org");
    await relay.happened("message.completed", 5);
    // The history is written when the relay has stopped.
    await relay.stop();
    const { file } = relay.configuration;
    const { code, stdout } = await relayctl(["coverage", "--json", "--config", file]);
    assert.equal(code, 0);
    const found = JSON.parse(stdout);
    const counts = found.accounts.map((one: Record<string, unknown>) =>
      [one["address"], one["in"], one["out"], one["never"]].join(" "),
    );
    assert.deepEqual(counts, [
      "alice@example.com 1 2 false",
      "bob@example.com 1 0 false",
      "never@example.com 0 0 true",
      "quiet@example.com 0 0 false",
    ]);
    assert.deepEqual(found.never, ["never@example.com"]);
    assert.equal(found.totals.elsewhere, 0);
    assert.equal(found.is_whole, false);
    const uncopied = found.without_copy.map((one: Record<string, unknown>) =>
      [one["sender"], one["kind"], one["messages"]].join(" "),
    );
    assert.deepEqual(uncopied.toSorted(), [
      "nocopy@example.com missing 1",
      "scanner@example.com unlisted 1",
    ]);
    const { stdout: text } = await relayctl(["coverage", "--days", "1", "--config", file]);
    assert.match(text, /^Copies of the last 1 day, since/);
    assert.match(text, /The history is shorter/);
    assert.match(text, /not an account: its copies are in the folder for unlisted senders/);
    assert.match(text, /that never had a copy +1$/m);
    assert.match(text, /but with older ones +1$/m);
    assert.ok(text.split("\n").every((line) => line.length <= 80));
  });

  test("ends with a clear line where it has nothing to read", async () => {
    using place = new Place();
    const config = place.write(
      "routers.toml",
      RIGHT.replace("[relay]\n", '[relay]\nspool_directory = "spool"\n'),
    );
    const run = (...args: string[]) => place.relayctl("coverage", "--config", config, ...args);
    const none = await run();
    assert.deepEqual([none.code, none.stdout], [1, ""]);
    assert.match(none.stderr, /spool has no history of mail\n$/);
    assert.equal((await run("--account", "a@example.com")).code, 64);
    assert.equal((await run("--against", "gmail")).code, 64);
    assert.equal((await run("--against", "imap", "--account", "a@example.com")).code, 64);
    assert.equal((await run("--days", "0")).code, 64);
    assert.equal((await run("--days", "x")).code, 64);
    const stranger = await run("--against", "gmail", "--account", "a@example.com");
    assert.deepEqual([stranger.code, stranger.stderr], [1, "a@example.com is no account\n"]);
  });
});

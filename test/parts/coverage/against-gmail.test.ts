// relayctl coverage --against gmail, as the postmaster runs it: after mail through a real relay, with a mailbox at the
// fake Google.

import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { workspaceConfig } from "../../support/build.ts";
import { type FakeGoogle, startGoogle } from "../../support/google.ts";
import { FakeMailbox } from "../../support/google-gmail.ts";
import { type Finished, Place, relayctl } from "../../support/program.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { startSink } from "../../support/sink.ts";

const accounts = (google: FakeGoogle, file: string) => `[accounts]
key_file = "key.json"
domains = ["example.com"]
file = "${file}"
interval = "0s"
api = "${google.base}"
gmail_api = "${google.base}"
`;

function assertNoSecrets({ stdout, stderr }: Finished, google: FakeGoogle): void {
  for (const secret of google.secrets) {
    assert.ok(!stdout.includes(secret) && !stderr.includes(secret), "a secret is shown");
  }
}

async function submit(relay: TestRelay, from: string, to: string, id: string): Promise<void> {
  using wire = await relay.connect();
  await wire.ask("EHLO client.example.net");
  await wire.ask(`MAIL FROM:<${from}>`);
  await wire.ask(`RCPT TO:<${to}>`);
  await wire.ask("DATA");
  const message = `Message-ID: <${id}>\r\nFrom: <${from}>\r\nSubject: x\r\n\r\nhello\r\n.`;
  assert.match(await wire.ask(message), /queued as/);
}

suite("relayctl coverage --against gmail", () => {
  test("finds what Google has lost, and what the archive lacks, and says why", async () => {
    await using google = await startGoogle();
    await using sink = await startSink();
    const mailbox = new FakeMailbox(google, "alice@example.com");
    await using relay = await startTestRelay({
      config: accounts(google, "gmail_accounts") + workspaceConfig(sink.port),
      files: { gmail_accounts: "alice\nal: alice\n", "key.json": google.keyFile() },
    });
    await submit(relay, "carol@example.net", "alice@example.com", "1@example.net");
    await submit(relay, "carol@example.net", "al@example.com", "2@example.net");
    await submit(relay, "alice@example.com", "dave@example.org", "3@example.com");
    await relay.happened("message.completed", 3);
    await relay.stop();
    const { file } = relay.configuration;
    const command = ["coverage", "--against", "gmail", "--account", "al@example.com"];
    const run = (...args: string[]) => relayctl([...command, "--config", file, ...args]);
    for (const id of ["1@example.net", "2@example.net", "3@example.com"]) {
      mailbox.add({ "Message-ID": `<${id}>` });
    }
    const whole = await run();
    assert.equal(whole.code, 0, whole.stderr);
    assert.match(whole.stdout, /^Archive and mailbox of alice@example\.com, since /);
    assert.match(whole.stdout, /^ {2}Messages on both sides +3$/m);
    assert.match(whole.stdout, /\nNothing is missing\.\n$/);

    mailbox.remove(mailbox.messages[1]?.id ?? "");
    mailbox.remove(mailbox.messages[1]?.id ?? "");
    mailbox.add(
      { "Message-ID": "<4@mail.gmail.com>", From: "bob@example.com", To: "alice@example.com" },
      { labels: ["INBOX", "TRASH"] },
    );
    const { code, stdout, stderr } = await run();
    assert.deepEqual([code, stderr], [1, ""]);
    assert.match(stdout, /<2@example\.net>\n[^<]*took it on[^<]*deleted there since, or\s+lost/);
    assert.match(stdout, /<3@example\.com>\n[^<]*sent through this relay by/);
    assert.match(stdout, /<4@mail\.gmail\.com>\n[^<]*INBOX TRASH[^<]*internal mail/);
    assert.match(stdout, /\nThe mailbox lacks 2 messages, the archive lacks 1 message\.\n$/);
    const lines = stdout.split("\n").filter((line) => !line.includes("/"));
    assert.ok(lines.every((line) => line.length <= 80));

    const json = await run("--json", "--days", "1");
    assertNoSecrets(json, google);
    const found = JSON.parse(json.stdout);
    assert.equal(found.is_complete, false);
    assert.deepEqual(
      found.missing_at_google.map((one: Record<string, unknown>) => one["reason"]).toSorted(),
      ["accepted", "sent-elsewhere"],
    );
    assert.deepEqual(
      found.missing_in_archive.map((one: Record<string, unknown>) => one["message_id"]),
      ["4@mail.gmail.com"],
    );
    assert.equal(found.mailbox.messages, 2);

    // A copy that is removed is a hole of the archive.
    const maildir = join(relay.directory, "mail/example.com/alice/new");
    for (const name of readdirSync(maildir)) rmSync(join(maildir, name));
    const holed = JSON.parse((await run("--json")).stdout);
    assert.deepEqual(
      holed.missing_in_archive.map((one: Record<string, unknown>) => one["message_id"]).toSorted(),
      ["1@example.net", "4@mail.gmail.com"],
    );
  });

  test("ends with one clear line, and an exit code that tells who has to act", async () => {
    await using google = await startGoogle();
    using place = new Place();
    const mailbox = new FakeMailbox(google, "alice@example.com");
    mailbox.add({ "Message-ID": "<1@example.net>" });
    place.write("gmail_accounts", "alice\nbob\n");
    const relay = `[relay]\nhostname = "mx.example.com"\nspool_directory = "spool"\n[[listeners]]\naddress = "127.0.0.1:2525"\n`;
    const section = accounts(google, "gmail_accounts");
    const config = (own: string) =>
      place.write("routers.toml", `${relay}${own}${workspaceConfig(2526)}`);
    const run = async (account: string): Promise<readonly [number | null, string]> => {
      const args = ["--against", "gmail", "--account", account, "--config", "routers.toml"];
      const finished = await place.relayctl("coverage", ...args);
      assertNoSecrets(finished, google);
      assert.equal(finished.stdout, "");
      assert.match(finished.stderr, /^[^\n]+\n$/);
      return [finished.code, finished.stderr];
    };

    config(section);
    assert.deepEqual(await run("dave@example.com"), [1, "dave@example.com is no account\n"]);
    assert.equal((await run("alice@example.com"))[0], 78);
    place.write("key.json", "{}");
    assert.equal((await run("alice@example.com"))[0], 78);
    config(section.replace('key_file = "key.json"\n', ""));
    const [without, why] = await run("alice@example.com");
    assert.equal(without, 78);
    assert.match(why, /accounts\.key_file is missing/);
    config("");
    assert.equal((await run("alice@example.com"))[0], 78);

    config(section);
    writeFileSync(join(place.directory, "key.json"), google.keyFile());
    const [code, text] = await run("bob@example.com");
    assert.equal(code, 69);
    assert.match(text, /Invalid email or User ID; bob@example\.com must be the primary address/);
    google.tokens.scopes = [];
    const [refused, setting] = await run("alice@example.com");
    assert.equal(refused, 69);
    assert.match(setting, /Domain-wide delegation, authorize client \d+ for \S+gmail\.readonly/);
  });
});

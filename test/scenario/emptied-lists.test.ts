// Files of accounts and aliases that are emptied or half written under a running relay: nobody is refused for good, and
// nothing in the queue bounces.

import assert from "node:assert/strict";
import { cp, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, send } from "../support/transaction.ts";

const ACCOUNTS = "alice\nbob\ncarol\ndave\n";

const ALIASES = `[[routers]]
name = "aliases"
driver = "redirect"
domains = "+ours"
file = "aliases"
[[routers]]
name = "other_aliases"
driver = "redirect"
domains = "+ours"
file = "./aliases"
`;

/** What each of these in RCPT is answered, the first digit. */
async function asked(relay: TestRelay, ...names: readonly string[]): Promise<string> {
  using client = await relay.connect("127.0.0.9");
  await begin(client, "<sender@example.net>");
  const digits: string[] = [];
  for (const name of names) {
    digits.push((await client.ask(`RCPT TO:<${name}@example.com>`)).slice(0, 1));
  }
  await client.ask("QUIT");
  return digits.join(" ");
}

/** A list that is late on a busy machine is in doubt: a 5 is a 4 until it has been read. */
async function expectReplies(relay: TestRelay, digits: string, ...names: readonly string[]) {
  let replies = await asked(relay, ...names);
  for (let more = 0; more < 100 && replies !== digits; more++)
    replies = await asked(relay, ...names);
  assert.equal(replies, digits);
}

describe("an accounts file with mail in the queue", () => {
  const spoiled: readonly (readonly [string, (path: string) => Promise<unknown>])[] = [
    ["truncated, and it stays empty", (path) => writeFile(path, "")],
    ["half written", (path) => writeFile(path, "alice\n")],
    [
      "an empty file by cp -p",
      async (path) => {
        await writeFile(`${path}.empty`, "");
        await utimes(`${path}.empty`, 1e9, 1e9);
        await cp(`${path}.empty`, path, { preserveTimestamps: true });
      },
    ],
    [
      "an empty file by rename",
      async (path) => {
        await writeFile(`${path}.new`, "");
        await rename(`${path}.new`, path);
      },
    ],
    ["only comments", (path) => writeFile(path, "# alice\n# bob\n\n")],
    ["NULs", (path) => writeFile(path, Buffer.alloc(4096))],
  ];
  for (const [name, spoil] of spoiled) {
    test(`${name}: accounts are accepted, others put off, and nothing bounces`, async () => {
      const nobody = await freePort();
      await using relay = await startTestRelay({
        config: `${workspaceConfig(nobody)}\n[[retry]]\nmatch = "*"\nrules = "F,1h,1s"\n`,
        files: { gmail_accounts: ACCOUNTS },
      });
      using client = await relay.connect("127.0.0.9");
      await send(client, "<sender@example.net>", ["<alice@example.com>", "<bob@example.com>"]);
      await relay.happened("delivery.deferred", 2);
      await spoil(join(relay.directory, "gmail_accounts"));
      assert.equal(await asked(relay, "alice", "carol", "nobody"), "2 2 4");
      for (let reload = 0; reload < 3; reload++) {
        assert.ok("listeners" in (await relay.relay.reload()));
        assert.equal(await asked(relay, "carol", "nobody"), "2 4");
      }
      await relay.happened("delivery.deferred", 6);
      assert.deepEqual(relay.log.named("delivery.failed"), []);
      assert.deepEqual(relay.log.named("message.bounced"), []);
      assert.equal(relay.log.named("alarm").length, 1);
      await writeFile(join(relay.directory, "gmail_accounts"), ACCOUNTS);
      await expectReplies(relay, "2 5", "alice", "nobody");
    });
  }
});

test("a restart while the file is empty believes it no more than before", async () => {
  const directory = await mkdtemp(join(tmpdir(), "unseen-emptied-"));
  await using google = await startSink();
  const config = workspaceConfig(google.port);
  {
    const files = { gmail_accounts: ACCOUNTS };
    await using relay = await startTestRelay({ config, directory, files });
    await expectReplies(relay, "2 5", "alice", "nobody");
  }
  for (let restart = 0; restart < 2; restart++) {
    const files = { gmail_accounts: "" };
    await using relay = await startTestRelay({ config, directory, files });
    assert.equal(await asked(relay, "alice", "nobody"), "2 4");
    assert.equal(relay.log.named("alarm").length, 1);
  }
  await rm(directory, { recursive: true });
});

test("a reload with the operator's word believes a short list, and never an empty one", async () => {
  await using google = await startSink();
  const files = { gmail_accounts: ACCOUNTS, aliases: "sales: alice\n" };
  const config = workspaceConfig(google.port).replace("[[routers]]", `${ALIASES}[[routers]]`);
  await using relay = await startTestRelay({ config, files });
  assert.equal(await asked(relay, "alice", "sales"), "2 2");
  const accounts = join(relay.directory, "gmail_accounts");
  const aliases = join(relay.directory, "aliases");
  await writeFile(accounts, "alice\n");
  await writeFile(aliases, "");
  assert.equal(await asked(relay, "alice", "dave", "nobody"), "2 2 4");
  const reloaded = await relay.relay.reload({ acceptLists: true });
  assert.ok("lists" in reloaded);
  assert.deepEqual(reloaded.lists, [
    { path: aliases, why: "has no entry left, of 1" },
    { path: accounts },
  ]);
  assert.deepEqual(relay.log.named("list.believed"), [{ list: accounts, entries: 1 }]);
  await writeFile(aliases, "sales: alice\n");
  await expectReplies(relay, "2 5 2", "alice", "dave", "sales");
});

test("an emptied file of aliases: aliases and accounts go on, and what nobody takes waits", async () => {
  await using google = await startSink();
  const files = { gmail_accounts: ACCOUNTS, aliases: "sales: alice\ninfo: bob\nhelp: carol\n" };
  const config = workspaceConfig(google.port).replace("[[routers]]", `${ALIASES}[[routers]]`);
  await using relay = await startTestRelay({ config, files });
  await expectReplies(relay, "2 2 5", "sales", "alice", "nobody");
  for (const content of ["", "# none\n", "sales: alice\n"]) {
    await writeFile(join(relay.directory, "aliases"), content);
    assert.equal(await asked(relay, "sales", "help", "alice", "nobody"), "2 2 2 4");
  }
  assert.equal(relay.log.named("alarm").length, 1, "though two routers name it");
});

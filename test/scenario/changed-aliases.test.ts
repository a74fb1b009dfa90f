// Aliases that change while a message is in the queue, over a restart: nobody gets it twice by another name, and nobody
// who has not got it goes without. And one account under two spellings.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { answeringServer } from "../support/answering.ts";
import { startTestRelay } from "../support/relay.ts";
import { send } from "../support/transaction.ts";

const ACCOUNTS = "alice\nbob\ncarol\nteam\n";

const config = (port: number) =>
  workspaceConfig(port).replace(
    "[[routers]]",
    '[[routers]]\nname = "aliases"\ndriver = "redirect"\ndomains = "+ours"\nfile = "aliases"\n[[routers]]',
  );

/** Who is asked about after the restart, when bob has had nothing before it. */
async function afterChange(to: readonly string[], before: string, after: string) {
  const directory = await mkdtemp(join(tmpdir(), "unseen-aliases-"));
  let isBobFull = true;
  await using host = await answeringServer((address) =>
    isBobFull && address.startsWith("bob") ? "452 4.2.2 full" : undefined,
  );
  let ids: readonly string[] = [];
  const given = { config: config(host.port), directory };
  {
    await using relay = await startTestRelay({
      ...given,
      files: { gmail_accounts: ACCOUNTS, aliases: before },
    });
    using client = await relay.connect();
    await send(client, "<zoe@example.net>", [...to]);
    await relay.happened("delivery.deferred");
    ids = relay.log.named("message.accepted").map(({ id }) => id);
    // The attempt is settled.
    while ((await relay.relay.spool.nextDue()) === undefined) await new Promise(setImmediate);
  }
  const known = host.asked.length;
  isBobFull = false;
  {
    await using relay = await startTestRelay({
      ...given,
      files: { gmail_accounts: ACCOUNTS, aliases: after },
    });
    await relay.relay.spool.change("retry", ids);
    relay.relay.queue.wake();
    await relay.happened("message.completed");
    assert.deepEqual(relay.log.named("delivery.failed"), []);
  }
  await rm(directory, { recursive: true });
  return host.asked.slice(known);
}

test("an account that has the mail and is an alias now is not sent on", async () => {
  const team = "team: alice, bob\n";
  assert.deepEqual(await afterChange(["<team@example.com>"], team, `${team}alice: carol\n`), [
    "bob@example.com",
  ]);
});

test("an alias of its own name still leads to the other one", async () => {
  const own = "alice: alice, bob\n";
  assert.deepEqual(await afterChange(["<alice@example.com>"], own, own), ["bob@example.com"]);
});

test("an account under two spellings has one message and one copy", async () => {
  await using host = await answeringServer();
  await using relay = await startTestRelay({
    config: config(host.port),
    files: { gmail_accounts: ACCOUNTS, aliases: "team: ALICE@Example.com\n" },
  });
  using client = await relay.connect();
  await send(client, "<zoe@example.net>", [
    "<ALICE@example.com>",
    "<alice@example.com>",
    "<team@example.com>",
  ]);
  await relay.happened("message.completed");
  assert.deepEqual(host.asked, ["ALICE@example.com"]);
  const done = relay.log.named("delivery.done").map(({ transport }) => transport);
  assert.deepEqual(done.filter((one) => one === "gmail").length, 1);
});

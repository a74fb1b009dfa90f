// A message goes down the chain of routers once: what RCPT was told of a recipient goes with the message to its first
// attempt. After a wait, a reload or a restart it is asked about again.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { answeringServer } from "../support/answering.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { begin, say, send } from "../support/transaction.ts";

/** Passes on every address, and remembers it; of `dns@` it says at first that DNS does not answer. */
const ASKED = `
import { options, status } from "unseen/driver";
const asked = (globalThis.routedOnce ??= []);
export default {
  name: "asked",
  options: options({}),
  create: () => ({
    route({ mailbox: { localPart } }, { verify }) {
      asked.push((verify ? "RCPT " : "attempt ") + localPart);
      const isSilent = localPart === "dns" && verify;
      return isSilent ? { kind: "defer", status: status(451, "4.3", "no answer") } : { kind: "pass" };
    },
  }),
};
`;

const FILES = { gmail_accounts: "alice\nbob\ncarol\ndns\n", aliases: "team: alice, bob, carol\n" };

declare global {
  /** Filled by the router. */
  var routedOnce: string[] | undefined;
}

/** What the chain was asked since the last time. */
function asked(): string[] {
  return (globalThis.routedOnce ?? []).splice(0);
}

const config = (port: number) =>
  workspaceConfig(port).replace(
    "[[routers]]",
    '[[routers]]\nname = "asked"\ndriver = "./asked.ts"\n' +
      '[[routers]]\nname = "aliases"\ndriver = "redirect"\ndomains = "+ours"\nfile = "aliases"\n[[routers]]',
  );

const start = (port: number, directory?: string) =>
  startTestRelay({
    config: config(port),
    files: { ...FILES, "asked.ts": ASKED },
    ...(directory === undefined ? {} : { directory }),
  });

async function retry({ relay }: TestRelay, ids: readonly string[]): Promise<void> {
  await relay.spool.change("retry", ids);
  relay.queue.wake();
}

/** Resolves when the outcome of the attempt is in the spool. */
async function settled({ relay }: TestRelay): Promise<void> {
  while ((await relay.spool.nextDue()) === undefined) await new Promise(setImmediate);
}

test("the chain is asked once about each recipient", async () => {
  await using host = await answeringServer();
  await using relay = await start(host.port);
  using client = await relay.connect();
  await send(client, "<zoe@example.net>", ["<alice@example.com>", "<bob@example.com>"]);
  await relay.happened("message.completed");
  assert.deepEqual(asked(), ["RCPT alice", "RCPT bob"]);
  assert.deepEqual(host.asked, ["alice@example.com", "bob@example.com"]);
  assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
});

test("and once about each that an alias leads to, whoever else does", async () => {
  await using host = await answeringServer();
  await using relay = await start(host.port);
  using client = await relay.connect();
  await send(client, "<zoe@example.net>", ["<team@example.com>", "<bob@example.com>"]);
  await relay.happened("message.completed");
  assert.deepEqual(asked(), ["RCPT team", "RCPT alice", "RCPT bob", "RCPT carol"]);
  assert.deepEqual(host.asked, ["alice@example.com", "bob@example.com", "carol@example.com"]);
  assert.equal((await relay.copies("mail/example.com/bob")).length, 1);
});

test("after a wait it is asked again, and after a restart", async () => {
  const directory = await mkdtemp(join(tmpdir(), "unseen-routed-"));
  let isFull = true;
  await using host = await answeringServer(() => (isFull ? "452 4.2.2 full" : undefined));
  let ids: readonly string[] = [];
  {
    await using relay = await start(host.port, directory);
    using client = await relay.connect();
    await send(client, "<zoe@example.net>", ["<alice@example.com>"]);
    await relay.happened("delivery.deferred");
    await settled(relay);
    assert.deepEqual(asked(), ["RCPT alice"]);
    ids = relay.log.named("message.accepted").map(({ id }) => id);
    await retry(relay, ids);
    await relay.happened("delivery.deferred", 2);
    await settled(relay);
    assert.deepEqual(asked(), ["attempt alice"]);
  }
  isFull = false;
  {
    await using relay = await start(host.port, directory);
    await retry(relay, ids);
    await relay.happened("message.completed");
    assert.deepEqual(asked(), ["attempt alice"]);
  }
  await rm(directory, { recursive: true });
});

test("after a reload it is asked again, by the configuration in force", async () => {
  await using host = await answeringServer();
  await using relay = await start(host.port);
  using client = await relay.connect();
  await begin(client, "<zoe@example.net>");
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 /);
  assert.ok("listeners" in (await relay.relay.reload()));
  assert.match(await say(client), /^250 /);
  await relay.happened("message.completed");
  assert.deepEqual(asked(), ["RCPT alice", "attempt alice"]);
  assert.deepEqual(host.asked, ["alice@example.com"]);
});

test("a recipient about whom somebody's DNS did not answer is asked about again, and nobody else", async () => {
  await using host = await answeringServer();
  await using relay = await start(host.port);
  using client = await relay.connect();
  await send(client, "<zoe@example.net>", ["<alice@example.com>", "<dns@example.com>"]);
  await relay.happened("message.completed");
  assert.deepEqual(asked(), ["RCPT alice", "RCPT dns", "attempt dns"]);
  assert.deepEqual(host.asked, ["alice@example.com", "dns@example.com"]);
});

test("a message of our own has had no RCPT, and is asked about once", async () => {
  await using host = await answeringServer((address) =>
    address.startsWith("alice") ? "550 5.1.1 gone" : undefined,
  );
  await using relay = await start(host.port);
  using client = await relay.connect();
  await send(client, "<bob@example.com>", ["<alice@example.com>"]);
  await relay.happened("message.completed", 2);
  assert.deepEqual(asked(), ["RCPT alice", "attempt bob"]);
  assert.deepEqual(host.asked, ["alice@example.com", "bob@example.com"]);
});

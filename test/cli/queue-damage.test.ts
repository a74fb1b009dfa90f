// relayctl on a spool that a disk has damaged, or that root looks after.

import assert from "node:assert/strict";
import { chown, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { type Finished, relayctl } from "../support/program.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { freePort } from "../support/relay-process.ts";

/** A relay that has stopped; one message for Google, which does not answer, is in its queue. */
async function stoppedRelay(): Promise<{ relay: TestRelay; id: string }> {
  const config = workspaceConfig(await freePort());
  const relay = await startTestRelay({ config, files: { gmail_accounts: "alice\n" } });
  using wire = await relay.connect();
  await wire.ask("EHLO client.example.net");
  await wire.ask("MAIL FROM:<carol@example.net>");
  await wire.ask("RCPT TO:<alice@example.com>");
  await wire.ask("DATA");
  const reply = await wire.ask("Subject: waits\r\n\r\nhello\r\n.");
  await relay.happened("delivery.deferred");
  await relay.stop();
  return { relay, id: /queued as (\w+)$/.exec(reply)?.[1] ?? assert.fail(reply) };
}

const ask = ({ configuration }: TestRelay, ...args: string[]): Promise<Finished> =>
  relayctl([...args, "--config", configuration.file]);

function spoolOf({ directory }: TestRelay, ...names: string[]): string {
  return join(directory, "spool", ...names);
}

function damageBody(relay: TestRelay): void {
  using database = new DatabaseSync(spoolOf(relay, "spool.sqlite"));
  database.exec("UPDATE bodies SET bytes = zeroblob(length(bytes))");
}

test("a message that turns out to be damaged was not bounced, and is set aside", async () => {
  const { relay, id } = await stoppedRelay();
  await using _ = relay;
  damageBody(relay);
  const { code, stdout, stderr } = await ask(relay, "queue", "bounce", id);
  assert.equal(code, 1);
  assert.equal(stdout, "0 messages bounced\n");
  assert.match(stderr, new RegExp(`^${id}: cannot be bounced`, "m"));
  assert.ok((await readdir(spoolOf(relay, "corrupt"))).includes(`${id}.json`));
});

test(
  "what root does to a spool by hand leaves nothing in it that is root's",
  { skip: process.getuid?.() !== 0 },
  async () => {
    const { relay, id } = await stoppedRelay();
    await using _ = relay;
    const owner = 12_345;
    await chown(relay.directory, owner, owner);
    const everything = async () => ["", ...(await readdir(spoolOf(relay), { recursive: true }))];
    for (const name of await everything()) await chown(spoolOf(relay, name), owner, owner);
    await writeFile(spoolOf(relay, "spool.sqlite"), "not a database at all");
    assert.equal((await ask(relay, "queue", "retry", id)).code, 1);
    const names = await everything();
    assert.ok(names.some((name) => name.startsWith("corrupt/spool-")));
    for (const name of names) {
      assert.equal((await stat(spoolOf(relay, name))).uid, owner, name);
    }
  },
);

test("nobody else may read what is in the spool", async () => {
  const { relay } = await stoppedRelay();
  await using _ = relay;
  for (const name of await readdir(spoolOf(relay), { recursive: true })) {
    const { mode } = await stat(spoolOf(relay, name));
    assert.equal(mode & 0o077, 0, name);
  }
});

test("a damaged day of the history hides neither the queue nor the other days", async () => {
  const { relay, id } = await stoppedRelay();
  await using _ = relay;
  const [today = ""] = await readdir(spoolOf(relay, "history"));
  await writeFile(spoolOf(relay, "history", today), "not a database at all");
  const shown = await ask(relay, "queue", "show", id);
  assert.equal(shown.code, 0);
  assert.match(shown.stdout, /accepted from <carol@example\.net>/);
  const day = today.slice(0, 10);
  assert.equal(shown.stderr, `relayctl: the history of ${day} is damaged, and left out\n`);
  assert.equal((await ask(relay, "trace", "alice@example.com")).code, 0);
});

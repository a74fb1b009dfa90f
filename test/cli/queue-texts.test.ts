// What relayctl says of the queue: the reason of now, and only what has really been done.

import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { type Finished, relayctl } from "../support/program.ts";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\nbob\npermfail\n" };

function ask({ configuration }: TestRelay, ...args: string[]): Promise<Finished> {
  return relayctl([...args, "--config", configuration.file]);
}

async function submit(relay: TestRelay, recipient: string, sender = "<carol@example.net>") {
  using client = await relay.connect();
  await send(client, sender, [recipient]);
  const accepted = relay.log.named("message.accepted").at(-1);
  return accepted?.id ?? assert.fail("nothing was accepted");
}

/** An attempt is settled when the message can be taken again. */
async function settledIn({ relay }: TestRelay): Promise<void> {
  while ((await relay.spool.nextDue()) === undefined) await new Promise(setImmediate);
}

/** A relay whose Google does not answer, with one message that was tried once. */
async function deferred(port: number, given: Partial<Parameters<typeof startTestRelay>[0]> = {}) {
  const relay = await startTestRelay({ config: workspaceConfig(port), files, ...given });
  const id = await submit(relay, "<alice@example.com>");
  await relay.happened("delivery.deferred");
  await settledIn(relay);
  return { relay, id };
}

suite("a routers.toml with mistakes", () => {
  for (const [what, spoil] of [
    ["an option that does not exist", (text: string) => `${text}\n[nonsense]\nx = 1\n`],
    ["no TOML", (text: string) => `${text}\nthis is [not toml\n`],
    [
      "a key that cannot be read",
      (text: string) =>
        text.replace(
          "[[listeners]]",
          '[[listeners]]\ntls = "starttls"\ncertificate = "missing.pem"\nprivate_key = "missing.pem"',
        ),
    ],
  ] as const) {
    test(`does not keep the postmaster from the queue: ${what}`, async () => {
      const { relay, id } = await deferred(await freePort());
      await using _ = relay;
      const { file } = relay.configuration;
      const text = await readFile(file, "utf8");
      await writeFile(file, spoil(text));
      const spoken = /only spool_directory and control_socket are used; see relayctl check\n$/;
      for (const args of [
        ["queue", "list"],
        ["queue", "count"],
        ["queue", "show", id],
        ["trace", id],
        ["queue", "hold"],
        ["queue", "retry", id],
      ]) {
        const { code, stdout, stderr } = await ask(relay, ...args);
        assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
        assert.match(stderr, spoken);
        assert.ok(stdout !== "");
      }
      await relay.stop();
      assert.equal((await ask(relay, "queue", "freeze", id)).stdout, "1 message frozen\n");
      assert.equal((await ask(relay, "queue", "bounce", id)).code, 78);
      assert.equal((await ask(relay, "queue", "thaw", id)).stdout, "1 message thawed\n");
      assert.equal((await ask(relay, "queue", "hold", "example.org")).code, 0);
      assert.equal((await ask(relay, "check")).code, 78);
    });
  }

  test("that does not say where the spool is says what is wrong", async () => {
    await using relay = await startTestRelay({ config: workspaceConfig(await freePort()), files });
    await writeFile(relay.configuration.file, "[relay]\nspool_directory = 3\n");
    const { code, stderr } = await ask(relay, "queue", "list");
    assert.equal(code, 78);
    assert.match(stderr, /relay\.spool_directory/);
  });
});

suite("what relayctl queue says", () => {
  test("names a hold when nothing is due, and the host that released mail waits for", async () => {
    const { relay, id } = await deferred(await freePort());
    await using _ = relay;
    const held = await ask(relay, "queue", "hold", "Example.com");
    assert.equal(held.stdout, "example.com is on hold\n");
    const retry = await ask(relay, "queue", "retry", id);
    assert.deepEqual([retry.code, retry.stdout], [1, "0 messages due now, 1 on hold\n"]);
    assert.match(retry.stderr, /is for a domain on hold: relayctl queue release\n$/);
    const all = await ask(relay, "queue", "retry", "--all");
    assert.deepEqual([all.code, all.stdout], [0, "0 messages due now, 1 on hold\n"]);
    const [hold] = JSON.parse(`[${(await ask(relay, "queue", "hold", "--json")).stdout}]`);
    assert.match(hold.since, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const {
      on_hold: [counted],
    } = JSON.parse((await ask(relay, "queue", "count", "--json")).stdout);
    assert.deepEqual(counted, hold);
    const { stdout } = await ask(relay, "queue", "release", "example.com");
    assert.match(
      stdout,
      /^example\.com is released, 1 recipient waits for 127\.0\.0\.1, next try in \d+m\n$/,
    );
    assert.equal((await ask(relay, "queue", "hold", "a.test", "--domain", "b.test")).code, 64);
    assert.equal((await ask(relay, "queue", "release")).code, 64);
  });

  test("counts as thawed or frozen only what was not", async () => {
    const { relay, id } = await deferred(await freePort());
    await relay.stop();
    await using _ = relay;
    const thaw = await ask(relay, "queue", "thaw", id);
    assert.deepEqual(thaw, {
      code: 1,
      stdout: "0 messages thawed\n",
      stderr: `${id}: no recipient that is meant is frozen\n`,
    });
    const all = await ask(relay, "queue", "thaw", "--all");
    assert.deepEqual(all, { code: 0, stdout: "0 messages thawed\n", stderr: "" });
    assert.equal((await ask(relay, "queue", "freeze", id)).stdout, "1 message frozen\n");
    for (const shown of ["list", "show"]) {
      const named = shown === "show" ? [id] : [];
      const text = await ask(relay, "queue", shown, ...named);
      assert.match(text.stdout, /^ +frozen +alice@example\.com\n.*\n +frozen by the postmaster$/m);
      const { recipients } = JSON.parse(
        (await ask(relay, "queue", shown, ...named, "--json")).stdout,
      );
      assert.equal(recipients[0].frozen_why, "ordered");
    }
    const again = await ask(relay, "queue", "freeze", id, "--json");
    assert.deepEqual([again.code, JSON.parse(again.stdout)], [1, { id, result: "unchanged" }]);
    assert.equal((await ask(relay, "queue", "thaw", id)).stdout, "1 message thawed\n");
    assert.doesNotMatch((await ask(relay, "queue", "show", id, "--json")).stdout, /frozen_why/);
    const other = await ask(relay, "queue", "retry", "--domain", "example.org");
    assert.equal(other.stdout, "0 messages due now\n");
  });

  test("calls mail delivered whose copy waits", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
    await mkdir(join(relay.directory, "mail/example.com"), { recursive: true });
    await writeFile(join(relay.directory, "mail/example.com/alice"), "in the way");
    await submit(relay, "<alice@example.com>");
    await relay.happened("delivery.deferred");
    await relay.happened("delivery.done");
    await settledIn(relay);
    const { stdout } = await ask(relay, "queue", "list");
    assert.match(stdout, /^ +delivered +alice@example\.com\n +1 attempt\n +copy by gmail_users/m);
    assert.ok(!stdout.includes("250"), stdout);
    const { recipients, state } = JSON.parse((await ask(relay, "queue", "list", "--json")).stdout);
    const [{ state: ended, next_attempt: next, copies }] = recipients;
    assert.deepEqual([state, ended, next, copies.length], ["deferred", "delivered", null, 1]);
    await rm(join(relay.directory, "mail/example.com/alice"));
  });

  test("gives the reason of now, with the host, to mail that was not tried", async () => {
    const { relay } = await deferred(await freePort());
    await using _ = relay;
    const second = await submit(relay, "<bob@example.com>");
    await relay.happened("delivery.done", 2);
    await settledIn(relay);
    await relay.stop();
    const { stdout } = await ask(relay, "queue", "show", second);
    const flat = stdout.replaceAll(/\s+/g, " ");
    assert.match(
      flat,
      /0 attempts, next in \d+m 451 4\.4\.1 Waits for 127\.0\.0\.1 \[127\.0\.0\.1\]:\d+: cannot connect: connection refused/,
    );
    const { recipients } = JSON.parse((await ask(relay, "queue", "show", second, "--json")).stdout);
    assert.match(recipients[0].waits_because, /^Waits for 127\.0\.0\.1 /);
  });

  test("takes a word without a domain for a mistake, and a domain of one label with an @", async () => {
    const { relay } = await deferred(await freePort());
    await relay.stop();
    await using _ = relay;
    for (const option of ["--recipient", "--sender"]) {
      const { code, stderr } = await ask(relay, "queue", "list", option, "alice");
      assert.equal(code, 64);
      assert.match(stderr, /"alice" is no address; write alice@DOMAIN/);
      assert.equal((await ask(relay, "queue", "list", option, "@localhost")).code, 0);
    }
  });

  test("points to the story of what is not in the queue any more", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
    const id = await submit(relay, "<alice@example.com>");
    await relay.happened("message.completed");
    await relay.stop();
    const { code, stderr } = await ask(relay, "queue", "show", id);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `${id} is not in the queue any more; what became of it: relayctl trace ${id}\n`,
    );
  });
});

test("trace finds mail from the null sender, and reports", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  const theirs = await submit(relay, "<alice@example.com>", "<>");
  await submit(relay, "<permfail@example.com>", "<bob@example.com>");
  const [bounced] = await relay.happened("message.bounced");
  const ours = bounced?.report ?? assert.fail();
  await submit(relay, "<alice@example.com>");
  await relay.happened("message.completed", 4);
  await relay.stop();
  const { code, stdout } = await ask(relay, "trace", "<>", "--json");
  const ids = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).id);
  assert.deepEqual([code, ids], [0, [ours, theirs]]);
});

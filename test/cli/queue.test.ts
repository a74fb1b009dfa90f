// relayctl queue, with a running relay and without one.

import assert from "node:assert/strict";
import { once } from "node:events";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { SqliteSpool } from "../../src/spool/sqlite/sqlite.ts";
import { workspaceConfig } from "../support/build.ts";
import { assertGolden, type Finished, relayctl } from "../support/program.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { freePort } from "../support/relay-process.ts";
import { recordingLog } from "../support/services.ts";
import { startSink } from "../support/sink.ts";

const files = { gmail_accounts: "alice\nbob: robert\n" };

function queueOf({ configuration }: TestRelay, ...args: string[]): Promise<Finished> {
  return relayctl(["queue", ...args, "--config", configuration.file]);
}

interface Submission {
  readonly sender: string;
  readonly recipients: readonly string[];
}

/** Hands one message in and returns its id. */
async function submit(relay: TestRelay, { sender, recipients }: Submission): Promise<string> {
  using wire = await relay.connect();
  await wire.ask("EHLO client.example.net");
  await wire.ask(`MAIL FROM:<${sender}>`);
  for (const recipient of recipients) {
    assert.match(await wire.ask(`RCPT TO:<${recipient}>`), /^250 /);
  }
  await wire.ask("DATA");
  const reply = await wire.ask("Subject: waits\r\n\r\nhello \x1b[31m\r\n.");
  return /queued as (\w+)$/.exec(reply)?.[1] ?? assert.fail(reply);
}

const WITHOUT_HISTORY = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
history = "0s"
`;

const INBOUND: Submission = {
  sender: "carol@example.net",
  recipients: ["alice@example.com", "bob@example.com"],
};

/** A relay whose Google does not answer, and one message that was tried once. */
async function deferredRelay(port: number, world = port, options = "") {
  const config = `${options}${workspaceConfig(port, world)}`;
  const relay = await startTestRelay({ config, files });
  const id = await submit(relay, INBOUND);
  await relay.happened("delivery.deferred", 2);
  await settledIn(relay);
  return { relay, id };
}

/** An attempt is settled when the message can be taken again. */
async function settledIn({ relay }: TestRelay): Promise<void> {
  while ((await relay.spool.nextDue()) === undefined) await new Promise(setImmediate);
}

function steady(text: string, id: string): string {
  return text
    .replaceAll(id, "IDIDIDIDID")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/^.*, UTC$/gm, "DATE")
    .replaceAll(/^\d\d:\d\d:\d\d .{8}/gm, "CLOCK            ")
    .replaceAll(/\b\d+s( ago)?\b/g, "0s$1")
    .replaceAll(/\bin \d+m$/gm, "in 15m")
    .replaceAll(/^(?: by .*| \w{3}, \d+ .*)$/gm, " …");
}

suite("relayctl queue list and show", () => {
  test("people read a table, and strangers' bytes do nothing to their terminal", async () => {
    const port = await freePort();
    const { relay, id } = await deferredRelay(port, port, WITHOUT_HISTORY);
    await using _ = relay;
    const list = await queueOf(relay, "list");
    assert.deepEqual([list.code, list.stderr], [0, ""]);
    assertGolden("queue-list.txt", steady(list.stdout, id));
    const show = await queueOf(relay, "show", id);
    assert.deepEqual([show.code, show.stderr], [0, ""]);
    assertGolden("queue-show.txt", steady(show.stdout, id));
  });

  test("programs read one object a message", async () => {
    const { relay, id } = await deferredRelay(await freePort());
    await using _ = relay;
    const { stdout } = await queueOf(relay, "list", "--json");
    const { age_s: age, recipients, ...rest } = JSON.parse(stdout);
    assert.ok(Number.isInteger(age) && age >= 0);
    const { size, ...named } = rest;
    assert.ok(size > 100);
    assert.deepEqual(named, { id, sender: "carol@example.net", state: "deferred" });
    const [{ next_attempt: next, ...first }, second] = recipients;
    assert.ok(Date.parse(next) > Date.now());
    assert.deepEqual(first, {
      address: "alice@example.com",
      state: "pending",
      attempts: 1,
      last_status: "451 4.4.1 cannot connect: connection refused",
    });
    assert.equal(second.address, "bob@example.com");

    const shown = JSON.parse((await queueOf(relay, "show", id, "--json")).stdout);
    assert.deepEqual(shown.recipients, recipients);
    assert.deepEqual(
      shown.journal.map(({ address, router, outcome }: Record<string, string>) => ({
        address,
        router,
        outcome,
      })),
      [
        { address: "alice@example.com", router: "gmail_users", outcome: "delivered" },
        { address: "bob@example.com", router: "gmail_users", outcome: "delivered" },
      ],
    );
  });

  test("a copy that waits is shown with its own clock", async () => {
    const port = await freePort();
    const relay = await startTestRelay({ config: workspaceConfig(port), files });
    await using _ = relay;
    await mkdir(`${relay.directory}/mail/example.com`, { recursive: true });
    await writeFile(`${relay.directory}/mail/example.com/alice`, "in the way");
    const id = await submit(relay, { ...INBOUND, recipients: ["alice@example.com"] });
    await relay.happened("delivery.deferred", 2);
    await settledIn(relay);

    const [text] = /^ +pending[^]*?\n\n/m.exec((await queueOf(relay, "show", id)).stdout) ?? [""];
    const lines = steady(text, id).trim().split(/\n */);
    assert.deepEqual(lines, [
      "pending    alice@example.com",
      "1 attempt, next in 15m",
      "451 4.4.1 cannot connect: connection refused",
      "copy by gmail_users: 1 attempt, next in 15m",
      "451 4.3.0 Temporary local problem, please try again",
    ]);
    const trace = await relayctl(["trace", id, "--config", relay.configuration.file]);
    assert.match(trace.stdout, /copy by gmail_users: 1 attempt, next in \d+m/);
    const json = async () => {
      const { recipients } = JSON.parse((await queueOf(relay, "show", id, "--json")).stdout);
      const [{ next_attempt: next, copies, ...first }] = recipients;
      return { next, copies, first };
    };
    const { copies } = await json();
    const [{ next_attempt: next, last_status: _status, ...copy }] = copies;
    assert.deepEqual(copy, { address: "alice@example.com", router: "gmail_users", attempts: 1 });
    assert.ok(Date.parse(next) > Date.now());

    await using google = await startSink({ port });
    await queueOf(relay, "retry", id);
    await google.waitFor(1);
    await relay.happened("delivery.done");
    await settledIn(relay);
    const after = await json();
    assert.deepEqual([after.next, after.first.attempts], [null, 2]);
    assert.equal(after.copies[0].attempts, 2);
  });

  test("filters leave out what is not meant", async () => {
    const { relay } = await deferredRelay(await freePort());
    await using _ = relay;
    const count = async (...filter: string[]) =>
      (await queueOf(relay, "list", "--json", ...filter)).stdout.split("\n").length - 1;
    assert.equal(await count("--sender", "Example.NET"), 1);
    assert.equal(await count("--sender", ""), 0);
    assert.equal(await count("--recipient", "bob@example.com"), 1);
    assert.equal(await count("--recipient", "dave@example.org"), 0);
    assert.equal(await count("--state", "frozen"), 0);
    assert.equal(await count("--older-than", "1h"), 0);
  });

  test("--body is the message as it will be sent", async () => {
    const port = await freePort();
    const { relay, id } = await deferredRelay(port);
    await using _ = relay;
    const { stdout } = await queueOf(relay, "show", id, "--body");
    assert.match(stdout, /^Received: from /);
    assert.ok(stdout.endsWith("\r\n\r\nhello \x1b[31m\r\n"));
    await using sink = await startSink({ port });
    await queueOf(relay, "retry", id);
    const [relayed] = await sink.waitFor(1);
    assert.equal(relayed?.raw.toString("latin1"), stdout);
  });

  test("show tells what the sender asked for", async () => {
    await using relay = await startTestRelay({ config: workspaceConfig(await freePort()), files });
    using wire = await relay.connect();
    await wire.ask("EHLO client.example.net");
    await wire.ask("MAIL FROM:<carol@example.net> RET=HDRS ENVID=x+2By BODY=8BITMIME");
    await wire.ask("RCPT TO:<alice@example.com> NOTIFY=FAILURE ORCPT=rfc822;a@b.example");
    await wire.ask("DATA");
    const id = (await wire.ask("x\r\n.")).slice(-10);
    await relay.happened("delivery.deferred");
    await settledIn(relay);
    const { stdout } = await queueOf(relay, "show", id);
    assert.match(
      stdout,
      /^ {2}with {6}BODY=8BITMIME\n {2}with {6}RET=HDRS\n {2}with {6}ENVID=x\+2By\n/m,
    );
    assert.match(stdout, /^ {23}NOTIFY=FAILURE\n {23}ORCPT=rfc822;a@b\.example\n/m);
    const { recipients } = JSON.parse((await queueOf(relay, "show", id, "--json")).stdout);
    assert.equal(recipients[0].notify, "FAILURE");
    assert.equal(recipients[0].orcpt, "rfc822;a@b.example");
  });

  test("an id that is not there is exit 1, in one line", async () => {
    const { relay } = await deferredRelay(await freePort());
    await using _ = relay;
    const { code, stdout, stderr } = await queueOf(relay, "show", "0000000000");
    assert.deepEqual([code, stdout, stderr], [1, "", "0000000000: no such message\n"]);
  });

  test("a spool that no relay has opened is an empty queue", async () => {
    await using relay = await startTestRelay({ config: workspaceConfig(1), files });
    const config = `${relay.directory}/other.toml`;
    const text = await readFile(relay.configuration.file, "utf8");
    await writeFile(config, text.replace('"spool"', '"spool2"'));
    const { code, stdout } = await relayctl(["queue", "list", "--config", config]);
    assert.deepEqual([code, stdout], [0, "No messages.\n"]);
    await assert.rejects(access(`${relay.directory}/spool2`));
  });
});

for (const running of [true, false]) {
  suite(`relayctl queue, ${running ? "beside a running relay" : "without a relay"}`, () => {
    test("retry makes a message due now", async () => {
      const port = await freePort();
      const { relay, id } = await deferredRelay(port);
      await using _ = relay;
      if (!running) await relay.stop();
      await using sink = await startSink({ port });
      const retried = await queueOf(relay, "retry", id, "0000000000");
      assert.deepEqual(retried, {
        code: 1,
        stdout: "1 message due now\n",
        stderr: "0000000000: no such message\n",
      });
      if (!running) {
        const { recipients } = JSON.parse((await queueOf(relay, "list", "--json")).stdout);
        const wait = Date.parse(recipients[0].next_attempt) - Date.now();
        assert.ok(Math.abs(wait) < 60_000, recipients[0].next_attempt);
      }
      await using again = running ? undefined : await restarted(relay, port);
      await sink.waitFor(1);
      await (again ?? relay).happened("message.completed");
      // The copies were made before, and are not made again.
      assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
    });

    test("retry --domain and --all find what they mean", async () => {
      const { relay, id } = await deferredRelay(await freePort());
      await using _ = relay;
      if (!running) await relay.stop();
      const ask = async (...args: string[]) =>
        (await queueOf(relay, "retry", ...args, "--json")).stdout;
      assert.equal(await ask("--domain", "example.org"), "");
      assert.equal(
        await ask("--domain", "Example.COM"),
        `${JSON.stringify({ id, result: "done" })}\n`,
      );
      if (running) await relay.happened("delivery.deferred", 4);
      else assert.equal(await ask("--all"), `${JSON.stringify({ id, result: "done" })}\n`);
    });

    test("remove takes a message out, and says nothing to its sender", async () => {
      const { relay, id } = await deferredRelay(await freePort());
      await using _ = relay;
      if (!running) await relay.stop();
      const removed = await queueOf(relay, "remove", id);
      assert.deepEqual(removed, { code: 0, stdout: "1 message removed\n", stderr: "" });
      assert.equal((await queueOf(relay, "list")).stdout, "No messages.\n");
      const again = await queueOf(relay, "remove", id);
      assert.deepEqual([again.code, again.stderr], [1, `${id}: no such message\n`]);
      if (running)
        assert.deepEqual(relay.log.named("queue.changed"), [{ action: "remove", ids: [id] }]);
    });

    test("what is frozen waits until it is thawed", async () => {
      const { relay, id } = await deferredRelay(await freePort());
      await using _ = relay;
      if (!running) await relay.stop();
      const frozen = await queueOf(relay, "freeze", "--sender", "example.net");
      assert.deepEqual(frozen, { code: 0, stdout: "1 message frozen\n", stderr: "" });
      const { state, recipients } = JSON.parse((await queueOf(relay, "list", "--json")).stdout);
      assert.deepEqual([state, recipients[0].next_attempt], ["frozen", null]);
      assert.equal(
        (await queueOf(relay, "count")).stdout.replace(/\d+ bytes/, "N bytes"),
        "active    0\ndeferred  0\nfrozen    1\n1 message, N bytes.\n",
      );
      const thawed = await queueOf(relay, "thaw", "--state", "frozen", "--json");
      assert.equal(thawed.stdout, `${JSON.stringify({ id, result: "done" })}\n`);
      const counts = JSON.parse((await queueOf(relay, "count", "--json")).stdout);
      assert.deepEqual([counts.frozen, counts.messages], [0, 1]);
    });

    test("bounce tells the sender now, and nobody of the copies", async () => {
      const port = await freePort();
      await using world = await startSink();
      // Nobody vouches for carol, and she is told all the same.
      const tellsAll = '[bounce]\nbounce_to = "all"\n';
      const { relay, id } = await deferredRelay(port, world.port, tellsAll);
      await using _ = relay;
      if (!running) await relay.stop();
      const bounced = await queueOf(relay, "bounce", "--recipient", "bob@example.com");
      assert.deepEqual(bounced, { code: 0, stdout: "1 message bounced\n", stderr: "" });
      await using again = running ? undefined : await restarted(relay, port, world.port);
      const [report] = await world.waitFor(1);
      assert.deepEqual(report?.recipients, ["carol@example.net"]);
      const text = report?.raw.toString("latin1") ?? "";
      assert.match(text, /Final-Recipient: rfc822; bob@example\.com/i);
      assert.doesNotMatch(text, /Final-Recipient: rfc822; alice/i);
      const left = (await queueOf(again ?? relay, "list", "--json")).stdout;
      const { recipients } = JSON.parse(left.split("\n").find((line) => line.includes(id)) ?? "");
      assert.deepEqual(
        recipients.map(({ state }: Record<string, string>) => state),
        ["pending", "failed"],
      );
    });

    test("bounce tells the postmaster where nobody vouches for the sender", async () => {
      const { relay, id } = await deferredRelay(await freePort());
      await using _ = relay;
      if (!running) await relay.stop();
      const { code, stdout } = await queueOf(relay, "bounce", id);
      assert.deepEqual([code, stdout], [0, "1 message bounced\n"]);
      await relay.stop();
      const spool = await SqliteSpool.open(
        join(relay.directory, "spool"),
        systemClock,
        recordingLog(),
      );
      const { entries } = await spool.listed();
      assert.deepEqual(
        entries.map(({ why, sender }) => [why, sender]),
        [
          ["unvouched", "carol@example.net"],
          ["unvouched", "carol@example.net"],
        ],
      );
      assert.equal(await spool.count(), 0);
      await spool.close();
    });

    test("hold keeps mail for a domain, copied, until it is released", async () => {
      await using sink = await startSink();
      await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
      assert.equal((await queueOf(relay, "hold")).stdout, "No domain is on hold.\n");
      if (!running) await relay.stop();
      const held = await queueOf(relay, "hold", "--domain", "Example.COM");
      assert.deepEqual(held, { code: 0, stdout: "example.com is on hold\n", stderr: "" });
      await using again = running ? undefined : await restarted(relay, sink.port);
      await submit(again ?? relay, INBOUND);
      await (again ?? relay).happened("delivery.done", 2);
      await settledIn(again ?? relay);
      assert.match(
        (await queueOf(relay, "list")).stdout,
        /alice@example.com\n +0 attempts, on hold/,
      );
      const count = JSON.parse((await queueOf(relay, "count", "--json")).stdout);
      const [{ domain, messages }] = count.on_hold;
      assert.deepEqual([domain, messages, count.deferred], ["example.com", 1, 1]);
      assert.deepEqual(sink.attempted, []);
      await again?.stop();
      const { code, stdout, stderr } = await queueOf(relay, "release", "--domain", "example.com");
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(stdout, "example.com is released, 2 recipients due now\n");
      assert.equal((await queueOf(relay, "release", "--domain", "example.com")).code, 1);
      await using third = running ? undefined : await restarted(relay, sink.port);
      await (third ?? relay).happened("message.completed");
      assert.equal(sink.messages.length, 1);
    });

    test("retry thaws what is frozen", async () => {
      await using sink = await startSink();
      await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
      const id = await submit(relay, { sender: "", recipients: ["permfail@example.org"] });
      await relay.happened("message.frozen");
      assert.match((await queueOf(relay, "list", "--json")).stdout, /"state":"frozen"/);
      const why = /^ +frozen because it has failed, and nobody may be told$/m;
      assert.match((await queueOf(relay, "list")).stdout, why);
      if (!running) await relay.stop();
      assert.equal((await queueOf(relay, "retry", "--all")).stdout, "1 message due now\n");
      await using again = running ? undefined : await restarted(relay, sink.port);
      await (again ?? relay).happened("message.frozen", running ? 2 : 1);
      assert.deepEqual(sink.attempted, ["permfail@example.org", "permfail@example.org"]);
      assert.ok(id);
    });
  });
}

/** A new relay in the place of the one that was stopped. */
function restarted({ directory }: TestRelay, port: number, world = port): Promise<TestRelay> {
  return startTestRelay({ config: workspaceConfig(port, world), directory });
}

test("a message under attempt is not removed", async () => {
  await using silent = createServer((socket) => socket.on("error", () => socket.destroy()));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  assert.ok(typeof address === "object" && address !== null);
  await using relay = await startTestRelay({ config: workspaceConfig(address.port), files });
  const connected = once(silent, "connection");
  const id = await submit(relay, INBOUND);
  await connected;
  const { code, stderr } = await queueOf(relay, "remove", id);
  assert.deepEqual(
    { code, stderr },
    { code: 1, stderr: `${id}: is being delivered just now, try again later\n` },
  );
  await relay.stop(0);
});

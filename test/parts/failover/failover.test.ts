// Fail-over in a whole relay: mail for Google waits, is released, or is settled by its copies.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isTable } from "../../../src/base/table.ts";
import { askPart, askRelay } from "../../../src/run/control/client.ts";
import { controlSocket } from "../../../src/run/control/protocol.ts";
import { workspaceConfig } from "../../support/build.ts";
import { type ManualClock, manualClock } from "../../support/clock.ts";
import { freePort } from "../../support/relay-process.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { startSink } from "../../support/sink.ts";
import { send } from "../../support/transaction.ts";

const files = { gmail_accounts: "alice\nbob\npermfail\npostmaster\n" };
const DAY = 86_400_000;

const config = (google: number, more = "", world = google) =>
  `${workspaceConfig(google, world)}\n[failover]\ntransports = ["gmail"]\nrelease_rate = "100/1s"\n${more}`;

async function order(relay: TestRelay, verb: string, given: object = {}) {
  const socket = controlSocket(relay.configuration.relay);
  const answer = await askPart(socket, `failover/${verb}`, given);
  assert.ok(isTable(answer) && answer["error"] === undefined, JSON.stringify(answer));
  return answer;
}

async function sendAll(relay: TestRelay, to: readonly string[], from = "<carol@example.net>") {
  using client = await relay.connect("127.0.0.9");
  for (const one of to) await send(client, from, [`<${one}@example.com>`]);
}

/** Resolves when no attempt is under way any more. */
async function settledDown({ relay }: TestRelay): Promise<void> {
  do await setTimeout(20);
  while (relay.queue.activeCount > 0);
}

/** Lets time go by, day by day, but not while the relay is busy. */
async function days(clock: ManualClock, relay: TestRelay, count: number): Promise<void> {
  for (let hour = 0; hour < count * 4; hour++) {
    await settledDown(relay);
    clock.advance(DAY / 4);
  }
  await settledDown(relay);
}

describe("while fail-over is on", () => {
  test("mail is accepted and copied, and none goes to Google until it ends", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({ config: config(google.port), files });
    assert.equal((await order(relay, "on", { why: "gone" }))["changed"], true);
    assert.equal((await order(relay, "on"))["changed"], false);
    await sendAll(relay, ["alice", "bob", "alice"]);
    await settledDown(relay);
    assert.deepEqual([google.connections, await relay.relay.spool.count()], [0, 3]);
    assert.equal((await relay.copies("mail/example.com/alice")).length, 2);
    await order(relay, "off");
    await relay.happened("failover.released");
    assert.deepEqual(google.messages.map(({ recipients }) => recipients.join()).toSorted(), [
      "alice@example.com",
      "alice@example.com",
      "bob@example.com",
    ]);
    assert.equal(await relay.relay.spool.count(), 0);
  });

  test("an order to retry does not send it", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({ config: config(google.port), files });
    await order(relay, "on");
    await sendAll(relay, ["alice"]);
    await settledDown(relay);
    const [accepted] = await relay.happened("message.accepted");
    const { id = "" } = accepted ?? {};
    const socket = controlSocket(relay.configuration.relay);
    const answer = await askRelay(socket, { action: "retry", ids: [id] });
    assert.ok("changes" in answer);
    assert.deepEqual(answer.changes, [{ id, result: "held" }]);
    await settledDown(relay);
    assert.deepEqual([google.connections, await relay.relay.spool.count()], [0, 1]);
  });

  test("no sender is told of mail that waits for thirty days, nor when it is late afterwards", async () => {
    const port = await freePort();
    const clock = manualClock(Date.now());
    const told = config(port, '[bounce]\nbounce_to = "all"\n');
    await using relay = await startTestRelay({ config: told, files, clock });
    await sendAll(relay, ["alice", "bob"]);
    await relay.happened("delivery.deferred");
    await order(relay, "on");
    await days(clock, relay, 30);
    assert.equal(await relay.relay.spool.count(), 2);
    await order(relay, "off");
    await days(clock, relay, 3);
    await using google = await startSink({ port });
    await days(clock, relay, 1);
    assert.equal(google.messages.length, 2);
    assert.equal(await relay.relay.spool.count(), 0);
    assert.deepEqual(relay.log.named("message.bounced"), []);
    assert.deepEqual(relay.log.named("message.reported"), []);
  });

  test("cut-through is off, and mail for the world goes on", async () => {
    await using google = await startSink();
    await using world = await startSink();
    const cutting = config(google.port, "", world.port).replaceAll(
      /name = "gmail_remote"/g,
      "$&\ncutthrough = true",
    );
    await using relay = await startTestRelay({ config: cutting, files });
    await order(relay, "on");
    using client = await relay.connect();
    const large = `Subject: large\r\n\r\n${`${"x".repeat(70)}\r\n`.repeat(3000)}`;
    await send(client, "<carol@example.net>", ["<alice@example.com>"], large);
    await send(client, "<alice@example.com>", ["<dave@example.org>"]);
    await world.waitFor(1);
    await settledDown(relay);
    assert.equal(google.connections, 0);
  });

  test("the state outlives the relay", async () => {
    const directory = await mkdtemp(join(tmpdir(), "unseen-failover-"));
    await using google = await startSink();
    const options = { config: config(google.port), files, directory };
    {
      await using before = await startTestRelay(options);
      await order(before, "on");
      await sendAll(before, ["alice"]);
      await settledDown(before);
    }
    {
      await using again = await startTestRelay(options);
      await sendAll(again, ["alice"]);
      await settledDown(again);
      assert.equal(google.connections, 0);
      await again.stop();
      await writeFile(join(directory, "spool/failover.json"), '{"mode":"releasing","since":1}');
    }
    {
      await using last = await startTestRelay(options);
      await last.happened("failover.released");
      assert.equal(google.messages.length, 2);
      assert.deepEqual((await readdir(join(directory, "spool"))).includes("failover.json"), false);
    }
    await rm(directory, { recursive: true });
  });

  test("a state that cannot be read lets mail wait", async () => {
    await using google = await startSink();
    const spoiled = { ...files, "spool/failover.json": "{" };
    await using relay = await startTestRelay({ config: config(google.port), files: spoiled });
    await sendAll(relay, ["alice"]);
    await settledDown(relay);
    assert.equal(google.connections, 0);
  });
});

describe("when fail-over ends", () => {
  test("refused mail is reported to the postmaster in one list, and to no sender", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({
      config: config(google.port, '[bounce]\nbounce_to = "all"\n'),
      files,
    });
    await order(relay, "on");
    await sendAll(relay, ["permfail", "alice", "permfail"]);
    await sendAll(relay, ["permfail"], "<>");
    await settledDown(relay);
    await order(relay, "off");
    await relay.happened("failover.released");
    const [sent] = await relay.happened("failover.list_sent");
    assert.equal(sent?.entries, 3);
    const messages = await google.waitFor(2);
    const list = messages.find(({ sender }) => sender === "")?.raw.toString() ?? "";
    assert.equal(list.match(/^ {2}permfail@example\.com/gm)?.length, 3);
    assert.match(list, /550 5\.1\.1 no such user here/);
    await settledDown(relay);
    assert.equal(await relay.relay.spool.count(), 0);
    assert.deepEqual(relay.log.named("message.bounced"), []);
    assert.deepEqual(relay.log.named("message.frozen"), []);
  });

  test("a host that was down before gets the mail at once", async () => {
    const port = await freePort();
    await using relay = await startTestRelay({ config: config(port), files });
    await sendAll(relay, ["alice", "bob"]);
    await relay.happened("delivery.deferred");
    await order(relay, "on");
    await settledDown(relay);
    await using google = await startSink({ port });
    await order(relay, "off");
    await relay.happened("failover.released");
    assert.equal(google.messages.length, 2);
  });

  test("mail that never waited still bounces", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({
      config: config(google.port, '[bounce]\nbounce_to = "all"\n'),
      files,
    });
    await order(relay, "on");
    await order(relay, "off");
    await relay.happened("failover.released");
    await sendAll(relay, ["permfail"]);
    await relay.happened("message.bounced");
  });
});

/** Relays with fail-over on and one message for each of these accounts. */
async function kept(
  play: (relay: TestRelay, google: { readonly connections: number }) => Promise<void>,
): Promise<void> {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  await order(relay, "on");
  await sendAll(relay, ["alice", "bob"]);
  await settledDown(relay);
  await play(relay, google);
  assert.equal(google.connections, 0);
}

const maildirOf = ({ directory }: TestRelay, account: string) =>
  join(directory, "mail/example.com", account);

async function copyOf(relay: TestRelay, account: string): Promise<string> {
  const [name] = await readdir(join(maildirOf(relay, account), "new"));
  assert.ok(name);
  return name;
}

describe("with --keep-local", () => {
  test("mail is settled by its copies, and new mail too, until fail-over ends", () =>
    kept(async (relay) => {
      const name = await copyOf(relay, "alice");
      const maildir = maildirOf(relay, "alice");
      await rename(join(maildir, "new", name), join(maildir, "cur", `${name}:2,FS`));
      const answer = await order(relay, "keep-local");
      assert.deepEqual([answer["settled"], answer["waiting"]], [2, []]);
      assert.equal(await relay.relay.spool.count(), 0);
      await sendAll(relay, ["alice"]);
      await relay.happened("message.completed", 3);
      await order(relay, "off");
      await relay.happened("failover.released");
    }));

  const spoils: Readonly<Record<string, (file: string) => Promise<void>>> = {
    "is missing": (file) => rm(file),
    "has another byte": async (file) => {
      const bytes = await readFile(file);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 4) ^ 1, bytes.length - 4);
      await writeFile(file, bytes);
    },
    "is longer": async (file) => writeFile(file, `${await readFile(file, "latin1")}x`),
    "is shorter": async (file) => writeFile(file, (await readFile(file)).subarray(0, -1)),
    "has another field on top": async (file) =>
      writeFile(file, `X-Added: 1\n${await readFile(file, "latin1")}`),
    "is empty": (file) => writeFile(file, ""),
    "was moved to another folder": (file) => rename(file, join(file, "../../../elsewhere")),
  };
  for (const [what, spoil] of Object.entries(spoils)) {
    test(`mail waits whose copy ${what}`, () =>
      kept(async (relay) => {
        const name = await copyOf(relay, "alice");
        await spoil(join(maildirOf(relay, "alice"), "new", name));
        const answer = await order(relay, "keep-local");
        const waiting = [{ recipient: "alice@example.com", messages: 1 }];
        assert.deepEqual([answer["settled"], answer["waiting"]], [1, waiting]);
        assert.equal(await relay.relay.spool.count(), 1);
      }));
  }

  test("the sender's copy does not stand for the recipient's", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({ config: config(google.port), files });
    await order(relay, "on");
    using client = await relay.connect();
    await send(client, "<alice@example.com>", ["<bob@example.com>"]);
    await settledDown(relay);
    assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, 1);
    await rm(join(maildirOf(relay, "bob"), "new", await copyOf(relay, "bob")));
    const answer = await order(relay, "keep-local");
    assert.deepEqual(answer["waiting"], [{ recipient: "bob@example.com", messages: 1 }]);
  });

  test("nothing is done while fail-over is off", async () => {
    await using relay = await startTestRelay({ config: config(await freePort()), files });
    assert.equal((await order(relay, "keep-local"))["changed"], false);
    assert.equal((await order(relay, "off"))["changed"], false);
  });
});

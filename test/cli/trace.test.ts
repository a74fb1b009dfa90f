// relayctl trace, and what the history adds to queue show.

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { suite, test } from "node:test";
import { headLine } from "../../src/cli/trace/story.ts";
import { workspaceConfig } from "../support/build.ts";
import { assertGolden, type Finished, relayctl } from "../support/program.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { freePort } from "../support/relay-process.ts";
import { startSink } from "../support/sink.ts";

const files = { gmail_accounts: "alice\nbob\n" };

const ask = ({ configuration }: TestRelay, ...args: string[]): Promise<Finished> =>
  relayctl([...args, "--config", configuration.file]);

async function submit(relay: TestRelay, from: string, ...to: readonly string[]): Promise<string> {
  using wire = await relay.connect();
  await wire.ask("EHLO client.example.net");
  await wire.ask(`MAIL FROM:<${from}>`);
  for (const recipient of to) await wire.ask(`RCPT TO:<${recipient}>`);
  await wire.ask("DATA");
  const reply = await wire.ask("Subject: x\r\n\r\nhello\r\n.");
  return /queued as (\w+)$/.exec(reply)?.[1] ?? assert.fail(reply);
}

/** One message whose Google does not answer, one that bounces, and a refused recipient. */
async function played(): Promise<{ relay: TestRelay; ids: readonly string[] }> {
  await using world = await startSink();
  const config = `${workspaceConfig(await freePort(), world.port)}[bounce]\nbounce_to = "all"\n`;
  const relay = await startTestRelay({ config, files });
  const first = await submit(relay, "carol@example.net", "alice@example.com", "nobody@example.com");
  await relay.happened("delivery.deferred");
  const second = await submit(relay, "bob@example.com", "permfail@example.org", "dave@example.org");
  await relay.happened("message.completed");
  // Of the report, the copy: its way to Google is known to be shut.
  await relay.happened("delivery.done", 5);
  // The history is written when the relay has stopped.
  await relay.stop();
  const [bounced] = relay.log.named("message.bounced");
  return { relay, ids: [first, second, bounced?.report ?? ""] };
}

/** The same text in every run; each id is named after its place. */
function steady(text: string, ids: readonly string[], { directory }: TestRelay): string {
  return ids
    .reduce((told, id, index) => told.replaceAll(id, `ID${index + 1}`), text)
    .replaceAll(directory, "DIR")
    .replaceAll(/new\/\S+,S=\d+/g, "new/FILE")
    .replaceAll(/:\d+: cannot\n +connect:/g, ":PORT: cannot connect:")
    .replaceAll(/:\d+$/gm, ":PORT")
    .replaceAll(/^\w{3}, .*, UTC$/gm, "DATE")
    .replaceAll(/^(\d\d:\d\d:\d\d) {10}/gm, "CLOCK             ")
    .replaceAll(/^\d\d:\d\d:\d\d .{8} /gm, "CLOCK      +LATER ")
    .replaceAll(/\b1[4-6]m\b/g, "15m");
}

suite("relayctl trace", () => {
  test("tells the whole story of a message", async () => {
    const { relay, ids } = await played();
    await using _ = relay;
    const texts: string[] = [];
    for (const id of ids) {
      const { code, stdout, stderr } = await ask(relay, "trace", id);
      assert.deepEqual([code, stderr], [0, ""]);
      texts.push(stdout);
    }
    assertGolden("trace.txt", steady(texts.join("\n"), ids, relay));
  });

  test("tells everything of an address, refusals too, the newest first", async () => {
    const { relay, ids } = await played();
    await using _ = relay;
    const idsOf = async (...args: string[]) => {
      const { stdout } = await ask(relay, "trace", ...args, "--json");
      const lines = stdout.trim().split("\n");
      return lines.map((line) => ids.indexOf(JSON.parse(line).id) + 1);
    };
    assert.deepEqual(await idsOf("bob@example.com"), [3, 2]);
    assert.deepEqual(await idsOf("Bob@Example.com", "--limit", "1"), [3]);
    assert.deepEqual(await idsOf("<carol@example.net>"), [1, 0]);
    const { stdout } = await ask(relay, "trace", "nobody@example.com");
    assert.match(stdout, /^refused\n/);
    assert.match(stdout, / 550 5\.1\.1 /);
    const { code } = await ask(relay, "trace", "bob@example.com", "--since", "0s");
    assert.equal(code, 1);
  });

  test("says it in one line when nothing is known, and what is no question is exit 64", async () => {
    const { relay } = await played();
    await using _ = relay;
    const unknown = await ask(relay, "trace", "eve@example.org");
    assert.deepEqual(unknown, {
      code: 1,
      stdout: "",
      stderr: "eve@example.org: nothing is known of it\n",
    });
    for (const what of ["x", "a b@example.com", "ABCDEFGHIJ"]) {
      assert.equal((await ask(relay, "trace", what)).code, 64, what);
    }
  });

  test("without a history knows what the queue knows", async () => {
    const config = `[relay]\nhostname = "mx.example.com"\nspool_directory = "spool"\nhistory = "0s"\n${workspaceConfig(await freePort())}`;
    await using relay = await startTestRelay({ config, files });
    const id = await submit(relay, "carol@example.net", "alice@example.com");
    await relay.happened("delivery.deferred");
    await relay.stop();
    await assert.rejects(access(`${relay.directory}/spool/history`));
    for (const what of [id, "carol@example.net", "alice@example.com"]) {
      const { events, queued } = JSON.parse((await ask(relay, "trace", what, "--json")).stdout);
      assert.deepEqual(
        events.map(({ event }: Record<string, string>) => event),
        ["message.accepted", "delivery.done"],
      );
      assert.equal(queued.id, id);
    }
  });

  test("knows what the postmaster did, where no relay runs", async () => {
    const { relay, ids } = await played();
    await using _ = relay;
    const [id = ""] = ids;
    await ask(relay, "queue", "freeze", id);
    await ask(relay, "queue", "bounce", id);
    const { events, queued } = JSON.parse((await ask(relay, "trace", id, "--json")).stdout);
    const actions = events.flatMap(({ action }: Record<string, string>) => action ?? []);
    assert.deepEqual([actions, queued], [["freeze", "bounce"], null]);
    const { stdout: told } = await ask(relay, "trace", id);
    assert.match(told, /bounce by the postmaster\n[^]*bounced in report \w{10}\n/);
    const report = /bounced in report (\w{10})\n/.exec(told)?.[1] ?? "";
    await ask(relay, "queue", "remove", report);
    assert.match((await ask(relay, "trace", report)).stdout, /^\w{10}: removed\n/);
  });
});

/** What the story of 0000000002, which is a report on 0000000001, is headed by. */
function headOf(...names: string[]): string {
  const events = names.map((name, at) => {
    const isOnAnother = name === "message.bounced";
    return { at, name, fields: { id: isOnAnother ? "0000000001" : "0000000002" } };
  });
  return headLine({ id: "0000000002", events }, undefined);
}

test("a story is headed by how it ended, and not by what was mended on the way", () => {
  assert.match(headOf("message.bounced", "delivery.done", "message.completed"), /: .*completed/);
  assert.match(headOf("message.accepted", "message.frozen", "message.completed"), /: .*completed/);
  assert.match(headOf("message.frozen", "delivery.failed", "message.completed"), /: .*failed/);
});

test("queue show tells the attempts", async () => {
  const { relay, ids } = await played();
  await using _ = relay;
  const { stdout } = await ask(relay, "queue", "show", ids[0] ?? "");
  assert.match(stdout, /deferred alice@example\.com\n +by gmail_remote, gmail\n/);
  const { history } = JSON.parse(
    (await ask(relay, "queue", "show", ids[0] ?? "", "--json")).stdout,
  );
  assert.deepEqual(
    history.map(({ event }: Record<string, string>) => event),
    ["message.accepted", "delivery.done", "delivery.deferred"],
  );
});

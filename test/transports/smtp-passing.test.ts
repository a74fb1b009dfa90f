// Of a message that is still coming in: what is "not passed", so that it is delivered in the ordinary way at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Transport } from "../../src/contract/contract.ts";
import { PassingBody } from "../../src/deliver/cut-through/passing-body.ts";
import { HostHints } from "../../src/retry/hosts/hosts.ts";
import { manualClock } from "../support/clock.ts";
import { batch, MESSAGE, recipient } from "../support/build.ts";
import { greet, type ScriptedConnection, scriptedServer, startSink } from "../support/sink.ts";
import { create } from "./sending.ts";
import { at, never } from "./support.ts";

/** What becomes of a message while it comes in, whose end is there or will never come. */
async function passed(transport: Transport, names: string, end: "ended" | "open" = "ended") {
  const recipients = names.split(" ").map((name) => recipient(`${name}@example.com`));
  const body = new PassingBody(0);
  void body.write(MESSAGE);
  if (end === "ended") body.complete();
  const client = setInterval(() => void body.write(Buffer.from("more\r\n")), 5);
  const outcomes = await transport.deliver(batch(recipients, { body }), never());
  clearInterval(client);
  return recipients.map(({ id }) => {
    const outcome = outcomes.get(id);
    assert.ok(outcome);
    return `${outcome.kind} ${outcome.status.code}${"notPassed" in outcome ? ", not passed" : ""}`;
  });
}

async function takeEnvelope(conn: ScriptedConnection): Promise<void> {
  await greet(conn);
  await conn.readUntil("DATA\r\n");
  conn.send("250 a", "250 b", "354 go");
}

test("it is lost in its middle: not passed, and no other host is asked for what is not here", async (t) => {
  await using first = await scriptedServer(async (conn) => {
    await takeEnvelope(conn);
    await conn.readUntil("hello");
  });
  await using second = await startSink();
  const transport = create(t, { hosts: at(first.port, second.port) });
  assert.deepEqual(await passed(transport, "bob", "open"), ["deferred 451, not passed"]);
  assert.equal(second.connections, 0);
});

test("it is lost at its end: the host may have it", async (t) => {
  await using first = await scriptedServer(async (conn) => {
    await takeEnvelope(conn);
    await conn.readUntil("\r\n.\r\n");
  });
  const transport = create(t, { hosts: at(first.port) });
  assert.deepEqual(await passed(transport, "bob"), ["deferred 451"]);
});

test("a first host that does not answer costs it nothing: the next one has it", async (t) => {
  await using second = await startSink();
  const transport = create(t, { hosts: at(9, second.port) });
  assert.deepEqual(await passed(transport, "bob"), ["delivered 250"]);
});

test("what a host says of recipients, or of the whole message, is said", async (t) => {
  await using sink = await startSink();
  const transport = create(t, { hosts: at(sink.port) });
  assert.deepEqual(await passed(transport, "bob tempfail permfail"), [
    "delivered 250",
    "deferred 451",
    "failed 550",
  ]);
  assert.deepEqual(await passed(transport, "tempfail-data"), ["deferred 451"]);
  assert.deepEqual(await passed(transport, "permfail-data"), ["failed 554"]);
});

test("who finds no room in its one transaction has it afterwards", async (t) => {
  await using sink = await startSink();
  const transport = create(t, { hosts: at(sink.port), max_rcpt: 2 });
  const later = "deferred 451, not passed";
  assert.deepEqual(await passed(transport, "bob too-many carol dave"), [
    "delivered 250",
    later,
    later,
    later,
  ]);
  assert.equal(sink.connections, 1);
});

test("a host that gets one message at a time, or may be down, is not held by one that may be slow", async (t) => {
  await using sink = await startSink();
  const clock = manualClock();
  const rules = [{ kind: "F", cutoff: 8 * 3_600_000, interval: 60_000, factor: 1 }] as const;
  const hints = new HostHints({ retry: [{ match: "*", rules }], replies: [] }, clock);
  const failure = { host: "127.0.0.1", domain: "example.com" };
  const status = { code: 451, enhanced: "4.4.1", text: "down" };
  hints.failed(`127.0.0.1 [127.0.0.1]:${sink.port}`, { ...failure, status });
  clock.advance(120_000);
  const doubted = create(t, { hosts: at(sink.port) }, { clock, hints });
  const single = create(t, { hosts: at(sink.port), connections_max: 1 });
  for (const transport of [doubted, single]) {
    assert.deepEqual(await passed(transport, "bob"), ["deferred 451, not passed"]);
  }
  assert.equal(sink.connections, 0);
});

test("the turn that it has had is good for it when it is whole", async (t) => {
  await using peer = await scriptedServer(async (conn, ordinal) => {
    await takeEnvelope(conn);
    if (ordinal === 1) return void (await conn.readUntil("hello"));
    await conn.readUntil("\r\n.\r\n");
    conn.send("250 2.0.0 taken");
    await conn.readLine();
  });
  const slow = { hosts: at(peer.port), rate: "1/1h", recipient_rate: "1/1h" };
  const transport = create(t, slow);
  assert.deepEqual(await passed(transport, "bob", "open"), ["deferred 451, not passed"]);
  const bob = recipient("bob@example.com");
  const outcomes = await transport.deliver(batch([bob]), never());
  assert.equal(outcomes.get(bob.id)?.kind, "delivered");
});

// Routers with `cutthrough`: what the next host says of a message is what its client is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { type TestRelay, startTestRelay } from "../support/relay.ts";
import { greet, type ScriptedConnection, scriptedServer, startSink } from "../support/sink.ts";
import type { Wire } from "../support/wire.ts";

const ACCOUNTS =
  "alice bob permfail permfail-data tempfail-data drop drop-after-dot drop-in-data closing";
const files = { gmail_accounts: ACCOUNTS.replaceAll(" ", "\n") };

function config(google: number, world?: number): string {
  return workspaceConfig(google, world).replaceAll(
    /name = "(gmail_remote|world)"/g,
    "$&\ncutthrough = true",
  );
}

/** The reply to the end of a message, or to its beginning if that is refused. */
async function send(
  client: Wire,
  recipients: readonly string[],
  { sender = "carol@example.net", text = "Subject: hello\r\n\r\nhello\r\n" } = {},
): Promise<string> {
  await client.ask("EHLO client.example.net");
  assert.match(await client.ask(`MAIL FROM:<${sender}>`), /^250 /);
  for (const recipient of recipients) {
    assert.match(await client.ask(`RCPT TO:<${recipient}>`), /^250 /, recipient);
  }
  assert.match(await client.ask("DATA"), /^354 /);
  return client.ask(`${text}.`);
}

/** More than is held back before a message goes out. */
const LARGE = `Subject: large\r\n\r\n${`${"x".repeat(70)}\r\n`.repeat(30_000)}`;

async function isEmpty({ relay }: TestRelay): Promise<boolean> {
  return (await relay.spool.count()) === 0;
}

const refusals = [
  ["at RCPT", "permfail@example.com", /^550 5\.1\.1 no such user here$/],
  ["after the dot", "permfail-data@example.com", /^554 5\.6\.0 not this$/],
] as const;

for (const size of ["small", "large"] as const) {
  const text = size === "large" ? { text: LARGE } : {};
  for (const [when, recipient, reply] of refusals) {
    test(`what the next host says ${when} of a ${size} message is the reply, and nothing bounces`, async () => {
      await using google = await startSink();
      await using relay = await startTestRelay({ config: config(google.port), files });
      using client = await relay.connect();
      // A bounce would go to an account of ours, through the same hosts.
      assert.match(
        await send(client, [recipient], { sender: "alice@example.com", ...text }),
        reply,
      );
      assert.ok(await isEmpty(relay));
      assert.deepEqual(relay.log.named("message.bounced"), []);
      assert.equal(relay.log.named("delivery.failed").length, 1);
      assert.equal((await relay.copies(`mail/example.com/${recipient.split("@")[0]}`)).length, 1);
      assert.equal(google.messages.length, 0);
    });
  }

  test(`a ${size} message that the next host takes is there once when its client hears of it`, async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({ config: config(google.port), files });
    using client = await relay.connect();
    const recipients = ["alice@example.com", "bob@example.com"];
    assert.match(await send(client, recipients, text), /^250 2\.0\.0 taken$/);
    const [message, ...more] = google.messages;
    assert.deepEqual(more, []);
    assert.deepEqual(message?.recipients, recipients);
    const sent = message?.raw.toString("latin1") ?? "";
    assert.match(sent, /^Received: from client\.example\.net /);
    assert.ok(sent.endsWith(text.text ?? "Subject: hello\r\n\r\nhello\r\n"));
    for (const account of ["alice", "bob"]) {
      const [copy, ...others] = await relay.copies(`mail/example.com/${account}`);
      assert.deepEqual(others, []);
      assert.ok(copy?.endsWith(sent.replaceAll("\r\n", "\n")));
    }
    assert.ok(await isEmpty(relay));
  });

  for (const word of ["tempfail-data", "drop", "drop-in-data", "drop-after-dot", "closing"]) {
    test(`a ${size} message is queued when the next host says no clean word: ${word}`, async () => {
      await using google = await startSink();
      await using relay = await startTestRelay({ config: config(google.port), files });
      using client = await relay.connect();
      assert.match(
        await send(client, [`${word}@example.com`], text),
        /^250 2\.0\.0 Ok, queued as /,
      );
      const [deferred] = await relay.happened("delivery.deferred");
      assert.equal(deferred?.recipient, `${word}@example.com`);
      assert.equal(await relay.relay.spool.count(), 1);
      assert.equal((await relay.copies(`mail/example.com/${word}`)).length, 1);
      assert.deepEqual(relay.log.named("relay.error"), []);
    });
  }
}

test("a host that cannot be reached, and no host that answers in time, leave the message in the queue", async () => {
  await using relay = await startTestRelay({ config: config(9), files });
  using client = await relay.connect();
  assert.match(
    await send(client, ["alice@example.com"], { text: LARGE }),
    /^250 2\.0\.0 Ok, queued/,
  );
  assert.equal(await relay.relay.spool.count(), 1);
});

test("when one recipient is refused and another is not, the message is taken and the refusal is reported", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  using client = await relay.connect();
  const recipients = ["permfail@example.com", "bob@example.com"];
  const reply = await send(client, recipients, { sender: "alice@example.com", text: LARGE });
  assert.match(reply, /^250 2\.0\.0 Ok, queued as /);
  const [bounced] = await relay.happened("message.bounced");
  assert.deepEqual(bounced?.recipients, ["permfail@example.com"]);
  assert.equal((await google.waitFor(2)).length, 2);
});

test("mail for two hosts goes through the queue", async () => {
  await using google = await startSink();
  await using world = await startSink();
  await using relay = await startTestRelay({ config: config(google.port, world.port), files });
  using client = await relay.connect();
  const recipients = ["alice@example.com", "permfail@example.org"];
  const reply = await send(client, recipients, { sender: "bob@example.com" });
  assert.match(reply, /^250 2\.0\.0 Ok, queued as /);
  await relay.happened("message.bounced");
});

test("a refused message from <> is the client's affair: nothing is frozen", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  using client = await relay.connect();
  assert.match(await send(client, ["permfail-data@example.com"], { sender: "" }), /^554 /);
  assert.ok(await isEmpty(relay));
  assert.deepEqual(relay.log.named("delivery.frozen"), []);
});

/** A host that takes everything; `seen` is told of the message's bytes, and asked before the reply to its dot. */
function watchedHost(seen: (bytes: string) => void, atDot: () => Promise<void> | void) {
  return scriptedServer(async (peer) => {
    peer.send("220 watched");
    await peer.readLine();
    peer.send("250-watched", "250 PIPELINING");
    for (const answer of ["250 ok", "250 ok", "354 go on"]) {
      await peer.readLine();
      peer.send(answer);
    }
    peer.socket.on("data", (chunk: Buffer) => seen(chunk.toString("latin1")));
    await peer.readUntil("\r\n.\r\n");
    await atDot();
    peer.send("250 2.0.0 seen");
    await peer.readLine();
  });
}

async function beginLarge(relay: TestRelay): Promise<Wire> {
  const client = await relay.connect();
  await client.ask("EHLO client.example.net");
  await client.ask("MAIL FROM:<carol@example.net>");
  await client.ask("RCPT TO:<alice@example.com>");
  assert.match(await client.ask("DATA"), /^354 /);
  client.send(LARGE);
  return client;
}

test("a large message goes out while it comes in, its end only when the copy is made", async () => {
  const arrived = Promise.withResolvers<void>();
  let copiesAtDot = -1;
  let relay: TestRelay | undefined;
  await using host = await watchedHost(
    () => arrived.resolve(),
    async () => void (copiesAtDot = (await relay?.copies("mail/example.com/alice"))?.length ?? -1),
  );
  await using started = await startTestRelay({ config: config(host.port), files });
  relay = started;
  using client = await beginLarge(started);
  await arrived.promise;
  assert.match(await client.ask("."), /^250 2\.0\.0 seen$/);
  assert.equal(copiesAtDot, 1);
});

for (const [what, end] of [
  ["whose client goes away", undefined],
  ["that turns out unfit", "bare\nline feed\r\n.\r\n"],
] as const) {
  test(`a large message ${what} is ended for nobody`, async () => {
    const arrived = Promise.withResolvers<void>();
    let seen = "";
    await using host = await watchedHost(
      (bytes) => {
        seen += bytes;
        arrived.resolve();
      },
      () => assert.fail("the dot came"),
    );
    await using relay = await startTestRelay({ config: config(host.port), files });
    using client = await beginLarge(relay);
    await arrived.promise;
    if (end === undefined) client[Symbol.dispose]();
    else {
      client.send(end);
      assert.match(await client.reply(), /^550 5\.6\.0 /);
    }
    await relay.stop();
    assert.ok(!seen.includes("\r\n.\r\n"));
    assert.deepEqual(await relay.copies("mail/example.com/alice"), []);
    assert.deepEqual(relay.log.named("message.accepted"), []);
  });
}

test("a host that loses patience while a client dawdles is not put off for others", async () => {
  await using host = await scriptedServer(async (peer, ordinal) => {
    peer.send("220 impatient");
    await peer.readLine();
    peer.send("250-impatient", "250 PIPELINING");
    await peer.readUntil("DATA\r\n");
    peer.send("250 ok", "250 ok", "354 go on");
    if (ordinal === 1) {
      await peer.readUntil("x".repeat(70));
      return peer.send("421 4.4.2 timeout");
    }
    await peer.readUntil("\r\n.\r\n");
    peer.send("250 2.0.0 taken");
    await peer.readLine();
  });
  await using relay = await startTestRelay({ config: config(host.port), files });
  using client = await beginLarge(relay);
  // It goes again at once, whole.
  assert.match(await client.ask("."), /^250 2\.0\.0 taken$/);
  assert.match(await send(client, ["bob@example.com"]), /^250 2\.0\.0 taken$/);
  assert.deepEqual(relay.log.named("delivery.deferred"), []);
});

/** Takes a message as far as `until`. */
async function takeUntil(peer: ScriptedConnection, until: string): Promise<void> {
  await greet(peer, ["PIPELINING", "8BITMIME"]);
  await peer.readUntil("DATA\r\n");
  peer.send("250 ok", "250 ok", "354 go on");
  await peer.readUntil(until);
}

function withHosts(...ports: readonly number[]): string {
  const hosts = ports.map((port) => `"127.0.0.1:${port}"`).join(", ");
  return config(ports[0] ?? 0).replace(/^hosts = \["127.*$/m, `hosts = [${hosts}]`);
}

for (const [what, answer] of [
  ["goes away", undefined],
  ["has no time for it", "451 4.3.0 no time"],
] as const) {
  test(`a host that ${what} in the middle of a large message: the next host gets it whole, at once`, async () => {
    await using first = await scriptedServer(async (peer, ordinal) => {
      if (ordinal > 1) return peer.send("421 4.3.2 closing");
      await takeUntil(peer, "x".repeat(70));
      if (answer !== undefined) peer.send(answer);
    });
    await using second = await startSink();
    await using relay = await startTestRelay({ config: withHosts(first.port, second.port), files });
    using client = await beginLarge(relay);
    assert.match(await client.ask("."), /^250 2\.0\.0 taken$/);
    assert.equal(second.messages.length, 1);
    assert.ok(second.messages[0]?.raw.toString("latin1").endsWith(LARGE));
    assert.ok(await isEmpty(relay));
  });
}

test("a large message whose end was sent when the host went away is not sent again at once", async () => {
  await using first = await scriptedServer((peer) => takeUntil(peer, "\r\n.\r\n"));
  await using second = await startSink();
  await using relay = await startTestRelay({ config: withHosts(first.port, second.port), files });
  using client = await beginLarge(relay);
  assert.match(await client.ask("."), /^250 2\.0\.0 Ok, queued as /);
  await relay.happened("delivery.deferred");
  assert.deepEqual([first.connections, second.connections], [1, 0]);
});

test("a large message that its host can only be given when it is known whole is, at once", async () => {
  await using google = await startSink({ server: { hide8BITMIME: true } });
  await using relay = await startTestRelay({ config: config(google.port), files });
  using client = await relay.connect();
  await client.ask("EHLO client.example.net");
  await client.ask("MAIL FROM:<carol@example.net> BODY=8BITMIME");
  await client.ask("RCPT TO:<alice@example.com>");
  await client.ask("DATA");
  assert.match(await client.ask(`${LARGE}.`), /^250 2\.0\.0 taken$/);
  assert.equal(google.messages.length, 1);
  assert.ok(await isEmpty(relay));
});

test("where one connection may be, a large message is passed on when it is here", async () => {
  await using google = await startSink();
  const single = config(google.port).replace(/^hosts = \["127.*$/m, "$&\nconnections_max = 1");
  await using relay = await startTestRelay({ config: single, files });
  using dawdling = await beginLarge(relay);
  using client = await relay.connect();
  // The one connection is free for others meanwhile.
  assert.match(await send(client, ["bob@example.com"]), /^250 2\.0\.0 taken$/);
  assert.equal(google.messages[0]?.connection, 1);
  assert.match(await dawdling.ask("."), /^250 2\.0\.0 taken$/);
});

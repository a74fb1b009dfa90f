import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Transport } from "../../src/contract/contract.ts";
import { deliver } from "../../src/deliver/deliver.ts";
import { lmtp } from "../../transports/lmtp.ts";
import { problemsOf, readOptions, type OptionTable } from "../conformance/driver.ts";
import { testTransport } from "../conformance/transport.ts";
import { manualClock } from "../support/clock.ts";
import {
  batch,
  envelope,
  damagedBody,
  MESSAGE,
  recipient,
  streamedBody,
} from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import { greet, scriptedServer, startSink, type ScriptedConnection } from "../support/sink.ts";
import { createWith } from "./sending.ts";
import { at, never, people, told } from "./support.ts";

const startServer = () => startSink({ server: { lmtp: true } });

function create(t: TestContext, table: OptionTable) {
  const log = recordingLog();
  return { transport: createWith(t, lmtp, table, { log }), log };
}

/** A Unix socket that leads to a port of this machine. */
async function socketTo(t: TestContext, port: number): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "unseen-lmtp-"));
  const path = join(directory, "socket");
  const server = createServer((client) => {
    const peer = connect(port, "127.0.0.1");
    client.pipe(peer).pipe(client);
    client.on("error", () => peer.destroy());
    peer.on("error", () => client.destroy());
  });
  server.listen(path);
  await once(server, "listening");
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return path;
}

/** The envelope of `rcpts` recipients, answered in its order, up to the message. */
async function takeEnvelope(conn: ScriptedConnection, rcpts: readonly string[]): Promise<string> {
  const hello = await greet(conn);
  await conn.readUntil("DATA\r\n");
  conn.send("250 sender", ...rcpts, "354 go");
  await conn.readUntil("\r\n.\r\n");
  return hello;
}

testTransport(lmtp, {
  async setup(t) {
    const server = await startServer();
    t.after(() => server.close());
    return { table: { hosts: at(server.port) }, services: { clock: systemClock } };
  },
});

describe("lmtp transport", () => {
  test("each recipient has the answer that came for it after the message", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      const hello = await takeEnvelope(conn, ["250 a", "550 5.1.1 no b", "250 c", "250 d"]);
      assert.equal(hello, "LHLO mx.example.com");
      conn.send("250 2.0.0 a is in", "452 4.2.2 c is full", "552 5.2.2 d is over");
      await conn.closed();
    });
    const { transport } = create(t, { hosts: at(peer.port) });
    const recipients = people("a", "b", "c", "d");
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), [
      "delivered 250 2.0.0 a is in",
      "failed 550 5.1.1 no b",
      "deferred recipient 452 4.2.2 c is full",
      "failed 552 5.2.2 d is over",
    ]);
    const [first] = outcomes.values();
    assert.ok(first?.kind === "delivered" && first.final === true);
  });

  test("who had an answer before the connection broke keeps it; the others are tried again", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await takeEnvelope(conn, ["250 a", "250 b"]);
      conn.send("250 2.0.0 a is in");
    });
    await using other = await startServer();
    const { transport } = create(t, { hosts: at(peer.port, other.port) });
    const recipients = people("a", "b");
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), [
      "delivered 250 2.0.0 a is in",
      "deferred message 451 4.4.2 lost connection in the end of the message",
    ]);
    assert.equal(other.connections, 0);
  });

  test("421 in the place of an answer sends the others to the next host", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await takeEnvelope(conn, ["250 a", "250 b"]);
      conn.send("250 2.0.0 a is in", "421 4.3.2 closing");
    });
    await using other = await startServer();
    const { transport } = create(t, { hosts: at(peer.port, other.port) });
    const recipients = people("a", "b");
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), [
      "delivered 250 2.0.0 a is in",
      "delivered 250 2.0.0 taken",
    ]);
    assert.deepEqual(
      other.messages.map((message) => message.recipients),
      [["b@example.com"]],
    );
  });

  test("a server that takes a message for nobody is out of step", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 sender", "550 5.1.1 no", "354 go");
      await conn.closed();
      assert.ok(!conn.segments.join("").includes("\r\n.\r\n"));
    });
    const { transport } = create(t, { hosts: at(peer.port) });
    const recipients = people("a");
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), ["failed 550 5.1.1 no"]);
  });

  test("an answer too many ends the connection and takes nothing back", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await takeEnvelope(conn, ["250 a"]);
      conn.send("250 2.0.0 a is in", "250 2.0.0 and who else");
      await conn.closed();
    });
    const { transport } = create(t, { hosts: at(peer.port) });
    const recipients = people("a");
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), ["delivered 250 2.0.0 a is in"]);
  });

  test("a large message that is refused before its end is refused for everybody", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 sender", "250 a", "250 b", "354 go");
      await conn.readUntil("\r\n");
      conn.send("552 5.3.4 too big");
      await conn.closed();
    });
    const { transport } = create(t, { hosts: at(peer.port) });
    const recipients = people("a", "b");
    const body = streamedBody(Buffer.alloc(32 * 2 ** 20, `${"x".repeat(70)}\r\n`), 65_536);
    const outcomes = await transport.deliver(batch(recipients, { body }), never());
    assert.deepEqual(told(outcomes, recipients), [
      "failed 552 5.3.4 too big",
      "failed 552 5.3.4 too big",
    ]);
  });

  test("a server that knows only HELO is none", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      conn.send("220 smtp.test ESMTP");
      assert.match(await conn.readLine(), /^LHLO /);
      conn.send("500 5.5.1 what?");
      await conn.closed();
    });
    const { transport } = create(t, { hosts: at(peer.port) });
    const recipients = people("a");
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), ["deferred host 451 4.5.1 500 5.5.1 what?"]);
  });

  test("recipients of several domains share a transaction, and one mailbox gets one message", async (t) => {
    await using server = await startServer();
    const { transport } = create(t, { hosts: at(server.port) });
    const bob = recipient("bob@example.com");
    const again = recipient("bob@example.com", { id: "by way of an alias" });
    const carol = recipient("carol@example.net");
    assert.equal(transport.batchKey(bob), transport.batchKey(carol));
    const recipients = [bob, again, carol];
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), Array(3).fill("delivered 250 2.0.0 taken"));
    assert.deepEqual(server.attempted, ["bob@example.com", "carol@example.net"]);
    assert.deepEqual(server.messages[0]?.raw, MESSAGE);
  });
});

describe("lmtp transport, on a Unix socket", () => {
  test("delivers there, before mail goes out, and says so in a dry run", async (t) => {
    await using server = await startServer();
    const socket = await socketTo(t, server.port);
    const { transport } = create(t, { socket });
    assert.equal(transport.locality, "local");
    assert.equal(transport.destination?.(recipient("bob@example.com")), socket);
    for (const round of [1, 2]) {
      const [outcome] = (await transport.deliver(batch(people("bob")), never())).values();
      assert.equal(outcome?.kind, "delivered");
      assert.deepEqual(outcome.place, { kind: "socket", path: socket });
      assert.equal(server.messages.length, round);
    }
    assert.equal(server.connections, 1);
  });

  test("delivers there what requires TLS on its way: this is its end", async (t) => {
    await using server = await startServer();
    const { transport } = create(t, { socket: await socketTo(t, server.port) });
    const recipients = people("bob");
    const given = batch(recipients, { envelope: envelope({ requireTls: true }) });
    const outcomes = await transport.deliver(given, never());
    assert.deepEqual(told(outcomes, recipients), ["delivered 250 2.0.0 taken"]);
    assert.equal(server.messages[0]?.requireTls, false);
  });

  test("uses it whatever hosts a router gives", async (t) => {
    await using server = await startServer();
    const { transport } = create(t, { socket: await socketTo(t, server.port) });
    const hosts = [{ name: "192.0.2.1", addresses: ["192.0.2.1"] }];
    const recipients = people("bob");
    const outcomes = await transport.deliver(batch(recipients, { hosts }), never());
    assert.deepEqual(told(outcomes, recipients), ["delivered 250 2.0.0 taken"]);
  });

  test("defers while the socket is not there, without a look into the DNS", async (t) => {
    const { transport } = create(t, { socket: "/nonexistent/lmtp" });
    const recipients = people("bob");
    assert.deepEqual(told(await transport.deliver(batch(recipients), never()), recipients), [
      "deferred host 451 4.4.1 cannot connect: there is no such socket",
    ]);
  });

  test("a damaged body reaches nobody", async (t) => {
    await using server = await startServer();
    const { transport, log } = create(t, { socket: await socketTo(t, server.port) });
    const recipients = people("bob");
    const outcomes = await transport.deliver(batch(recipients, { body: damagedBody() }), never());
    assert.match(told(outcomes, recipients).join(""), /^deferred message 451 4\.3\.0 /);
    assert.equal(log.named("relay.error").length, 1);
    assert.deepEqual(server.messages, []);
  });
});

test("lmtp transport: a copy that the server is slow to answer for is delivered once, and the mail does not wait", async (t) => {
  const ended = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await using server = await scriptedServer(async (conn) => {
    await takeEnvelope(conn, ["250 bob"]);
    ended.resolve();
    await answer.promise;
    conn.send("250 2.0.0 bob has it");
    await conn.readLine();
  });
  const clock = manualClock();
  const log = recordingLog();
  const socket = await socketTo(t, server.port);
  const copies = createWith(t, lmtp, { socket }, { clock, log });
  const status = { code: 250, enhanced: "2.0.0", text: "gone on" };
  const mail: Transport = {
    locality: "remote",
    batchKey: () => "",
    deliver: async ({ recipients }) =>
      new Map(recipients.map(({ id }) => [id, { kind: "delivered", status }])),
  };
  const bob = recipient("bob@example.com");
  const of = { ...bob, position: 0, router: "r" };
  const known: string[] = [];
  const onMail = Promise.withResolvers<void>();
  const done = deliver(
    batch([]),
    [
      { ...of, transport: "copies", unseen: true },
      { ...of, transport: "mail", unseen: false },
    ],
    { fresh: true, force: false },
    {
      transports: new Map([
        ["copies", copies],
        ["mail", mail],
      ]),
      clock,
      log,
      signal: never(),
    },
    ({ transport }, { kind, status: { text } }) => {
      known.push(`${transport}: ${kind} ${text}`);
      if (transport === "mail") onMail.resolve();
    },
  );
  await ended.promise;
  clock.advance(60_000);
  await onMail.promise;
  answer.resolve();
  await done;
  assert.deepEqual(known, ["mail: delivered gone on", "copies: delivered bob has it"]);
});

test("lmtp transport: a socket and hosts together are a problem; hosts are remote, at port 24", (t) => {
  assert.deepEqual(problemsOf(lmtp, { socket: "/run/lmtp", hosts: "mail.example.com" }), [
    "hosts: cannot be used with socket",
  ]);
  assert.equal(readOptions(lmtp, {}).port, 24);
  assert.equal(create(t, { hosts: "mail.example.com" }).transport.locality, "remote");
});

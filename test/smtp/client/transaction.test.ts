import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PassingBody } from "../../../src/deliver/cut-through/passing-body.ts";
import { streamedBody, damagedBody } from "../../support/build.ts";
import { greet, scriptedServer, startSink, type ScriptedConnection } from "../../support/sink.ts";
import { line, message, never, open, to } from "./conversation.ts";
import { TEXT } from "./transacting.ts";

/** Reads the pipelined envelope and answers it. */
async function envelopeReplies(peer: ScriptedConnection, ...replies: readonly string[]) {
  const envelope = await peer.readUntil("DATA\r\n");
  peer.send(...replies);
  return envelope;
}

describe("transaction", () => {
  test("with PIPELINING the envelope is one write and the message another", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await envelopeReplies(conn, "250 a", "250 b", "250 c", "354 go");
      assert.equal(await conn.readUntil("\r\n.\r\n"), "Subject: x\r\n\r\n..dot\r\n.\r\n");
      conn.send("250 2.6.0 queued as 42");
      await conn.closed();
      assert.deepEqual(conn.segments.slice(1, 3), [
        "MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.com>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\n",
        "Subject: x\r\n\r\n..dot\r\n.\r\n",
      ]);
    });
    const conversation = await open(peer.port);
    const sent = message(TEXT, to("bob@example.com", "eve@example.com"));
    const result = await conversation.transact(sent, never());
    assert.deepEqual(result.recipients.map(line), ["250 2.0.0 b", "250 2.0.0 c"]);
    assert.equal(line(result.message), "250 2.6.0 queued as 42");
    assert.equal(result.failure, undefined);
    await conversation.close();
  });

  test("without PIPELINING each command waits for the reply to the one before", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["SIZE"]);
      for (const reply of ["250 a", "250 b", "550 5.1.1 c", "354 go"]) {
        await conn.readLine();
        conn.send(reply);
      }
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 ok");
      await conn.closed();
      assert.deepEqual(conn.segments.slice(1, 5), [
        "MAIL FROM:<alice@example.org> SIZE=20\r\n",
        "RCPT TO:<bob@example.com>\r\n",
        "RCPT TO:<eve@example.com>\r\n",
        "DATA\r\n",
      ]);
    });
    const conversation = await open(peer.port);
    const sent = message(TEXT, to("bob@example.com", "eve@example.com"));
    const result = await conversation.transact(sent, never());
    assert.deepEqual(result.recipients.map(line), ["250 2.0.0 b", "550 5.1.1 c"]);
    assert.equal(line(result.message), "250 2.0.0 ok");
    await conversation.close();
  });

  test("a null sender is <>", async () => {
    await using sink = await startSink();
    const conversation = await open(sink.port);
    await conversation.transact(message(TEXT, undefined, { sender: null }), never());
    assert.equal(sink.messages[0]?.sender, "");
    await conversation.close();
  });

  test("every recipient keeps its own answer", async () => {
    await using sink = await startSink();
    const conversation = await open(sink.port);
    const names = ["bob", "tempfail", "permfail", "carol"].map((name) => `${name}@example.com`);
    const result = await conversation.transact(message(TEXT, to(...names)), never());
    assert.deepEqual(
      result.recipients.map((status) => status?.code),
      [250, 451, 550, 250],
    );
    assert.equal(result.message?.code, 250);
    assert.deepEqual(sink.messages[0]?.recipients, ["bob@example.com", "carol@example.com"]);
    await conversation.close();
  });

  test("bytes arrive as they were, from memory and in pieces of every size", async () => {
    await using sink = await startSink();
    const conversation = await open(sink.port);
    const bytes = Buffer.from("A: b\r\n\r\n.\r\n..\r\n.\r\nx.\r\n\r\n.y\r\n");
    const first = message(bytes);
    await conversation.transact(first, never());
    for (let size = 1; size <= bytes.length; size++) {
      await conversation.transact({ ...first, body: streamedBody(bytes, size) }, never());
    }
    assert.equal(sink.messages.length, bytes.length + 1);
    for (const received of sink.messages) assert.deepEqual(received.raw, bytes);
    assert.equal(sink.connections, 1);
    await conversation.close();
  });

  test("a large message is streamed whole past a slow reader", async () => {
    await using sink = await startSink();
    const conversation = await open(sink.port);
    const bytes = Buffer.alloc(4 << 20, "0123456789\r\n.345678\r\n");
    const result = await conversation.transact(
      { ...message(""), body: streamedBody(bytes, 65_536) },
      never(),
    );
    assert.equal(result.message?.code, 250);
    assert.ok(sink.messages[0]?.raw.subarray(0, bytes.length).equals(bytes));
    await conversation.close();
  });

  test("a message to nobody is ended with a dot, and the next one starts with RSET", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await envelopeReplies(conn, "250 a", "550 5.1.1 no", "354 go");
      assert.equal(await conn.readLine(), ".");
      conn.send("554 no valid recipients");
      assert.equal(await conn.readLine(), "RSET");
      conn.send("250 reset");
      await envelopeReplies(conn, "250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 ok");
      await conn.closed();
    });
    const conversation = await open(peer.port);
    const first = await conversation.transact(message(TEXT), never());
    assert.deepEqual(first.recipients.map(line), ["550 5.1.1 no"]);
    assert.equal(first.message, undefined);
    const second = await conversation.transact(message(TEXT), never());
    assert.equal(second.message?.code, 250);
    await conversation.close();
  });

  test("a recipient's answer survives a peer that hangs on the empty message", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await envelopeReplies(conn, "250 a", "550 5.1.1 no", "354 go");
      await conn.readLine();
    });
    const result = await (await open(peer.port)).transact(message(TEXT), never());
    assert.deepEqual(result.recipients.map(line), ["550 5.1.1 no"]);
    assert.equal(result.failure?.scope, "host");
  });

  for (const pipelining of [true, false]) {
    const how = pipelining ? "pipelined" : "one by one";
    test(`a refused MAIL answers for everybody, ${how}`, async () => {
      await using peer = await scriptedServer(async (conn) => {
        await greet(conn, pipelining ? ["PIPELINING"] : ["SIZE"]);
        await conn.readLine();
        conn.send("550 5.7.1 not you");
        if (pipelining) {
          await conn.readUntil("DATA\r\n");
          conn.send("503 no sender", "503 no sender");
        }
        await conn.closed();
      });
      const conversation = await open(peer.port);
      const result = await conversation.transact(message(TEXT), never());
      assert.equal(line(result.message), "550 5.7.1 not you");
      assert.deepEqual(result.recipients, [undefined]);
      await conversation.close();
    });
  }

  test("a refused MAIL counts even if the connection is lost right after", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await envelopeReplies(conn, "550 5.7.1 not you");
    });
    const result = await (await open(peer.port)).transact(message(TEXT), never());
    assert.equal(line(result.message), "550 5.7.1 not you");
  });

  test("a refused DATA answers for those who were accepted", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await envelopeReplies(conn, "250 a", "250 b", "550 5.1.1 c", "451 4.3.0 not now");
      await conn.closed();
    });
    const conversation = await open(peer.port);
    const sent = message(TEXT, to("bob@example.com", "eve@example.com"));
    const result = await conversation.transact(sent, never());
    assert.deepEqual(result.recipients.map(line), ["250 2.0.0 b", "550 5.1.1 c"]);
    assert.equal(line(result.message), "451 4.3.0 not now");
    await conversation.close();
  });

  test("a damaged body is never ended with a dot, and is about the message", async () => {
    let seen = "";
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING", "8BITMIME"]);
      await envelopeReplies(conn, "250 a", "250 b", "354 go");
      await conn.closed();
      seen = conn.segments.slice(2).join("");
    });
    const conversation = await open(peer.port);
    const damaged = { ...message(""), body: damagedBody() };
    const result = await conversation.transact(damaged, never());
    assert.equal(result.failure?.scope, "message");
    assert.match(String(result.failure?.cause), /checksum/);
    assert.equal(conversation.alive, false);
    assert.doesNotMatch(seen, /^\.\r\n/m);
  });

  test("a refusal in the middle of a streamed message is its answer", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING", "8BITMIME"]);
      await envelopeReplies(conn, "250 a", "250 b", "354 go");
      await conn.readUntil("x".repeat(1000));
      conn.send("552 5.3.4 enough");
      await conn.closed();
    });
    const conversation = await open(peer.port);
    const { promise, resolve } = Promise.withResolvers<void>();
    const endless = {
      size: 1,
      async *chunks() {
        for (let sent = 0; sent < 5000; sent++) {
          yield Buffer.alloc(65_536, "x");
          if (!conversation.alive) resolve();
        }
        await promise;
      },
    };
    const result = await conversation.transact({ ...message(""), body: endless }, never());
    assert.equal(line(result.message), "552 5.3.4 enough");
    assert.equal(conversation.alive, false);
  });

  test("a refusal in the middle of a large message in memory is its answer, and nothing more is sent", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING", "8BITMIME"]);
      await envelopeReplies(conn, "250 a", "250 b", "354 go");
      await conn.readUntil("x".repeat(1000));
      conn.socket.pause();
      conn.send("552 5.3.4 enough");
    });
    const conversation = await open(peer.port);
    const result = await conversation.transact(message(Buffer.alloc(32 << 20, "x")), never());
    assert.equal(line(result.message), "552 5.3.4 enough");
    assert.equal(conversation.alive, false);
  });

  test("a message that is taken before its end is not taken", async () => {
    const { promise: said, resolve: say } = Promise.withResolvers<void>();
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING", "8BITMIME"]);
      await envelopeReplies(conn, "250 a", "250 b", "354 go");
      await conn.readUntil("half");
      conn.socket.write("250 taken\r\n", () => say());
      await conn.closed();
    });
    const conversation = await open(peer.port);
    const coming = {
      size: 0,
      async *chunks() {
        yield Buffer.from("half");
        await said;
        // Turns of the event loop in which the reply is read.
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      },
    };
    const result = await conversation.transact({ ...message(""), body: coming }, never());
    assert.equal(result.message, undefined);
    assert.equal(result.failure?.status.code, 451);
    assert.equal(conversation.alive, false);
  });
});

describe("a message that is still coming in", () => {
  const GO = ["250 a", "250 b", "354 go"];
  const inTheMiddle = (...reply: readonly string[]) => {
    return async (conn: ScriptedConnection) => {
      await envelopeReplies(conn, ...GO);
      await conn.readUntil("half");
      if (reply.length > 0) conn.send(...reply);
    };
  };
  const atTheEnd = (...reply: readonly string[]) => {
    return async (conn: ScriptedConnection) => {
      await envelopeReplies(conn, ...GO);
      await conn.readUntil("\r\n.\r\n");
      if (reply.length > 0) conn.send(...reply);
    };
  };
  const cases = [
    ["is not passed on by a peer that goes away", inTheMiddle(), true],
    ["is not passed on by a peer that says 421", inTheMiddle("421 4.4.2 timeout"), true],
    ["is not passed on by a peer that refuses it for now", inTheMiddle("451 4.3.0 no time"), true],
    ["is not passed on by a peer that answers the end with 421", atTheEnd("421 4.3.2 bye"), true],
    ["may have been passed on by a peer that goes away after its end", atTheEnd(), false],
    ["is a message like others for who refuses it at its end", atTheEnd("451 4.7.1 later"), false],
    ["is a message like others for who takes it", atTheEnd("250 ok"), false],
    [
      "is a message like others for who refuses the sender",
      (conn: ScriptedConnection) =>
        envelopeReplies(conn, "451 4.7.1 greylisted", "503 5.5.1 no", "503 5.5.1 no"),
      false,
    ],
    [
      "is a message like others for who goes away before it",
      (conn: ScriptedConnection) => conn.readUntil("DATA\r\n"),
      false,
    ],
  ] as const;
  for (const [what, script, expected] of cases) {
    test(what, async () => {
      await using peer = await scriptedServer(async (conn) => {
        await greet(conn, ["PIPELINING"]);
        await script(conn);
      });
      const conversation = await open(peer.port);
      const body = new PassingBody(0);
      void body.write(Buffer.from("Subject: x\r\n\r\nhalf\r\n"));
      if (what.includes("end") || what.includes("like others")) body.complete();
      const sent = conversation.transact({ ...message(""), body }, never());
      const feeding = setInterval(() => void body.write(Buffer.from("more\r\n")), 5);
      const { notPassed, message: answer, failure } = await sent;
      clearInterval(feeding);
      assert.deepEqual(
        [notPassed, line(answer ?? failure?.status)?.at(0)],
        [expected, what.endsWith("takes it") ? "2" : "4"],
      );
      await conversation.close();
    });
  }

  test("must be whole for a peer that lacks what it asks for, and to be sent once more", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING"]);
      await conn.closed();
    });
    const conversation = await open(peer.port);
    const coming = new PassingBody(0);
    for (const asked of [{ eightBit: true }, { smtputf8: true }]) {
      const asking = {
        ...message("", undefined, asked),
        body: coming,
        eightBit: "bounce",
      } as const;
      const result = await conversation.transact(asking, never());
      assert.deepEqual([result.message?.code, result.notPassed], [451, true]);
    }
    coming.complete();
    await Array.fromAsync(coming.chunks());
    const again = await conversation.transact({ ...message(""), body: coming }, never());
    assert.deepEqual([again.message?.code, again.notPassed, again.answered], [451, true, false]);
    await conversation.close();
  });
});

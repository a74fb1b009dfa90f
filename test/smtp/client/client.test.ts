import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { connect } from "../../../src/smtp/client/client.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { manualClock } from "../../support/clock.ts";
import { damagedBody } from "../../support/build.ts";
import { testCertificate } from "../../support/certificates.ts";
import { greet, scriptedServer, startSink } from "../../support/sink.ts";
import { dial, line, message, never, open, refused, to } from "./conversation.ts";

const TEXT = "Subject: x\r\n\r\nhello\r\n";

describe("connecting", () => {
  test("a refused connection is said to be one", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await refused(address.port), "451 4.4.1 cannot connect: connection refused");
  });

  test("a greeting of 5xx is temporary, and keeps its text", async () => {
    await using peer = await scriptedServer(async (conn) => {
      conn.send("554-5.7.1 no", "554 5.7.1 thanks");
      await conn.closed();
    });
    assert.equal(await refused(peer.port), "451 4.7.1 554 5.7.1 no thanks");
  });

  test("says HELO only when EHLO is refused with 5xx", async () => {
    const seen: string[] = [];
    await using peer = await scriptedServer(async (conn, ordinal) => {
      conn.send("220 old.test");
      seen.push(await conn.readLine());
      conn.send(ordinal === 1 ? "502 what?" : "451 later");
      seen.push(await conn.readLine());
      conn.send("250 hello");
      await conn.closed();
    });
    const conversation = await open(peer.port);
    assert.equal(await refused(peer.port), "451 4.0.0 later");
    assert.deepEqual(seen, [
      "EHLO relay.example.com",
      "HELO relay.example.com",
      "EHLO relay.example.com",
    ]);
    await conversation.close();
  });

  const hostile: Readonly<Record<string, readonly [bytes: string, expected: RegExp]>> = {
    "a web server": [
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      /^451 4\.5\.0 protocol error in reply to the greeting/,
    ],
    "a line without an end": ["2".repeat(5000), /^451 4\.5\.0 protocol error/],
    "lines without an end": ["220-x\r\n".repeat(200), /^451 4\.5\.0 protocol error/],
    "talk that nobody asked for": [
      "220 hi\r\n250 yes\r\n250 yes\r\n",
      /^451 4\.5\.0 protocol error: a reply to no command/,
    ],
    "354 for a greeting": [
      "354 go\r\n",
      /^451 4\.5\.0 protocol error: unexpected reply to the greeting/,
    ],
    "421": ["421 4.3.2 busy\r\n", /^421 4\.3\.2 busy$/],
    silence: ["", /^451 4\.4\.2 lost connection in the greeting$/],
  };
  for (const [what, [bytes, expected]] of Object.entries(hostile)) {
    test(`${what} is a failure of the host`, async () => {
      await using peer = await scriptedServer(async (conn) => {
        conn.raw(bytes);
        if (bytes !== "") await conn.closed();
      });
      assert.match(await refused(peer.port), expected);
    });
  }

  test("gives up when it is told to, before and during the connection", async () => {
    await using peer = await scriptedServer((conn) => conn.closed());
    const controller = new AbortController();
    const timeouts = { connect: 60_000, command: 60_000, data: 60_000, final: 60_000 };
    const options = {
      address: "127.0.0.1",
      port: peer.port,
      name: "mx.example.com",
      helo: "relay.example.com",
      protocol: "smtp",
      tls: "none",
      tryClear: true,
      timeouts,
      clock: systemClock,
    } as const;
    const attempt = connect(options, controller.signal);
    setImmediate(() => controller.abort());
    for (const result of [await attempt, await connect(options, AbortSignal.abort())]) {
      assert.ok(result.kind === "failed");
      assert.equal(line(result.status), "451 4.4.7 The attempt took too long and was given up");
    }
  });
});

describe("deadlines", () => {
  const hour = 3_600_000;

  test("each wait has its own, which a drip of bytes does not extend", async () => {
    const clock = manualClock();
    const { promise: dripped, resolve } = Promise.withResolvers<void>();
    await using peer = await scriptedServer(async (conn) => {
      conn.raw("220-a\r\n");
      resolve();
      await conn.closed();
    });
    const timeouts = { connect: hour, command: 1000, data: hour, final: hour };
    const attempt = refused(peer.port, { clock, timeouts });
    await dripped;
    while (clock.pending === 0) await new Promise((turn) => setImmediate(turn));
    for (let time = 0; time <= hour + 1000; time += 500) {
      clock.advance(500);
      await new Promise((turn) => setImmediate(turn));
    }
    assert.equal(await attempt, "451 4.4.2 timed out in the greeting");
    assert.equal(clock.pending, 0, "no timer is left");
  });

  test("many transactions move one timer", async () => {
    const clock = manualClock();
    let timers = 0;
    const counting = {
      ...clock,
      after: (delay: number, callback: () => void) => {
        timers++;
        return clock.after(delay, callback);
      },
    };
    await using sink = await startSink();
    const timeouts = { connect: 1000, command: 1000, data: 1000, final: 2000 };
    const conversation = await open(sink.port, { clock: counting, timeouts });
    for (let count = 0; count < 20; count++) await conversation.transact(message(TEXT), never());
    assert.equal(timers, 1);
    await conversation.close();
    assert.equal(clock.pending, 0, "no timer is left");
  });

  test("a peer that never answers the message: the message's trouble, not the host's", async () => {
    const clock = manualClock();
    const { promise: sent, resolve } = Promise.withResolvers<void>();
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      resolve();
      await conn.closed();
    });
    const conversation = await open(peer.port, { clock });
    const attempt = conversation.transact(message(TEXT), never());
    await sent;
    clock.advance(120_000);
    const { failure } = await attempt;
    assert.equal(line(failure?.status), "451 4.4.2 timed out in the end of the message");
    assert.equal(failure?.scope, "message");
  });
});

describe("a connection that ends", () => {
  const states = ["MAIL FROM", "RCPT TO", "DATA"];
  for (const [index, state] of states.entries()) {
    const ending = (...last: readonly string[]) =>
      scriptedServer(async (conn) => {
        await greet(conn);
        await conn.readUntil("DATA\r\n");
        conn.send(...["250 a", "250 b"].slice(0, index), ...last);
      });

    test(`silence at ${state} is the host's trouble`, async () => {
      await using peer = await ending();
      const result = await (await open(peer.port)).transact(message(TEXT), never());
      assert.equal(result.failure?.scope, "host");
      assert.equal(result.failure.recipient, state === "RCPT TO" ? 0 : undefined);
      assert.equal(result.answered, index > 0);
      assert.equal(result.message, undefined);
      assert.equal(line(result.failure.status), `451 4.4.2 lost connection in ${state}`);
    });

    const whose = state === "RCPT TO" ? "the recipient's" : "the message's";
    for (const [last, said] of [
      [["421 4.3.2 closing"], "421 4.3.2 closing"],
      [["451-4.3.0 not", "421 4.3.2 closing"], "421 4.3.2 not closing"],
      [["250-2.1.0 yes", "550 5.1.1 no"], /^451 4\.5\.0 .*"550 5\.1\.1 no"$/],
    ] as const) {
      test(`${last.join("|")} at ${state} is ${whose}, and ends the connection`, async () => {
        await using peer = await ending(...last);
        const conversation = await open(peer.port);
        const result = await conversation.transact(message(TEXT), never());
        assert.deepEqual([result.failure, result.closed], [undefined, true]);
        assert.equal(conversation.alive, false);
        const [answer] = result.recipients;
        const text = line(whose === "the recipient's" ? answer : result.message) ?? "";
        if (typeof said === "string") assert.equal(text, said);
        else assert.match(text, said);
        // It may have died of age between two messages, and then it has said nothing of this one.
        assert.equal(result.answered, index > 0);
      });
    }
  }

  test("421 after the dot is an answer: the message's", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("421 4.3.2 closing");
    });
    const result = await (await open(peer.port)).transact(message(TEXT), never());
    assert.equal(result.failure, undefined);
    assert.equal(line(result.message), "421 4.3.2 closing");
  });

  test("a connection lost after the dot is the message's trouble", async () => {
    await using sink = await startSink();
    const sent = message(TEXT, to("drop-after-dot@example.com"));
    const result = await (await open(sink.port)).transact(sent, never());
    assert.equal(result.failure?.scope, "message");
    assert.match(
      line(result.failure.status) ?? "",
      /^451 4\.4\.2 lost connection in the end of the message/,
    );
  });

  test("a connection lost in the middle of a streamed message is the host's trouble", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING", "8BITMIME"]);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("xxx");
    });
    const conversation = await open(peer.port);
    async function* chunks() {
      yield Buffer.alloc(1000, "x");
      while (conversation.alive) await new Promise((turn) => setImmediate(turn));
      yield Buffer.alloc(1000, "x");
    }
    const result = await conversation.transact(
      { ...message(""), body: { size: 2000, chunks } },
      never(),
    );
    assert.equal(result.failure?.scope, "host");
  });

  test("a server that takes a message and closes in one breath has taken it", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 taken", "421 4.3.2 closing");
    });
    const conversation = await open(peer.port);
    const result = await conversation.transact(message(TEXT), never());
    assert.equal(line(result.message), "250 2.0.0 taken");
    assert.equal(conversation.alive, false);
  });

  test("one that was given up is dead at once", async () => {
    await using sink = await startSink();
    const conversation = await open(sink.port);
    const result = await conversation.transact(message(TEXT), AbortSignal.abort());
    assert.equal(result.failure?.scope, "host");
    assert.equal(conversation.alive, false);
    assert.deepEqual(sink.messages, []);
  });
});

describe("STARTTLS", () => {
  const trusted = testCertificate().cert.toString();

  test("is used where it is offered, and EHLO is said again", async () => {
    await using sink = await startSink({ tls: true });
    const conversation = await open(sink.port, { tls: "opportunistic" });
    assert.equal(conversation.secured, true);
    await conversation.transact(message(TEXT), never());
    assert.match(sink.messages[0]?.tls ?? "", /^TLSv1\.[23]$/);
    await conversation.close();
  });

  test("is never used with tls = none", async () => {
    await using sink = await startSink({ tls: true });
    const conversation = await open(sink.port, { tls: "none" });
    assert.equal(conversation.secured, false);
    await conversation.close();
  });

  test("that is not offered: opportunistic goes on, required and verify do not", async () => {
    await using sink = await startSink();
    const conversation = await open(sink.port, { tls: "opportunistic" });
    assert.equal(conversation.secured, false);
    await conversation.close();
    for (const tls of ["required", "verify"] as const) {
      assert.equal(await refused(sink.port, { tls }), "451 4.7.4 The host does not offer TLS");
    }
  });

  test("verify wants a certificate that is trusted and names the host", async () => {
    await using sink = await startSink({ tls: true });
    const conversation = await open(sink.port, { tls: "verify", trusted });
    assert.equal(conversation.secured, true);
    await conversation.close();
    const literal = await open(sink.port, { tls: "verify", trusted, name: "127.0.0.1" });
    await literal.close();
    assert.match(await refused(sink.port, { tls: "verify" }), /^451 4\.7\.5 TLS handshake failed/);
    const other = await refused(sink.port, { tls: "verify", trusted, name: "other.example.com" });
    assert.match(other, /^451 4\.7\.5 TLS handshake failed: .*other\.example\.com/);
    const required = await open(sink.port, { tls: "required", name: "other.example.com" });
    await required.close();
  });

  test("that is refused: opportunistic goes on in the clear, unless it is to wait for better days", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["STARTTLS"]);
      await conn.readLine();
      conn.send("454 4.7.0 not now");
      await conn.closed();
    });
    const conversation = await open(peer.port, { tls: "opportunistic" });
    assert.equal(conversation.secured, false);
    await conversation.close();
    const expected = "451 4.7.4 The host refused STARTTLS: not now";
    assert.equal(await refused(peer.port, { tls: "opportunistic", tryClear: false }), expected);
    assert.equal(await refused(peer.port, { tls: "required" }), expected);
  });

  test("whose handshake fails is told apart from other failures", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["STARTTLS"]);
      await conn.readLine();
      conn.send("220 go");
      await conn.readUntil("\u0016\u0003");
      conn.raw("this is no TLS at all\r\n");
      await conn.closed();
    });
    const result = await dial(peer.port, { tls: "opportunistic" });
    assert.ok(result.kind === "failed");
    assert.equal(result.tlsFailed, true);
    assert.match(line(result.status) ?? "", /^451 4\.7\.5 TLS handshake failed/);
  });

  test("nothing that came in the clear is believed under TLS", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["STARTTLS"]);
      await conn.readLine();
      conn.raw("220 go\r\n250-injected\r\n");
      await conn.closed();
    });
    const expected = /^451 4\.5\.0 clear text in the place of the TLS handshake$/;
    assert.match(await refused(peer.port, { tls: "required" }), expected);
    await using whole = await scriptedServer(async (conn) => {
      await greet(conn, ["STARTTLS"]);
      await conn.readLine();
      conn.raw("220 go\r\n250 injected\r\n");
      await conn.closed();
    });
    assert.match(await refused(whole.port, { tls: "required" }), /^451 4\.5\.0 /);
  });

  test("a streamed message and a damaged one under TLS", async () => {
    await using sink = await startSink({ tls: true });
    const conversation = await open(sink.port, { tls: "required" });
    const fine = await conversation.transact(message(TEXT), never());
    assert.equal(fine.message?.code, 250);
    const damaged = await conversation.transact({ ...message(""), body: damagedBody() }, never());
    assert.equal(damaged.failure?.scope, "message");
    assert.equal(sink.messages.length, 1);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OURS } from "../support/certificates.ts";
import { manualClock } from "../support/clock.ts";
import { batch } from "../support/build.ts";
import { greet, scriptedServer, startSink } from "../support/sink.ts";
import { at, never, people } from "./support.ts";
import { create, send } from "./sending.ts";

describe("smtp transport, TLS", () => {
  test("required: a host without it is passed over", async (t) => {
    await using plain = await startSink();
    await using secured = await startSink({ tls: true });
    const transport = create(t, { hosts: at(plain.port, secured.port), tls: "required" });
    assert.deepEqual(await send(transport), ["delivered 250 2.0.0 taken"]);
    assert.ok(secured.messages[0]?.tls !== undefined);
    const alone = create(t, { hosts: at(plain.port), tls: "required" });
    assert.deepEqual(await send(alone), ["deferred host 451 4.7.4 The host does not offer TLS"]);
    assert.deepEqual(plain.messages, []);
  });

  test("verify: against tls_verify_certificates and the host's name", async (t) => {
    await using sink = await startSink({ tls: true });
    const table = { tls: "verify", tls_verify_certificates: OURS.certificate };
    const named = (name: string) => [{ name, port: sink.port, addresses: ["127.0.0.1"] }];
    const transport = create(t, table);
    for (const [name, kind] of [
      ["mx.example.com", "delivered"],
      ["mx.example.net", "deferred"],
    ] as const) {
      const given = batch(people("bob"), { hosts: named(name) });
      const [outcome] = (await transport.deliver(given, never())).values();
      assert.equal(outcome?.kind, kind, name);
    }
  });

  test("opportunistic: a failed handshake is tried again in the clear, once", async (t) => {
    await using peer = await scriptedServer(async (conn, ordinal) => {
      await greet(conn, ["PIPELINING", "STARTTLS"]);
      if (ordinal === 1) {
        assert.equal(await conn.readLine(), "STARTTLS");
        conn.send("220 go");
        await conn.readUntil("\u0016\u0003");
        conn.raw("this is no TLS\r\n");
      } else {
        await conn.readUntil("DATA\r\n");
        conn.send("250 a", "250 b", "354 go");
        await conn.readUntil("\r\n.\r\n");
        conn.send("250 2.0.0 ok");
      }
      await conn.closed();
    });
    const transport = create(t, { hosts: at(peer.port) });
    assert.deepEqual(await send(transport), ["delivered 250 2.0.0 ok"]);
    assert.equal(peer.connections, 2);
    await transport.close?.();
  });

  test("opportunistic: a failed handshake is remembered for ten minutes", async (t) => {
    const clock = manualClock();
    const commands: string[] = [];
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING", "STARTTLS"]);
      const command = await conn.readLine();
      commands.push(command.slice(0, 8));
      if (command === "STARTTLS") {
        conn.send("220 go");
        await conn.readUntil("\u0016\u0003");
        conn.raw("this is no TLS\r\n");
      } else {
        await conn.readUntil("DATA\r\n");
        conn.send("250 a", "250 b", "354 go");
        await conn.readUntil("\r\n.\r\n");
        conn.send("250 2.0.0 ok");
      }
      await conn.closed();
    });
    const table = { hosts: at(peer.port), connection_idle: "0s" };
    const transport = create(t, table, { clock });
    for (const expected of [["STARTTLS", "MAIL FRO"], ["MAIL FRO"]]) {
      assert.deepEqual(await send(transport), ["delivered 250 2.0.0 ok"]);
      assert.deepEqual(commands.splice(0), expected);
    }
    clock.advance(10 * 60_000);
    assert.deepEqual(await send(transport), ["delivered 250 2.0.0 ok"]);
    assert.deepEqual(commands.splice(0), ["STARTTLS", "MAIL FRO"]);
  });

  test("a failed handshake is the host's trouble where the clear is no choice", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["STARTTLS"]);
      await conn.readLine();
      conn.send("220 go");
      await conn.readUntil("\u0016\u0003");
      conn.raw("this is no TLS\r\n");
      await conn.closed();
    });
    for (const table of [{ tls: "required" }, { tls_tempfail_tryclear: false }]) {
      const before = peer.connections;
      const [line] = await send(create(t, { hosts: at(peer.port), ...table }));
      assert.match(line ?? "", /^deferred host 451 4\.7\.5 TLS handshake failed/);
      assert.equal(peer.connections, before + 1);
    }
  });
});

describe("smtp transport, connections", () => {
  test("are kept for the next message", async (t) => {
    await using sink = await startSink();
    const transport = create(t, { hosts: at(sink.port) });
    for (let count = 0; count < 10; count++) await send(transport);
    assert.equal(sink.connections, 1);
    assert.equal(sink.messages.length, 10);
  });

  test("are not kept with connection_idle = 0s, and never beyond connection_max_messages", async (t) => {
    await using sink = await startSink();
    const table = { hosts: at(sink.port) };
    const once = create(t, { ...table, connection_idle: "0s" });
    for (let count = 0; count < 2; count++) await send(once);
    assert.equal(sink.connections, 2);
    const thrice = create(t, { ...table, connection_max_messages: 3, max_rcpt: 1 });
    await send(thrice, people("a", "b"));
    await send(thrice, people("a", "b"));
    assert.deepEqual(
      sink.messages.slice(2).map(({ connection }) => connection),
      [3, 3, 3, 4],
    );
  });

  test("that died while they lay idle are replaced, which is no failure", async (t) => {
    await using peer = await scriptedServer(async (conn, ordinal) => {
      await greet(conn);
      for (;;) {
        await conn.readUntil("DATA\r\n");
        conn.send("250 a", "250 b", "354 go");
        await conn.readUntil("\r\n.\r\n");
        conn.send(`250 2.0.0 on ${ordinal}`);
        if (ordinal > 2) continue;
        // Too late for the client to have seen it go: it hears of it only when it speaks.
        await conn.readUntil("MAIL");
        if (ordinal === 2) conn.send("421 4.4.2 timed out");
        return;
      }
    });
    const transport = create(t, { hosts: at(peer.port) });
    for (const ordinal of [1, 2, 3]) {
      assert.deepEqual(await send(transport), [`delivered 250 2.0.0 on ${ordinal}`]);
    }
    await transport.close?.();
  });

  test("that the peer closes are forgotten, and the idle time ends with QUIT", async (t) => {
    const clock = manualClock();
    const said: string[] = [];
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 2.0.0 ok");
      said.push(await conn.readLine());
      conn.send("221 bye");
    });
    const transport = create(t, { hosts: at(peer.port) }, { clock });
    await send(transport);
    clock.advance(6000);
    while (said.length === 0) await new Promise((turn) => setImmediate(turn));
    assert.deepEqual(said, ["QUIT"]);
    await send(transport);
    assert.equal(peer.connections, 2);
    await transport.close?.();
    assert.deepEqual(said, ["QUIT", "QUIT"]);
  });

  test("no more than connections_max at a time; the others wait in line", async (t) => {
    let now = 0;
    let most = 0;
    const order: string[] = [];
    await using peer = await scriptedServer(async (conn) => {
      now++;
      most = Math.max(most, now);
      await greet(conn);
      for (let count = 0; count < 50; count++) {
        const envelope = await conn.readUntil("DATA\r\n").catch(() => "");
        if (envelope === "" || envelope.startsWith("QUIT")) break;
        order.push(/RCPT TO:<(\w+)/.exec(envelope)?.[1] ?? "");
        conn.send("250 a", "250 b", "354 go");
        await conn.readUntil("\r\n.\r\n");
        conn.send("250 2.0.0 ok");
      }
      now--;
    });
    const transport = create(t, { hosts: at(peer.port), connections_max: 2 });
    const names = Array.from({ length: 12 }, (_, index) => `r${index}`);
    await Promise.all(names.map((name) => send(transport, people(name))));
    assert.equal(most, 2);
    assert.equal(peer.connections, 2);
    assert.deepEqual(order, names);
    await transport.close?.();
  });

  test("who waits in line leaves it when told to give up", async (t) => {
    await using peer = await scriptedServer((conn) => conn.closed());
    const transport = create(t, { hosts: at(peer.port), connections_max: 1 });
    const holding = new AbortController();
    const first = send(transport, people("a"), holding.signal);
    const waiting = new AbortController();
    const second = send(transport, people("b"), waiting.signal);
    setImmediate(() => waiting.abort());
    assert.match(
      (await second)[0] ?? "",
      /^deferred message 451 4\.4\.5 Waits for a connection to 127\.0\.0\.1 .*: all are in use$/,
    );
    holding.abort();
    assert.match((await first)[0] ?? "", /^deferred host 451 4\.4\.7 /);
  });

  test("a line is not served by a host that failed, but sent away", async (t) => {
    await using peer = await scriptedServer(async () => undefined);
    const transport = create(t, { hosts: at(peer.port), connections_max: 1 });
    const lines = await Promise.all([send(transport), send(transport)]);
    for (const [line] of lines) {
      assert.match(
        line ?? "",
        /^deferred host 451 4\.4\.2 (?:Waits for .*: )?lost connection in the greeting/,
      );
    }
    assert.equal(peer.connections, 1);
  });

  test("after close there are none", async (t) => {
    await using sink = await startSink();
    const transport = create(t, { hosts: at(sink.port) });
    await send(transport);
    await transport.close?.();
    assert.match((await send(transport))[0] ?? "", /^deferred message /);
    assert.equal(sink.connections, 1);
  });

  test("say EHLO with the relay's own name, or with helo", async (t) => {
    await using sink = await startSink();
    await send(create(t, { hosts: at(sink.port) }));
    await send(create(t, { hosts: at(sink.port), helo: "other.example.com" }));
    assert.deepEqual(
      sink.messages.map(({ helo }) => helo),
      ["mx.example.com", "other.example.com"],
    );
  });

  test("come from the interface of the target's family", async (t) => {
    const from: (string | undefined)[] = [];
    await using peer = await scriptedServer(async (conn) => {
      from.push(conn.socket.remoteAddress);
    });
    await send(create(t, { hosts: at(peer.port), interface: ["::1", "127.0.0.3"] }));
    assert.deepEqual(from, ["127.0.0.3"]);
  });
});

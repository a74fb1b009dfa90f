import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { placeText } from "../../src/mail/place.ts";
import { systemClock } from "../../src/base/clock.ts";
import { smtp } from "../../transports/smtp.ts";
import { problemsOf, readOptions } from "../conformance/driver.ts";
import { testTransport } from "../conformance/transport.ts";
import { manualClock } from "../support/clock.ts";
import { batch, damagedBody, MESSAGE, recipient } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import { greet, scriptedServer, startSink, type ScriptedConnection } from "../support/sink.ts";
import { at, never, people, told } from "./support.ts";
import { create, send } from "./sending.ts";

testTransport(smtp, {
  async setup(t) {
    const sink = await startSink();
    t.after(() => sink.close());
    return { table: { hosts: at(sink.port) }, services: { clock: systemClock } };
  },
});

describe("smtp transport, options", () => {
  test("have Exim's defaults", () => {
    const { hosts_max_try, max_rcpt, connection_max_messages, ...rest } = readOptions(smtp, {});
    assert.deepEqual([hosts_max_try, max_rcpt, connection_max_messages], [5, 100, 500]);
    assert.deepEqual(
      [rest.protocol, rest.tls, rest.tls_tempfail_tryclear],
      ["smtp", "opportunistic", true],
    );
    assert.deepEqual([rest.connect_timeout, rest.command_timeout], [300_000, 300_000]);
    assert.deepEqual([rest.data_timeout, rest.final_timeout], [300_000, 600_000]);
  });

  test("say what is wrong with them", () => {
    assert.deepEqual(problemsOf(smtp, { tls: "requird", interface: "eth0", helo: "a b" }), [
      'interface: "eth0": is not an IP address',
      'helo: must be a name without spaces, not "a b"',
      'tls: must be "none" or "opportunistic" or "required" or "verify", not the text "requird", did you mean "required"?',
    ]);
  });

  test("one batch is for one domain", (t) => {
    const transport = create(t, {});
    const key = transport.batchKey(recipient("bob@example.com"));
    assert.equal(transport.batchKey(recipient("Carol@EXAMPLE.com")), key);
    assert.notEqual(transport.batchKey(recipient("bob@example.net")), key);
  });
});

describe("smtp transport, answers", () => {
  test("each recipient has its own, with the host that gave it", async (t) => {
    await using sink = await startSink();
    const transport = create(t, { hosts: at(sink.port) });
    const recipients = people("bob", "tempfail", "permfail", "quota");
    const outcomes = await transport.deliver(batch(recipients), never());
    assert.deepEqual(told(outcomes, recipients), [
      "delivered 250 2.0.0 taken",
      "deferred recipient 451 4.3.0 try again later",
      "failed 550 5.1.1 no such user here",
      "deferred recipient 452 4.2.2 mailbox full",
    ]);
    for (const { place } of outcomes.values())
      assert.equal(place && placeText(place), `127.0.0.1 [127.0.0.1]:${sink.port}`);
    assert.deepEqual(sink.messages[0]?.raw, MESSAGE);
  });

  test("about the message go to everybody whom RCPT accepted, and no other host is asked", async (t) => {
    await using sink = await startSink();
    await using other = await startSink();
    const transport = create(t, { hosts: at(sink.port, other.port) });
    assert.deepEqual(await send(transport, people("bob", "permfail", "tempfail-data")), [
      "deferred message 451 4.3.0 not now",
      "failed 550 5.1.1 no such user here",
      "deferred message 451 4.3.0 not now",
    ]);
    assert.deepEqual(await send(transport, people("bob", "permfail-data")), [
      "failed 554 5.6.0 not this",
      "failed 554 5.6.0 not this",
    ]);
    assert.equal(other.connections, 0);
  });

  test("a host that takes no more recipients gets the others in a further transaction", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      for (const [accepted, rest] of [
        [2, 2],
        [2, 0],
      ] as const) {
        await conn.readUntil("DATA\r\n");
        const full = rest > 0 ? ["452 4.5.3 too many", "452 too many"] : [];
        conn.send("250 a", ...Array.from({ length: accepted }, () => "250 b"), ...full, "354 go");
        await conn.readUntil("\r\n.\r\n");
        conn.send("250 2.0.0 ok");
      }
      await conn.closed();
      const rcpts = conn.segments.join("").match(/RCPT TO:<\w+/g);
      assert.deepEqual(
        rcpts,
        ["a", "b", "c", "d", "c", "d"].map((name) => `RCPT TO:<${name}`),
      );
    });
    const transport = create(t, { hosts: at(peer.port) });
    assert.deepEqual(
      await send(transport, people("a", "b", "c", "d")),
      Array.from({ length: 4 }, () => "delivered 250 2.0.0 ok"),
    );
    await transport.close?.();
  });

  test("a host that never takes a recipient more is not asked for ever", async (t) => {
    await using sink = await startSink();
    const transport = create(t, { hosts: at(sink.port) });
    assert.deepEqual(await send(transport, people("bob", "too-many")), [
      "delivered 250 2.0.0 taken",
      "deferred recipient 452 4.5.3 too many recipients",
    ]);
    assert.deepEqual(
      sink.attempted,
      ["bob", "too-many", "too-many"].map((x) => `${x}@example.com`),
    );
  });

  test("no more than max_rcpt recipients are in one transaction, all on one connection", async (t) => {
    await using sink = await startSink();
    const transport = create(t, { hosts: at(sink.port), max_rcpt: 3 });
    const names = Array.from({ length: 7 }, (_, index) => `r${index}`);
    const lines = await send(transport, people(...names));
    assert.deepEqual(new Set(lines), new Set(["delivered 250 2.0.0 taken"]));
    assert.deepEqual(
      sink.messages.map(({ recipients }) => recipients.length),
      [3, 3, 1],
    );
    assert.equal(sink.connections, 1);
  });

  test("a damaged body defers, is logged, and is tried at no other host", async (t) => {
    await using sink = await startSink();
    await using other = await startSink();
    const log = recordingLog();
    const transport = create(t, { hosts: at(sink.port, other.port), max_rcpt: 1 }, { log });
    const recipients = people("bob", "carol");
    const outcomes = await transport.deliver(batch(recipients, { body: damagedBody() }), never());
    for (const line of told(outcomes, recipients))
      assert.match(line, /^deferred message 451 4\.3\.0 /);
    assert.equal(log.named("relay.error").length, 1);
    assert.equal(other.connections, 0);
    assert.deepEqual(sink.messages, []);
  });
});

describe("smtp transport, hosts", () => {
  const refusing: Readonly<Record<string, (conn: ScriptedConnection) => Promise<void>>> = {
    "greets with 5xx": async (conn) => conn.send("554 5.7.1 go away"),
    "greets with 421": async (conn) => conn.send("421 busy"),
    "closes at once": async () => undefined,
    "talks rubbish": async (conn) => conn.send("who is there?"),
    "refuses EHLO and HELO": async (conn) => {
      conn.send("220 hi");
      await conn.readLine();
      conn.send("550 no");
      await conn.readLine();
      conn.send("550 no");
    },
    "says 421 to RCPT": async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "421 4.3.2 closing");
    },
    "is lost before DATA": async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b");
    },
    "says 421 after the dot": async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("421 4.3.2 closing");
    },
  };
  for (const [what, script] of Object.entries(refusing)) {
    test(`one that ${what} is passed over for the next`, async (t) => {
      await using bad = await scriptedServer(async (conn) => {
        await script(conn);
        conn.socket.end();
        await conn.closed();
      });
      await using good = await startSink();
      const transport = create(t, { hosts: at(bad.port, good.port) });
      assert.deepEqual(await send(transport), ["delivered 250 2.0.0 taken"]);
      assert.equal(bad.connections, 1);
      const alone = create(t, { hosts: at(bad.port) });
      // As in Exim: to RCPT it is the recipient's, after the dot the message's.
      const whose = /421 (?:to )?(RCPT|after the dot)/.exec(what)?.[1];
      const scope = whose === "RCPT" ? "recipient" : whose === undefined ? "host" : "message";
      assert.match((await send(alone))[0] ?? "", new RegExp(`^deferred ${scope} 4\\d\\d 4\\.`));
    });
  }

  test("a message lost after the dot is tried nowhere else", async (t) => {
    await using sink = await startSink();
    await using other = await startSink();
    const transport = create(t, { hosts: at(sink.port, other.port) });
    const [line] = await send(transport, people("drop-after-dot"));
    assert.match(
      line ?? "",
      /^deferred message 451 4\.4\.2 lost connection in the end of the message/,
    );
    assert.equal(other.connections, 0);
  });

  test("who has an answer is not taken to the next host", async (t) => {
    await using bad = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "550 5.1.1 nobody", "250 c");
    });
    await using good = await startSink();
    const transport = create(t, { hosts: at(bad.port, good.port) });
    assert.deepEqual(await send(transport, people("eve", "bob")), [
      "failed 550 5.1.1 nobody",
      "delivered 250 2.0.0 taken",
    ]);
    assert.deepEqual(good.attempted, ["bob@example.com"]);
  });

  test("come from the router when it gives some, and fall back to fallback_hosts", async (t) => {
    await using own = await startSink();
    await using given = await startSink();
    await using fallback = await startSink();
    const dead = await closedPort();
    const transport = create(t, { hosts: at(own.port), fallback_hosts: at(fallback.port) });
    const hosts = [{ name: "mx.example.com", port: given.port, addresses: ["127.0.0.1"] }];
    await transport.deliver(batch(people("bob"), { hosts }), never());
    const none = [{ name: "mx.example.com", port: dead, addresses: ["127.0.0.1"] }];
    const outcomes = await transport.deliver(batch(people("bob"), { hosts: none }), never());
    assert.deepEqual(told(outcomes, people("bob")), ["delivered 250 2.0.0 taken"]);
    assert.deepEqual(
      [own, given, fallback].map(({ connections }) => connections),
      [0, 1, 1],
    );
  });

  test("are looked up as A, then AAAA, never MX; one without an address is passed over", async (t) => {
    await using sink = await startSink();
    const asked: string[] = [];
    const found = { kind: "found", records: ["127.0.0.1"] } as const;
    const resolver = {
      mx: (name: string) => Promise.reject(new Error(`MX ${name}`)),
      a: (name: string) => {
        asked.push(name);
        return Promise.resolve(name === "mx.example.com" ? found : ({ kind: "no-data" } as const));
      },
      aaaa: () => Promise.resolve({ kind: "no-data" } as const),
      txt: (name: string) => Promise.reject(new Error(`TXT ${name}`)),
      tlsa: (name: string) => Promise.reject(new Error(`TLSA ${name}`)),
      ptr: (name: string) => Promise.reject(new Error(`PTR ${name}`)),
      close: () => Promise.resolve(),
    };
    const table = {
      hosts: ["none.example.com", "mx.example.com", "later.example.com"],
      port: sink.port,
    };
    const transport = create(t, table, { resolver });
    assert.deepEqual(await send(transport), ["delivered 250 2.0.0 taken"]);
    assert.deepEqual(asked, ["none.example.com", "mx.example.com"]);
    const none = create(t, { hosts: "none.example.com" }, { resolver });
    assert.deepEqual(await send(none), [
      "deferred host 451 4.4.4 The host none.example.com has no address",
    ]);
  });

  test("without any host the mail waits", async (t) => {
    assert.match((await send(create(t, {})))[0] ?? "", /^deferred host 451 4\.3\.5 /);
  });

  test("no more than hosts_max_try are tried", async (t) => {
    const dead = [await closedPort(), await closedPort()];
    await using good = await startSink();
    const transport = create(t, { hosts: at(...dead, good.port), hosts_max_try: 2 });
    assert.match((await send(transport))[0] ?? "", /^deferred host 451 4\.4\.1 cannot connect/);
    assert.equal(good.connections, 0);
  });

  test("one that failed is passed over until its retry time", async (t) => {
    const clock = manualClock();
    const dead = await closedPort();
    await using good = await startSink();
    const hosts = [
      { name: "first.example.com", port: dead, addresses: ["127.0.0.2"] },
      { name: "second.example.com", port: good.port, addresses: ["127.0.0.1"] },
    ];
    const transport = create(t, { hosts_max_try: 1 }, { clock });
    const attempt = async () => {
      const outcomes = await transport.deliver(batch(people("bob"), { hosts }), never());
      return told(outcomes, people("bob"))[0]?.split(" ", 1)[0];
    };
    assert.equal(await attempt(), "deferred");
    assert.equal(await attempt(), "delivered");
    clock.advance(17 * 60_000);
    assert.equal(await attempt(), "deferred");
  });

  test("hosts_randomize spreads the load", async (t) => {
    await using one = await startSink();
    await using two = await startSink();
    const transport = create(t, { hosts: at(one.port, two.port), hosts_randomize: true });
    for (let count = 0; count < 60; count++) await send(transport);
    assert.ok(one.messages.length > 5 && two.messages.length > 5);
  });
});

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  await using server = await scriptedServer(async () => undefined);
  return server.port;
}

// What one delivery learns about hosts and recipients, and what the next makes of it.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { placeText } from "../../src/mail/place.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Batch, Outcome, Recipient, Transport } from "../../src/contract/contract.ts";
import { HostHints } from "../../src/retry/hosts/hosts.ts";
import { BUILT_IN_REPLY_RULES } from "../../src/retry/reply-rules.ts";
import { type OptionTable } from "../conformance/driver.ts";
import { batch, envelope, recipient } from "../support/build.ts";
import { greet, scriptedServer, startSink } from "../support/sink.ts";
import { create } from "./sending.ts";
import { at } from "./support.ts";

const MINUTE = 60_000;
const never = new AbortController().signal;

/** A system clock that a test can put forward. */
function movableClock() {
  let ahead = 0;
  const now = () => systemClock.now() + ahead;
  const monotonic = () => systemClock.monotonic() + ahead;
  return { ...systemClock, now, monotonic, advance: (time: number) => (ahead += time) };
}

function start(t: TestContext, ...tables: readonly OptionTable[]) {
  const clock = movableClock();
  const policy = { retry: [], replies: BUILT_IN_REPLY_RULES, random: () => 0 };
  const hints = new HostHints(policy, clock);
  const transports = tables.map((table) => create(t, table, { clock, hints }));
  const [first] = transports;
  assert.ok(first);
  return { clock, hints, transport: first, transports };
}

type Deferral = Extract<Outcome, { kind: "deferred" }>;

async function outcomesOf(
  transport: Transport,
  given: Partial<Batch> = {},
  recipients: readonly Recipient[] = [recipient("bob@example.com")],
): Promise<readonly Outcome[]> {
  const outcomes = await transport.deliver(batch(recipients, given), never);
  return recipients.map(({ id }) => outcomes.get(id) ?? assert.fail(`no outcome for ${id}`));
}

async function outcomeOf(transport: Transport, given: Partial<Batch> = {}): Promise<Outcome> {
  const [outcome] = await outcomesOf(transport, given);
  return outcome ?? assert.fail();
}

async function deferralOf(transport: Transport, given: Partial<Batch> = {}): Promise<Deferral> {
  const outcome = await outcomeOf(transport, given);
  assert.ok(outcome.kind === "deferred", outcome.kind);
  return outcome;
}

/** A server that hangs up on everybody. */
const hangingUp = () => scriptedServer(() => Promise.resolve());

/** One whole transaction; `replies` are those to MAIL, RCPT, DATA and the dot. */
async function answer(
  conn: Parameters<Parameters<typeof scriptedServer>[0]>[0],
  ...replies: readonly string[]
): Promise<void> {
  await greet(conn);
  await conn.readUntil("DATA\r\n");
  conn.send(...replies.slice(0, 3));
  if (replies.length < 4) return;
  await conn.readUntil("\r\n.\r\n");
  conn.send(...replies.slice(3));
  await conn.closed();
}

describe("a host that failed", () => {
  test("is not tried for a new message, which waits with the reason and is no attempt", async (t) => {
    await using dead = await hangingUp();
    const { transport, clock } = start(t, { hosts: at(dead.port) });
    const first = await deferralOf(transport);
    assert.equal(first.untried, undefined);
    const second = await deferralOf(transport);
    assert.equal(dead.connections, 1);
    assert.equal(second.untried, true);
    assert.equal(second.scope, "host");
    const key = `127.0.0.1 [127.0.0.1]:${dead.port}`;
    assert.equal(second.status.text, `Waits for ${key}: lost connection in the greeting`);
    // The wall clock and the monotonic one are read one after the other.
    assert.ok(Math.abs((second.notBefore ?? 0) - (first.notBefore ?? 0)) <= 1);
    assert.ok((second.notBefore ?? 0) > clock.now() + 14 * MINUTE);
    const awaited = { key, host: "127.0.0.1" };
    assert.deepEqual([first.waitsFor, second.waitsFor], [awaited, awaited]);
    assert.equal(second.place && placeText(second.place), key);
  });

  test("does not keep a message from its other hosts and the fallback ones", async (t) => {
    await using dead = await hangingUp();
    await using live = await startSink();
    const { transport } = start(t, { hosts: at(dead.port), fallback_hosts: at(live.port) });
    for (let count = 0; count < 3; count++) {
      assert.equal((await outcomeOf(transport)).kind, "delivered");
    }
    assert.equal(dead.connections, 1);
  });

  test("is tried all the same by force, every time", async (t) => {
    await using dead = await hangingUp();
    const { transport } = start(t, { hosts: at(dead.port) });
    await deferralOf(transport);
    for (let count = 2; count < 4; count++) {
      assert.equal((await deferralOf(transport, { force: true })).untried, undefined);
      assert.equal(dead.connections, count);
    }
  });

  test("is tried by one when its time has come, and the others wait for that one", async (t) => {
    let hang = false;
    await using peer = await scriptedServer((conn) => (hang ? conn.closed() : Promise.resolve()));
    const { transport, clock } = start(t, { hosts: at(peer.port) });
    await deferralOf(transport);
    clock.advance(16 * MINUTE);
    hang = true;
    const giveUp = new AbortController();
    const recipients = [recipient("bob@example.com")];
    const probe = transport.deliver(batch(recipients), giveUp.signal);
    for (const outcome of await Promise.all([deferralOf(transport), deferralOf(transport)])) {
      assert.equal(outcome.untried, true);
      assert.ok((outcome.notBefore ?? 0) <= clock.now() + 3 * MINUTE);
    }
    while (peer.connections < 2) await new Promise((resolve) => setImmediate(resolve));
    giveUp.abort();
    await probe;
    assert.equal(peer.connections, 2);
  });

  test("is known again by its first success", async (t) => {
    let dead = true;
    await using peer = await scriptedServer(async (conn) => {
      if (!dead) await answer(conn, "250 a", "250 b", "354 go", "250 2.0.0 ok");
    });
    const { transport, clock, hints } = start(t, { hosts: at(peer.port) });
    await deferralOf(transport);
    clock.advance(16 * MINUTE);
    dead = false;
    assert.equal((await outcomeOf(transport)).kind, "delivered");
    assert.ok(hints.isEmpty);
    await transport.close?.();
  });

  test("for TLS may be good for a transport that does not insist on it", async (t) => {
    await using plain = await startSink();
    const hosts = at(plain.port);
    const { transports } = start(t, { hosts, tls: "required" }, { hosts });
    const [strict, other] = transports;
    assert.ok(strict && other);
    assert.equal((await deferralOf(strict)).error, "tls_required");
    assert.equal((await outcomeOf(other)).kind, "delivered");
    assert.equal((await deferralOf(strict)).untried, true);
  });

  test("is not blamed for an attempt that was given up", async (t) => {
    await using peer = await scriptedServer((conn) => conn.closed());
    const { transport, hints } = start(t, { hosts: at(peer.port) });
    const giveUp = new AbortController();
    const delivery = transport.deliver(batch([recipient("bob@example.com")]), giveUp.signal);
    setImmediate(() => giveUp.abort());
    const [outcome] = (await delivery).values();
    assert.ok(outcome?.kind === "deferred" && outcome.notBefore === undefined);
    assert.ok(hints.isEmpty);
  });
});

test("421 that answers nothing is a host's trouble", async (t) => {
  await using peer = await scriptedServer(async (conn) => {
    await greet(conn, []);
    await conn.readLine();
    conn.send("250 a", "421 4.3.2 shutting down");
    await conn.closed();
  });
  const { transport, hints } = start(t, { hosts: at(peer.port) });
  assert.equal((await outcomeOf(transport)).kind, "deferred");
  const key = `127.0.0.1 [127.0.0.1]:${peer.port}`;
  assert.equal(hints.blocked(key, "another")?.status.text, "shutting down");
});

describe("what is a host's trouble", () => {
  const cases: Record<string, { replies: readonly string[]; blocks: boolean }> = {
    "421 to MAIL": { replies: ["421 4.3.2 closing"], blocks: false },
    "421 to RCPT": { replies: ["250 a", "421 4.3.2 closing"], blocks: false },
    "421 to DATA": { replies: ["250 a", "250 b", "421 4.3.2 closing"], blocks: false },
    "421 to the message": { replies: ["250 a", "250 b", "354 c", "421 4.7.28 d"], blocks: false },
    "no answer at all to a transaction": { replies: [], blocks: true },
    "a connection lost after some answers": { replies: ["250 a", "250 b"], blocks: false },
    "451 to MAIL": { replies: ["451 a", "503 b", "503 c"], blocks: false },
    "451 to RCPT": { replies: ["250 a", "451 b", "503 c"], blocks: false },
    "451 to DATA": { replies: ["250 a", "250 b", "451 c"], blocks: false },
    "451 to the message": { replies: ["250 a", "250 b", "354 c", "451 d"], blocks: false },
  };
  for (const [what, { replies, blocks }] of Object.entries(cases)) {
    test(`${what}: ${blocks ? "yes" : "no, other mail goes there"}`, async (t) => {
      await using peer = await scriptedServer(async (conn, ordinal) => {
        if (ordinal === 1) await answer(conn, ...replies);
        else await answer(conn, "250 a", "250 b", "354 go", "250 2.0.0 ok");
      });
      const { transport, hints } = start(t, { hosts: at(peer.port), connection_idle: "0s" });
      assert.equal((await outcomeOf(transport)).kind, "deferred");
      const key = `127.0.0.1 [127.0.0.1]:${peer.port}`;
      assert.equal(hints.blocked(key, envelope().id) !== undefined, blocks);
      assert.equal(hints.blocked(key, "another"), undefined);
      assert.equal((await outcomeOf(transport)).kind, blocks ? "deferred" : "delivered");
    });
  }

  test("a connection that is lost in the middle each time is one attempt each time, no loop", async (t) => {
    await using peer = await scriptedServer((conn) => answer(conn, "250 a", "250 b"));
    const { transport } = start(t, { hosts: at(peer.port) });
    for (let count = 1; count < 4; count++) {
      const outcome = await deferralOf(transport);
      assert.deepEqual([outcome.untried, outcome.notBefore], [undefined, undefined]);
      assert.equal(peer.connections, count);
    }
  });
});

const google = (port: number) => [{ name: "aspmx.l.google.com", port, addresses: ["127.0.0.1"] }];

describe("a recipient that Google puts off", () => {
  test("450 4.2.1: the others of the message get theirs, and its next mail does not go there", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "450 4.2.1 receiving mail too quickly", "250 c", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 2.0.0 ok");
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 2.0.0 ok");
      await conn.closed();
    });
    const { transport, clock } = start(t, {});
    const both = [recipient("bob@example.com"), recipient("carol@example.com")];
    const hosts = google(peer.port);
    const [bob, carol] = await outcomesOf(transport, { hosts }, both);
    assert.equal(carol?.kind, "delivered");
    assert.ok(bob?.kind === "deferred" && bob.untried === undefined);
    const wait = (bob.notBefore ?? 0) - clock.now();
    assert.ok(wait > 4 * MINUTE && wait <= 5 * MINUTE, `${wait} ms`);
    assert.deepEqual(bob.waitsFor, { key: "bob@example.com" });
    const again = [recipient("BOB@example.com"), recipient("carol@example.com")];
    const [next, other] = await outcomesOf(transport, { hosts }, again);
    assert.ok(next?.kind === "deferred" && next.untried === true);
    assert.deepEqual([next.waitsFor, next.scope], [{ key: "bob@example.com" }, "recipient"]);
    assert.equal(other?.kind, "delivered");
    await transport.close?.();
  });

  test("452 4.2.2: its next mail is tried", async (t) => {
    await using sink = await startSink();
    const { transport } = start(t, {});
    const quota = [recipient("quota@example.com")];
    for (let count = 1; count < 3; count++) {
      const [outcome] = await outcomesOf(transport, { hosts: google(sink.port) }, quota);
      assert.ok(outcome?.kind === "deferred" && outcome.untried === undefined);
      assert.equal(sink.attempted.length, count);
    }
  });
});

describe("the pace", () => {
  test("of a recipient: what is over waits for its turn, and is not tried", async (t) => {
    await using sink = await startSink();
    const { transport, clock } = start(t, { hosts: at(sink.port), recipient_rate: "2/1m" });
    for (let count = 0; count < 2; count++) {
      const id = `m${count}`;
      assert.equal((await outcomeOf(transport, { envelope: envelope({ id }) })).kind, "delivered");
    }
    const over = await deferralOf(transport, { envelope: envelope({ id: "m2" }) });
    assert.deepEqual([over.untried, over.scope, over.waitsFor], [true, "recipient", undefined]);
    assert.ok((over.notBefore ?? 0) > clock.now() + 20_000);
    assert.equal(sink.messages.length, 2);
    clock.advance(31_000);
    const late = { envelope: envelope({ id: "m2" }), fresh: false };
    assert.equal((await outcomeOf(transport, late)).kind, "delivered");
  });

  test("of a destination: all its recipients together, and no other domain's", async (t) => {
    await using sink = await startSink();
    const { transport } = start(t, { hosts: at(sink.port), rate: "1/1m" });
    const send = async (id: string, address: string) => {
      const [outcome] = await outcomesOf(transport, { envelope: envelope({ id }) }, [
        recipient(address),
      ]);
      return outcome?.kind;
    };
    assert.equal(await send("m1", "bob@example.com"), "delivered");
    assert.equal(await send("m2", "carol@example.com"), "deferred");
    assert.equal(await send("m3", "dave@example.net"), "delivered");
  });

  test("holds by force too: the postmaster's order is not worth an account", async (t) => {
    await using sink = await startSink();
    const { transport } = start(t, { hosts: at(sink.port), recipient_rate: "1/1m" });
    const forced = { force: true, fresh: false };
    const [first, second] = [envelope({ id: "m1" }), envelope({ id: "m2" })];
    const sent = await outcomeOf(transport, { ...forced, envelope: first });
    assert.equal(sent.kind, "delivered");
    assert.equal((await deferralOf(transport, { ...forced, envelope: second })).untried, true);
  });

  test("is not used up by mail for a host that cannot be used", async (t) => {
    let dead = true;
    await using peer = await scriptedServer(async (conn) => {
      if (!dead) await answer(conn, "250 a", "250 b", "354 go", "250 2.0.0 ok");
    });
    const { transport, clock } = start(t, { hosts: at(peer.port), recipient_rate: "2/1h" });
    for (let count = 0; count < 20; count++) {
      await deferralOf(transport, { envelope: envelope({ id: `m${count}` }), fresh: false });
    }
    clock.advance(31 * MINUTE);
    dead = false;
    const outcome = await outcomeOf(transport, { envelope: envelope({ id: "m9" }), fresh: false });
    assert.equal(outcome.kind, "delivered");
    await transport.close?.();
  });
});

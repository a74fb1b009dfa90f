// What strangers' servers may cost: octets that are remembered, time that they are remembered for, questions at once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createResolver, type ResolverOptions } from "../../src/dns/create-resolver.ts";
import { QuestionRoom } from "../../src/dns/question-room.ts";
import { manualClock } from "../support/clock.ts";
import { startDns, type Zone } from "../support/dns.ts";
import { a, rawServer, reply } from "./raw-server.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

async function setUp(zone: Zone, options: Partial<ResolverOptions> = {}) {
  const dns = await startDns(zone);
  const clock = manualClock();
  const resolver = createResolver({ servers: [dns.address], clock, ...options });
  /** How often the server is asked when the resolver is asked for each of the names. */
  const questions = async (type: "mx" | "txt" | "a" | "tlsa", ...names: readonly string[]) => {
    dns.queries.splice(0);
    for (const name of names) assert.equal((await resolver[type](name)).kind, "found");
    return new Set(dns.queries).size;
  };
  return {
    clock,
    resolver,
    questions,
    async [Symbol.asyncDispose]() {
      await resolver.close();
      await dns.close();
    },
  };
}

function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

describe("an answer of a size that no mail domain needs is used and not remembered", () => {
  const cases: readonly (readonly [string, "mx" | "txt" | "a" | "tlsa", Zone])[] = [
    ["60 KB of TXT", "txt", { "x.test": { TXT: many(240, (i) => `${i}`.padEnd(250, "x")) } }],
    ["one TXT of 5000 octets", "txt", { "x.test": { TXT: [many(20, () => "x".repeat(250))] } }],
    ["200 short TXT", "txt", { "x.test": { TXT: many(200, (i) => `${i}`) } }],
    ["101 addresses", "a", { "x.test": { A: many(101, (i) => `192.0.2.${i}`) } }],
    [
      "60 MX with long names",
      "mx",
      {
        "x.test": { MX: many(60, (i) => [i, `${"m".repeat(60)}.${"n".repeat(60)}.mx${i}.test`]) },
      },
    ],
    ["TLSA of 5000 octets", "tlsa", { "x.test": { TLSA: [[3, 1, 0, "ab".repeat(5000)]] } }],
  ];
  for (const [name, type, zone] of cases) {
    test(name, async () => {
      await using t = await setUp(zone);
      const first = await t.resolver[type]("x.test");
      assert.ok(first.kind === "found");
      assert.equal(await t.questions(type, "x.test"), 1);
      assert.deepEqual(await t.resolver[type]("x.test"), first, "and whole");
    });
  }

  test("an ordinary one is remembered", async () => {
    await using t = await setUp({
      "x.test": {
        TXT: many(60, (i) => `${i}`.padEnd(60, "x")),
        A: many(100, (i) => `192.0.2.${i}`),
      },
    });
    for (const type of ["txt", "a"] as const) {
      assert.equal(await t.questions(type, "x.test", "x.test"), 1);
      assert.equal(await t.questions(type, "x.test"), 0);
    }
  });
});

test("what is remembered is bounded in octets, and what was not asked for longest goes", async () => {
  const zone: Record<`${string}.${string}`, { TXT: string[] }> = {};
  for (let index = 0; index < 10; index++) {
    zone[`d${index}.test`] = { TXT: many(16, () => "x".repeat(250)) };
  }
  await using t = await setUp(zone, { cacheOctetsMax: 50_000 });
  const names = Object.keys(zone);
  assert.equal(await t.questions("txt", ...names), 10);
  assert.equal(await t.questions("txt", ...names.slice(-4)), 0);
  assert.equal(await t.questions("txt", ...names.slice(0, 2)), 2);
});

test("no answer is remembered for more than an hour, however long its server asks for", async () => {
  const ttl = 7 * 86_400;
  let asked = 0;
  await using server = await rawServer({
    udp: (query) => {
      asked += 1;
      return [
        reply(query, [a("x.test", "192.0.2.1")], (packet) => {
          for (const answer of packet.answers) answer.ttl = ttl;
        }),
      ];
    },
  });
  const clock = manualClock();
  const resolver = createResolver({ servers: [server.address], clock });
  await resolver.a("x.test");
  clock.advance(HOUR - 1);
  await resolver.a("x.test");
  assert.equal(asked, 1);
  clock.advance(1);
  await resolver.a("x.test");
  assert.equal(asked, 2);
  await resolver.close();
});

describe("a wall clock that jumps", () => {
  for (const [name, step] of [
    ["six hours back", -6 * HOUR],
    ["a day ahead", 24 * HOUR],
  ] as const) {
    test(`${name}: a "no" holds for its minute and no longer`, async () => {
      const dns = await startDns({});
      const clock = manualClock();
      const resolver = createResolver({ servers: [dns.address], clock });
      assert.equal((await resolver.mx("new.test")).kind, "no-such-name");
      dns.set({ "new.test": { MX: [[1, "mx.test"]] } });
      clock.step(step);
      clock.advance(59 * SECOND);
      assert.equal((await resolver.mx("new.test")).kind, "no-such-name");
      clock.advance(SECOND);
      assert.equal((await resolver.mx("new.test")).kind, "found");
      await resolver.close();
      await dns.close();
    });
  }
});

describe("the room for questions", () => {
  test("more than it has wait for their turn, and all are answered", async () => {
    const zone: Record<`${string}.${string}`, { A: string[] }> = {};
    for (let index = 0; index < 50; index++) zone[`d${index}.test`] = { A: [`192.0.2.${index}`] };
    await using t = await setUp(zone, { questionsMax: 3 });
    const answers = await Promise.all(Object.keys(zone).map((name) => t.resolver.a(name)));
    assert.deepEqual(new Set(answers.map(({ kind }) => kind)), new Set(["found"]));
  });

  test("silent servers hold nobody up for longer than their fair time", async () => {
    await using t = await setUp(
      {
        fail: { "silent1.test": "timeout", "silent2.test": "timeout" },
        "good.test": { A: ["192.0.2.1"] },
      },
      { questionsMax: 2 },
    );
    const silent = ["silent1.test", "silent2.test"].map((name) => t.resolver.a(name));
    const good = t.resolver.a("good.test");
    await setImmediate();
    t.clock.advance(2 * SECOND);
    assert.equal((await good).kind, "found");
    assert.equal((await Promise.race(silent)).kind, "temporary");
  });

  test("more lookups than may wait have no answer, and those that wait have theirs", async () => {
    await using t = await setUp({ "x.test": { A: ["192.0.2.1"] } }, { askersMax: 3 });
    const answers = await Promise.all(many(5, () => t.resolver.a("x.test")));
    assert.deepEqual(
      answers.map(({ kind }) => kind),
      ["found", "found", "found", "temporary", "temporary"],
    );
    assert.equal((await t.resolver.txt("nothing.x.test")).kind, "no-such-name", "they have left");
  });

  test("one that gets no turn in time ends, and so does one that waits when the resolver is closed", async () => {
    const clock = manualClock();
    const room = new QuestionRoom(clock, 1);
    const first = await room.enter(SECOND);
    assert.ok(first !== undefined);
    const late = room.enter(SECOND);
    clock.advance(SECOND);
    assert.equal(await late, undefined);
    const waiting = room.enter(60 * SECOND);
    room.close();
    assert.equal(await waiting, undefined);
    assert.ok(first.signal.aborted);
    first.end();
    assert.equal(clock.pending, 0);
  });

  test("each that waits ends one that has had its time, and no other", async () => {
    const clock = manualClock();
    const room = new QuestionRoom(clock, 2);
    const old = await room.enter(SECOND);
    clock.advance(1500);
    const young = await room.enter(SECOND);
    const waiting = room.enter(60 * SECOND);
    clock.advance(400);
    assert.deepEqual([old?.signal.aborted, young?.signal.aborted], [false, false]);
    clock.advance(100);
    assert.deepEqual([old?.signal.aborted, young?.signal.aborted], [true, false]);
    old?.end();
    assert.ok((await waiting) !== undefined);
    clock.advance(60 * SECOND);
    assert.equal(young?.signal.aborted, false);
  });
});

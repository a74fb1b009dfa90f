// Servers that lie, mumble or say nothing. Whatever they do, the question ends, the answer is "temporary" unless a
// later message is right, and nothing throws.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Packet } from "dns2";
import { createResolver, type ResolverOptions } from "../../src/dns/create-resolver.ts";
import { systemClock } from "../../src/base/clock.ts";
import { framed, startDns } from "../support/dns.ts";
import { a, type RawBehaviour, rawServer, reply, sendFramed } from "./raw-server.ts";

const FOUND = { kind: "found", records: ["192.0.2.1"] };

function quick(servers: readonly string[], options: Partial<ResolverOptions> = {}) {
  const clock = systemClock;
  return createResolver({
    servers,
    clock,
    tryTimeout: 80,
    totalTimeout: 400,
    rounds: 1,
    ...options,
  });
}

/** What a resolver makes of one server, asked for the A records of x.test. */
async function ask(behaviour: RawBehaviour, options: Partial<ResolverOptions> = {}) {
  await using server = await rawServer(behaviour);
  const resolver = quick([server.address], options);
  const answer = await resolver.a("x.test");
  await resolver.close();
  return answer;
}

const right = (query: Buffer) => reply(query, [a("x.test", "192.0.2.1")]);

describe("a datagram that is not the answer is passed over", () => {
  const strangers: readonly (readonly [string, (query: Buffer) => Buffer])[] = [
    [
      "another id",
      (query) => reply(query, [a("x.test", "10.0.0.1")], (p) => void (p.header.id ^= 1)),
    ],
    [
      "another name",
      (query) => spoiled(query, (p) => void (p.questions = [question("y.test", Packet.TYPE.A)])),
    ],
    [
      "another type",
      (query) => spoiled(query, (p) => void (p.questions = [question("x.test", Packet.TYPE.MX)])),
    ],
    [
      "another class",
      (query) => spoiled(query, (p) => void (p.questions = [new Packet.Question("x.test", 1, 3)])),
    ],
    ["no question", (query) => spoiled(query, (p) => void (p.questions = []))],
    ["a query", (query) => query],
    ["another opcode", (query) => spoiled(query, (p) => void (p.header.opcode = 2))],
    ["nothing", () => Buffer.alloc(0)],
    ["one octet", () => Buffer.from([0])],
    ["half a header", (query) => query.subarray(0, 6)],
  ];
  for (const [name, stranger] of strangers) {
    test(name, async () => {
      assert.deepEqual(await ask({ udp: (query) => [stranger(query), right(query)] }), FOUND);
      const alone = await ask({ udp: (query) => [stranger(query)] });
      assert.equal(alone.kind, "temporary");
    });
  }

  test("but not for ever", async () => {
    const answer = await ask(
      { udp: (query) => Array<Buffer>(50).fill(query) },
      { tryTimeout: 60_000, totalTimeout: 60_000 },
    );
    assert.match(answer.kind === "temporary" ? answer.error : "", /other questions/);
  });
});

function question(name: string, type: number) {
  return new Packet.Question(name, type, Packet.CLASS.IN);
}

function spoiled(query: Buffer, change: (packet: Packet) => void): Buffer {
  return reply(query, [a("x.test", "10.0.0.1")], change);
}

describe("an answer that is not clear is temporary", () => {
  const unclear: readonly (readonly [string, (query: Buffer) => Buffer])[] = [
    ...[2, 4, 5, 6, 9, 11].map(
      (rcode) =>
        [
          `rcode ${rcode}`,
          (query: Buffer) => spoiled(query, (p) => void (p.header.rcode = rcode)),
        ] as const,
    ),
    ["format error without EDNS too", (query) => spoiled(query, (p) => void (p.header.rcode = 1))],
    ["an address of three octets", (query) => cut(right(query), 1)],
    ["a record that goes over the end", (query) => right(query).subarray(0, -2)],
    ["fewer records than announced", (query) => announced(right(query), 2)],
    ["sixty thousand records announced", (query) => announced(right(query), 60_000)],
    ["a referral", (query) => reply(query, [], (p) => void p.authorities.push(ns("test")))],
    [
      "CNAMEs in a circle",
      (query) => reply(query, [cname("x.test", "y.test"), cname("y.test", "x.test")]),
    ],
    ["a CNAME to itself", (query) => reply(query, [cname("x.test", "x.test")])],
    ["a very long chain of CNAMEs", (query) => reply(query, chain(40))],
  ];
  for (const [name, answer] of unclear) {
    test(name, async () => {
      assert.equal((await ask({ udp: (query) => [answer(query)] })).kind, "temporary");
    });
  }

  const empty: readonly (readonly [string, (query: Buffer) => Buffer])[] = [
    ["records of another name", (query) => reply(query, [a("y.test", "10.0.0.1")])],
    [
      "records of another class",
      (query) => reply(query, [{ ...a("x.test", "10.0.0.1"), class: 3 }]),
    ],
    [
      "records of another type",
      (query) => reply(query, [{ name: "x.test", type: Packet.TYPE.TXT, data: ["x"] }]),
    ],
    ["an empty answer", (query) => reply(query)],
    [
      "an empty answer with authority",
      (query) =>
        reply(query, [], (p) => {
          p.header.aa = 1;
          p.authorities.push(ns("test"));
        }),
    ],
  ];
  for (const [name, answer] of empty) {
    test(`${name}: no data`, async () => {
      assert.deepEqual(await ask({ udp: (query) => [answer(query)] }), { kind: "no-data" });
    });
  }
});

function ns(name: string) {
  return new Packet.Resource({ name, type: Packet.TYPE.NS, class: 1, ttl: 1, ns: "ns.test" });
}

function cname(name: string, domain: string) {
  return { name, type: Packet.TYPE.CNAME, domain };
}

function chain(length: number) {
  return Array.from({ length }, (_, n) =>
    cname(n === 0 ? "x.test" : `x${n}.test`, `x${n + 1}.test`),
  );
}

/** Takes octets off the last record, and says so in its length. */
function cut(message: Buffer, octets: number): Buffer {
  const shorter = Buffer.from(message.subarray(0, -octets));
  shorter.writeUInt16BE(4 - octets, message.length - 6);
  return shorter;
}

function announced(message: Buffer, records: number): Buffer {
  message.writeUInt16BE(records, 6);
  return message;
}

/** The header and the question of an answer, without the records. */
function header(query: Buffer, answers: number): Buffer {
  return announced(right(query).subarray(0, 12 + 8 + 4), answers);
}

function record(name: readonly number[], data: readonly number[], type = 1): Buffer {
  return Buffer.from([...name, 0, type, 0, 1, 0, 0, 1, 44, 0, data.length, ...data]);
}

describe("bytes made to hurt", () => {
  const packets: readonly (readonly [string, (query: Buffer) => Buffer])[] = [
    [
      "a pointer to itself",
      (query) => Buffer.concat([header(query, 1), record([0xc0, 24], [1, 2, 3, 4])]),
    ],
    [
      "a pointer ahead",
      (query) => Buffer.concat([header(query, 1), record([0xc0, 40], [1, 2, 3, 4])]),
    ],
    [
      "a pointer over the end",
      (query) => Buffer.concat([header(query, 1), record([0xff, 0xff], [1, 2, 3, 4])]),
    ],
    [
      "a label of a reserved kind",
      (query) => Buffer.concat([header(query, 1), record([0x80, 1, 0], [1, 2, 3, 4])]),
    ],
    [
      "a pointer circle in an MX",
      (query) => Buffer.concat([header(query, 1), record([0xc0, 12], [0, 1, 0xc0, 38], 15)]),
    ],
    ["a name without end", (query) => Buffer.concat([header(query, 1), Buffer.alloc(300, 0x3f)])],
    [
      "a TXT string over its record",
      (query) => Buffer.concat([header(query, 1), record([0xc0, 12], [200, 1], 16)]),
    ],
    ["all ones", (query) => Buffer.concat([query.subarray(0, 2), Buffer.alloc(500, 0xff)])],
    ["all zeros", (query) => Buffer.concat([query.subarray(0, 2), Buffer.alloc(500, 0)])],
  ];
  for (const [name, packet] of packets) {
    test(name, async () => {
      assert.equal((await ask({ udp: (query) => [packet(query)] })).kind, "temporary");
    });
  }

  test("random damage to a good answer never throws and never says that the name is not there", async () => {
    let seed = Number(process.env["SEED"] ?? 1122);
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const damaged = (query: Buffer) => {
      const message = reply(query, [cname("x.test", "y.test"), a("y.test", "192.0.2.1")]);
      // The flags are left alone: a changed rcode would be an answer.
      for (let change = 0; change <= random(4); change++) {
        message[4 + random(message.length - 4)] = random(256);
      }
      return [message.subarray(0, random(4) === 0 ? random(message.length) : message.length)];
    };
    await using server = await rawServer({ udp: damaged });
    const resolver = quick([server.address], { tryTimeout: 15 });
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          resolver.a(n === 0 ? "x.test" : `x${round}-${n}.test`),
        ),
      );
      for (const { kind } of answers) assert.notEqual(kind, "no-such-name");
    }
    await resolver.close();
  });
});

describe("a server that does not answer", () => {
  test("is given up after its time, and the next one is asked", async () => {
    await using silent = await rawServer({});
    await using dns = await startDns({
      "x.test": { A: ["192.0.2.1"] },
      "y.test": { A: ["192.0.2.2"] },
    });
    const resolver = quick([silent.address, dns.address]);
    assert.deepEqual(await resolver.a("x.test"), FOUND);
    assert.equal(silent.seen.udp, 1);
    assert.equal((await resolver.a("y.test")).kind, "found");
    assert.equal(silent.seen.udp, 1, "the one that answered is asked first from now on");
    await resolver.close();
  });

  test("is asked once in every round, within the total time", async () => {
    await using silent = await rawServer({});
    const resolver = quick([silent.address], { rounds: 3, tryTimeout: 20, totalTimeout: 1000 });
    const answer = await resolver.a("x.test");
    assert.match(answer.kind === "temporary" ? answer.error : "", /timeout/);
    assert.equal(silent.seen.udp, 3);
    const short = quick([silent.address], { rounds: 100, tryTimeout: 20, totalTimeout: 50 });
    await short.a("x.test");
    assert.ok(silent.seen.udp < 3 + 10);
    await Promise.all([resolver.close(), short.close()]);
  });

  test("where nothing listens, that is known at once", async () => {
    const server = await rawServer({});
    await server.close();
    const resolver = quick([server.address], { tryTimeout: 60_000, totalTimeout: 60_000 });
    assert.equal((await resolver.a("x.test")).kind, "temporary");
    await resolver.close();
  });

  for (const [name, failing] of [
    ["SERVFAIL", (query: Buffer) => spoiled(query, (p) => void (p.header.rcode = 2))],
    ["rubbish", (query: Buffer) => Buffer.concat([query.subarray(0, 2), Buffer.alloc(40, 0xff)])],
  ] as const) {
    test(`after ${name} the next one is asked`, async () => {
      await using bad = await rawServer({ udp: (query) => [failing(query)] });
      await using dns = await startDns({ "x.test": { A: ["192.0.2.1"] } });
      const resolver = quick([bad.address, dns.address]);
      assert.deepEqual(await resolver.a("x.test"), FOUND);
      await resolver.close();
    });
  }

  test("closing the resolver ends every question", async () => {
    await using silent = await rawServer({});
    const resolver = quick([silent.address], { tryTimeout: 60_000, totalTimeout: 60_000 });
    const asked = [resolver.a("x.test"), resolver.mx("y.test")];
    await resolver.close();
    for (const answer of await Promise.all(asked)) assert.equal(answer.kind, "temporary");
    assert.equal((await resolver.a("z.test")).kind, "temporary");
  });
});

function unlessEdns(refuse: (packet: Packet) => void): Required<RawBehaviour>["udp"] {
  return (query) => [
    Packet.parse(query).additionals.length > 0 ? spoiled(query, refuse) : right(query),
  ];
}

function truncated(query: Buffer): Buffer[] {
  return [spoiled(query, (packet) => void (packet.header.tc = 1))];
}

const answering =
  (answer: (query: Buffer) => Buffer): Required<RawBehaviour>["tcp"] =>
  (query, socket) =>
    sendFramed(socket, answer(query));

describe("a server that is old or short of words", () => {
  for (const rcode of [1, 4]) {
    test(`is asked without EDNS when it answers with rcode ${rcode}`, async () => {
      const udp = unlessEdns((packet) => void (packet.header.rcode = rcode));
      assert.deepEqual(await ask({ udp }), FOUND);
    });
    test(`is asked without EDNS when it sends back a bare header with rcode ${rcode}`, async () => {
      const udp = unlessEdns((packet) => {
        packet.header.rcode = rcode;
        packet.questions = [];
        packet.answers = [];
      });
      assert.deepEqual(await ask({ udp }), FOUND);
    });
  }

  test("a truncated answer is not used, the one over TCP is", async () => {
    const answer = await ask({
      udp: truncated,
      tcp: (query, socket) => sendFramed(socket, right(query)),
    });
    assert.deepEqual(answer, FOUND);
  });

  test("an answer that is cut in the middle of a record is truncated too", async () => {
    const answer = await ask({
      udp: (query) => truncated(query).map((message) => message.subarray(0, -2)),
      tcp: answering(right),
    });
    assert.deepEqual(answer, FOUND);
  });

  test("over TCP the answer may come octet by octet", async () => {
    const answer = await ask({
      udp: truncated,
      tcp(query, socket) {
        socket.setNoDelay(true);
        for (const octet of framed(right(query))) socket.write(Buffer.from([octet]));
      },
    });
    assert.deepEqual(answer, FOUND);
  });

  test("over TCP it says nothing: temporary, and in time", async () => {
    assert.equal((await ask({ udp: truncated, tcp: () => {} })).kind, "temporary");
  });

  test("over TCP it hangs up: temporary", async () => {
    const answer = await ask({ udp: truncated, tcp: (_, socket) => void socket.destroy() });
    assert.equal(answer.kind, "temporary");
  });

  for (const [name, answer] of [
    [
      "something with another id",
      (query: Buffer) => spoiled(query, (p) => void (p.header.id ^= 1)),
    ],
    ["that it is truncated", (query: Buffer) => spoiled(query, (p) => void (p.header.tc = 1))],
    ["rubbish", () => Buffer.alloc(5)],
  ] as const) {
    test(`over TCP it says ${name}: temporary`, async () => {
      assert.equal((await ask({ udp: truncated, tcp: answering(answer) })).kind, "temporary");
    });
  }

  test("nothing listens on TCP: temporary", async () => {
    assert.equal((await ask({ udp: truncated })).kind, "temporary");
  });
});

test("ids and source ports differ from query to query", async () => {
  const ids = new Set<number>();
  const ports = new Set<number>();
  await using server = await rawServer({
    udp(query, port) {
      ids.add(query.readUInt16BE(0));
      ports.add(port);
      return [reply(query)];
    },
  });
  const resolver = quick([server.address]);
  for (let n = 0; n < 50; n++) await resolver.a(`x${n}.test`);
  assert.ok(ids.size > 45);
  assert.ok(ports.size > 40);
  await resolver.close();
});

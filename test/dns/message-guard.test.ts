import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Packet } from "dns2";
import { messageProblem } from "../../src/dns/message-guard.ts";

function response(build: (packet: Packet) => void): Buffer {
  const packet = new Packet();
  packet.header = new Packet.Header({ id: 1, qr: 1 });
  packet.questions.push(new Packet.Question("x.test", Packet.TYPE.MX, Packet.CLASS.IN));
  build(packet);
  return packet.toBuffer();
}

const resource = (fields: object) =>
  new Packet.Resource({ class: 1, ttl: 1, name: "x.test", ...fields });

/** One record of an unknown type that is nothing but pointers, each to the one before; then records named by the last. */
function bomb(hops: number, records: number): Buffer {
  const start = response(() => {});
  start.writeUInt16BE(1 + records, 6);
  const carrier = Buffer.from([0xc0, 12, 0, 99, 0, 1, 0, 0, 0, 9, 0, 0]);
  carrier.writeUInt16BE(2 * hops, 10);
  const base = start.length + carrier.length;
  const pointers = Buffer.alloc(2 * hops);
  for (let hop = 0; hop < hops; hop++) {
    pointers.writeUInt16BE(0xc000 | (hop === 0 ? 12 : base + 2 * (hop - 1)), 2 * hop);
  }
  const last = base + 2 * (hops - 1);
  const named = Buffer.from([
    0xc0 | (last >> 8),
    last & 0xff,
    0,
    1,
    0,
    1,
    0,
    0,
    0,
    9,
    0,
    4,
    192,
    0,
    2,
    1,
  ]);
  return Buffer.concat([start, carrier, pointers, ...Array<Buffer>(records).fill(named)]);
}

describe("the guard before the codec", () => {
  test("lets pass what the codec makes of every type that it knows", () => {
    const { TYPE } = Packet;
    const message = response((packet) => {
      packet.answers.push(
        resource({ type: TYPE.MX, priority: 1, exchange: "mx.x.test" }),
        resource({ type: TYPE.MX, priority: 2, exchange: "" }),
        resource({ type: TYPE.A, address: "192.0.2.1" }),
        resource({ type: TYPE.AAAA, address: "2001:db8::1" }),
        resource({ type: TYPE.TXT, data: ["\u00c0\u00c0", ""] }),
        resource({ type: TYPE.CNAME, domain: "y.x.test" }),
        resource({ type: TYPE.SRV, priority: 1, weight: 1, port: 25, target: "mx.x.test" }),
      );
      packet.authorities.push(
        resource({ type: TYPE.NS, ns: "ns.x.test" }),
        resource({
          type: TYPE.SOA,
          primary: "ns.x.test",
          admin: "root.x.test",
          serial: 1,
          refresh: 1,
          retry: 1,
          expiration: 1,
          minimum: 1,
        }),
      );
      packet.additionals.push(Packet.Resource.EDNS([]));
    });
    assert.equal(messageProblem(message), undefined);
    assert.equal(messageProblem(message.subarray(0, -1)), "it ends too early");
    assert.equal(messageProblem(bomb(1, 1).subarray(0, -1)), "a record goes over the end");
  });

  test("lets pass a chain of pointers that compression could make, and no longer one", () => {
    assert.equal(messageProblem(bomb(10, 5)), undefined);
    assert.equal(messageProblem(bomb(31, 5)), undefined);
    assert.equal(messageProblem(bomb(32, 5)), "a name has no end");
  });

  test("stops what would keep the codec busy for more than a second", () => {
    const message = bomb(8000, 900);
    assert.ok(message.length < 65_536);
    assert.equal(messageProblem(message), "a name has no end");
  });

  test("stops a pointer that leads ahead, where no compression can have put it", () => {
    const start = response(() => {});
    start.writeUInt16BE(1, 6);
    const ahead = 0xc000 | (start.length + 12);
    const record = Buffer.from([ahead >> 8, ahead & 0xff, 0, 99, 0, 1, 0, 0, 0, 9, 0, 1, 0]);
    assert.equal(messageProblem(Buffer.concat([start, record])), "a name has no end");
  });

  test("stops masses of records and of questions", () => {
    assert.equal(messageProblem(bomb(1, 999)), undefined);
    assert.equal(messageProblem(bomb(1, 1000)), "1001 records");
    const twice = response(() => {});
    twice.writeUInt16BE(2, 4);
    assert.equal(messageProblem(twice), "2 questions");
  });

  test("says something of every cut of a good message, and never throws", () => {
    const message = bomb(3, 3);
    for (let length = 0; length < message.length; length++) {
      assert.notEqual(messageProblem(message.subarray(0, length)), undefined, `${length}`);
    }
  });
});

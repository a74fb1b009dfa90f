// What dns2 does wrong today, and why src/dns/ takes its codec and none of its clients. A test that fails after an
// upgrade is good news: the trap is gone or has moved, so look again.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Packet, UDPClient } from "dns2";
import { rawServer, reply, a } from "../dns/raw-server.ts";

function client(address: string, timeout = 200) {
  const [host = "", port = ""] = address.split(":");
  const options = { dns: host, port: Number(port), timeout, retries: 3 };
  return UDPClient(options);
}

describe("the clients of dns2 3.1.1", () => {
  test("take SERVFAIL for an empty answer", async () => {
    await using server = await rawServer({
      udp: (query) => [reply(query, [], (packet) => void (packet.header.rcode = 2))],
    });
    const packet = await client(server.address)("x.test", "MX");
    assert.deepEqual(packet.answers, []);
  });

  test("take the answer to another question", async () => {
    await using server = await rawServer({
      udp: (query) => [
        reply(query, [a("evil.test", "10.0.0.1")], (packet) => {
          packet.questions = [new Packet.Question("evil.test", Packet.TYPE.A, Packet.CLASS.IN)];
        }),
      ],
    });
    const packet = await client(server.address)("x.test", "A");
    assert.equal(packet.answers[0]?.address, "10.0.0.1");
  });

  test("never ask a second time, whatever `retries` says", async () => {
    await using server = await rawServer({});
    await assert.rejects(client(server.address, 50)("x.test", "A"));
    assert.equal(server.seen.udp, 1);
  });

  test("wait for ever for the TCP side of a truncated answer", async () => {
    await using server = await rawServer({
      udp: (query) => [reply(query, [], (packet) => void (packet.header.tc = 1))],
      tcp: () => {},
    });
    const asked = client(server.address, 50)("x.test", "A").then(
      () => "answer",
      () => "error",
    );
    const waiting = new Promise((resolve) => setTimeout(resolve, 300, "still waiting"));
    assert.equal(await Promise.race([asked, waiting]), "still waiting");
  });
});

describe("the codec of dns2 3.1.1", () => {
  test("keeps the records before a damaged one, and says so apart", () => {
    const query = new Packet();
    query.header = new Packet.Header({ id: 7, rd: 1 });
    query.questions.push(new Packet.Question("x.test", Packet.TYPE.A, Packet.CLASS.IN));
    const message = reply(query.toBuffer(), [a("x.test", "192.0.2.1"), a("x.test", "192.0.2.2")]);
    const packet = Packet.parse(message.subarray(0, -2));
    assert.equal(packet.answers.length, 1);
    assert.equal(packet.errors.length, 1);
  });

  test("stops at a circle of pointers", () => {
    const circle = Buffer.from([
      0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 14, 0xc0, 12, 0, 1, 0, 1,
    ]);
    assert.match(Packet.parse(circle).errors[0]?.message ?? "", /cycle/);
  });

  test("follows a chain of pointers of any length, which message-guard.ts stops", () => {
    const names = Buffer.alloc(2 * 1000);
    for (let hop = 0; hop < 1000; hop++)
      names.writeUInt16BE(0xc000 | (12 + 2 * (hop + 1)), 2 * hop);
    const end = Buffer.from([1, 0x78, 0, 0, 1, 0, 1]);
    const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), names, end]);
    assert.equal(Packet.parse(message).questions[0]?.name, "x");
  });

  test("writes an AAAA in dotted form as another address", () => {
    const message = reply(
      new Packet(new Packet.Question("x.test", Packet.TYPE.AAAA, Packet.CLASS.IN)).toBuffer(),
      [{ name: "x.test", type: Packet.TYPE.AAAA, address: "::ffff:10.1.2.3" }],
    );
    assert.notEqual(Packet.parse(message).answers[0]?.address, "::ffff:a01:203");
  });

  test("can express EDNS, and reads an extended rcode back", () => {
    const packet = new Packet();
    packet.header = new Packet.Header({ id: 1, rcode: Packet.RCODE.BADVERS });
    packet.additionals.push(Packet.Resource.EDNS([], { udpPayloadSize: 1232 }));
    const read = Packet.parse(packet.toBuffer());
    assert.equal(read.header.rcode, Packet.RCODE.BADVERS);
    assert.equal(read.additionals[0]?.class, 1232);
  });
});

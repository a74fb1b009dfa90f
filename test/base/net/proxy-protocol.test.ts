import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseProxyHeader } from "../../../src/base/net/proxy-protocol.ts";
import { SmtpServer } from "../../../src/smtp/server/server.ts";
import { status } from "../../../src/mail/status.ts";
import { OURS } from "../../support/certificates.ts";
import { type ManualClock, manualClock } from "../../support/clock.ts";
import { serverOptions } from "../../support/server-options.ts";
import { recordingLog, type RecordingLog } from "../../support/services.ts";
import { Wire } from "../../support/wire.ts";

const V4 = Buffer.from([203, 0, 113, 9, 192, 0, 2, 1, 0x30, 0x39, 0, 25]);
const V6 = Buffer.concat([Buffer.from(`20010db8${"0".repeat(22)}99`, "hex"), Buffer.alloc(20)]);
const MAPPED = Buffer.concat([
  Buffer.from(`${"0".repeat(20)}ffffcb007109`, "hex"),
  Buffer.alloc(20),
]);

function v2(command: number, family: number, addresses: Buffer, length = addresses.length): Buffer {
  const head = Buffer.from("\r\n\r\n\0\r\nQUIT\n\0\0\0\0", "latin1");
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(length, 14);
  return Buffer.concat([head, addresses]);
}

describe("a PROXY header", () => {
  const good: [header: string | Buffer, client: string | undefined][] = [
    ["PROXY TCP4 203.0.113.9 192.0.2.1 12345 25\r\n", "203.0.113.9"],
    ["PROXY TCP6 2001:db8::99 2001:db8::1 12345 25\r\n", "2001:db8::99"],
    ["PROXY TCP6 2001:DB8:0:0:0:0:0:99 ::1 12345 25\r\n", "2001:db8::99"],
    ["PROXY TCP6 ::ffff:203.0.113.9 ::1 12345 25\r\n", "203.0.113.9"],
    [v2(0x21, 0x11, V4), "203.0.113.9"],
    [v2(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 1, 7])])), "203.0.113.9"],
    [v2(0x21, 0x21, V6), "2001:db8::99"],
    [v2(0x21, 0x21, MAPPED), "203.0.113.9"],
    [v2(0x20, 0, Buffer.alloc(0)), undefined],
  ];
  for (const [header, client] of good) {
    const bytes = Buffer.from(header);
    it(`${JSON.stringify(bytes.toString("latin1")).slice(0, 50)} is for ${client}, however it comes`, () => {
      const wanted = { kind: "whole", length: bytes.length, ...(client && { client }) };
      assert.deepEqual(parseProxyHeader(Buffer.concat([bytes, Buffer.from("EHLO")])), wanted);
      for (let cut = 0; cut < bytes.length; cut++) {
        assert.equal(parseProxyHeader(bytes.subarray(0, cut)).kind, "more", `cut at ${cut}`);
      }
    });
  }

  const wrong: (string | Buffer)[] = [
    "EHLO client.test\r\n",
    "PROXY UNKNOWN\r\n",
    "PROXY TCP4 203.0.113.9 192.0.2.1 12345\r\n",
    "PROXY TCP4 2001:db8::1 2001:db8::2 12345 25\r\n",
    "PROXY TCP6 203.0.113.9 192.0.2.1 12345 25\r\n",
    "PROXY TCP4 203.0.113.09 192.0.2.1 12345 25\r\n",
    "PROXY TCP4  203.0.113.9 192.0.2.1 12345 25\r\n",
    "PROXY TCP4 203.0.113.9 192.0.2. 12345 25\r\n",
    "PROXY TCP4 203.0.113.9 2001:db8::1 12345 25\r\n",
    "PROXY TCP4 203.0.113.9 192.0.2.1 65536 25\r\n",
    "PROXY TCP4 203.0.113.9 192.0.2.1 12345 99999\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 12345 25\r\n",
    `PROXY ${"x".repeat(120)}`,
    v2(0x11, 0x11, V4),
    v2(0x22, 0x11, V4),
    v2(0x21, 0x00, V4),
    v2(0x21, 0x31, Buffer.alloc(216)),
    v2(0x21, 0x11, V4.subarray(0, 8)),
    v2(0x21, 0x21, V4),
    v2(0x21, 0x11, V4, 60_000),
  ];
  for (const header of wrong) {
    const bytes = Buffer.from(header);
    it(`${JSON.stringify(bytes.toString("latin1")).slice(0, 60)} is none`, () => {
      assert.equal(parseProxyHeader(bytes).kind, "bad");
    });
  }
});

interface Stage {
  readonly port: number;
  readonly clock: ManualClock;
  readonly log: RecordingLog;
  readonly clients: string[];
}

/** 127.0.0.9 is a load balancer; 203.0.113.9 is refused. */
async function behindBalancer(tls: "starttls" | "implicit", play: (stage: Stage) => Promise<void>) {
  const clock = manualClock();
  const log = recordingLog();
  const clients: string[] = [];
  const options = serverOptions({}, { connectionsPerClientMax: 1 });
  const server = new SmtpServer(options, clock, log);
  const port = await server.listen({
    host: "127.0.0.1",
    port: 0,
    tls,
    certificates: [OURS],
    isProxy: (address) => address === "127.0.0.9",
  });
  server.open({
    connect: ({ address }) => void clients.push(address),
    mail: () => status(550, "7.1", "not in this test"),
  });
  try {
    await play({ port, clock, log, clients });
  } finally {
    const stopped = server.stop(0);
    clock.advance(1000);
    await stopped;
  }
}

describe("a load balancer", () => {
  it("is believed, and each of its clients has its own share of connections", () =>
    behindBalancer("starttls", async ({ port, clients }) => {
      using one = await Wire.open(port, "127.0.0.1", "127.0.0.9");
      one.send("PROXY TCP4 203.0.113.10 192.0.2.1 12345 25\r\n");
      assert.match(await one.reply(), /^220 /);
      using two = await Wire.open(port, "127.0.0.1", "127.0.0.9");
      two.send(v2(0x21, 0x11, V4));
      assert.match(await two.reply(), /^220 /);
      assert.match(await two.ask("EHLO client.test"), /^250-/);
      using again = await Wire.open(port, "127.0.0.1", "127.0.0.9");
      again.send(v2(0x21, 0x11, V4));
      assert.match(await again.reply(), /^421 4\.7\.0 Too many connections/);
      assert.deepEqual(clients, ["203.0.113.10", "203.0.113.9"]);
    }));

  it("may come before a TLS handshake that it does not take part in", () =>
    behindBalancer("implicit", async ({ port, clients }) => {
      using wire = await Wire.open(port, "127.0.0.1", "127.0.0.9");
      wire.send(v2(0x21, 0x11, V4));
      await wire.startTls();
      assert.match(await wire.reply(), /^220 /);
      assert.deepEqual(clients, ["203.0.113.9"]);
    }));

  it("does not help a client that talks first", () =>
    behindBalancer("starttls", async ({ port }) => {
      using wire = await Wire.open(port, "127.0.0.1", "127.0.0.9");
      wire.send("PROXY TCP4 203.0.113.9 192.0.2.1 12345 25\r\nEHLO client.test\r\n");
      assert.match(await wire.reply(), /^554 5\.5\.0/);
    }));

  it("that says nothing of the kind is cut off", () =>
    behindBalancer("starttls", async ({ port, log, clients }) => {
      using wire = await Wire.open(port, "127.0.0.1", "127.0.0.9");
      wire.send("EHLO client.test\r\n");
      assert.equal(await wire.closed(), "");
      assert.deepEqual(log.named("session.refused"), [
        { client: "127.0.0.9", reply: "", why: "PROXY: no header" },
      ]);
      assert.deepEqual(clients, []);
    }));

  it("that says nothing at all is cut off in time", () =>
    behindBalancer("starttls", async ({ port, clock }) => {
      using wire = await Wire.open(port, "127.0.0.1", "127.0.0.9");
      wire.send("PROXY TCP4");
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
      clock.advance(11_000);
      assert.equal(await wire.closed(), "");
    }));

  it("is nobody that says it is one: others are not read so", () =>
    behindBalancer("starttls", async ({ port, clients }) => {
      using early = await Wire.open(port, "127.0.0.1", "127.0.0.8");
      early.send("PROXY TCP4 203.0.113.10 192.0.2.1 12345 25\r\n");
      assert.match(await early.reply(), /^(?:554|220) /);
      using late = await Wire.open(port, "127.0.0.1", "127.0.0.7");
      assert.match(await late.reply(), /^220 /);
      assert.match(await late.ask("PROXY TCP4 203.0.113.10 192.0.2.1 12345 25"), /^500/);
      assert.ok(clients.every((client) => client.startsWith("127.0.0.")));
    }));
});

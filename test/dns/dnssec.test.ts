// What DNSSEC vouches for: only what a trusted server calls authentic, when it was asked to find out.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Packet } from "dns2";
import { resolveAddresses } from "../../src/dns/addresses.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import type { Resolver } from "../../src/dns/dns.ts";
import { manualClock } from "../support/clock.ts";
import { startDns, type Zone } from "../support/dns.ts";
import { a, rawServer, reply } from "./raw-server.ts";

const SECOND = 1000;

const ZONE: Zone = {
  "signed.test": { MX: [[10, "mx.signed.test"]], TXT: ["text"] },
  "mx.signed.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
  "_25._tcp.mx.signed.test": { TLSA: [[3, 1, 1, "ab".repeat(32)]] },
  "alias.signed.test": { CNAME: "mx.signed.test" },
  "outward.signed.test": { CNAME: "host.plain.test" },
  "host.plain.test": { A: ["192.0.2.2"] },
  "inward.plain.test": { CNAME: "mx.signed.test" },
  signed: ["signed.test"],
};

async function asking<T>(dnssec: boolean, ask: (resolver: Resolver) => Promise<T>): Promise<T> {
  await using dns = await startDns(ZONE);
  const resolver = createResolver({ servers: [dns.address], clock: manualClock(), dnssec });
  const answer = await ask(resolver);
  await resolver.close();
  return answer;
}

describe("with dnssec", () => {
  for (const [name, secure] of [
    ["mx.signed.test", true],
    ["alias.signed.test", true],
    ["nowhere.signed.test", true],
    ["signed.test", true],
    ["host.plain.test", undefined],
    ["outward.signed.test", undefined],
    ["inward.plain.test", undefined],
    ["nowhere.plain.test", undefined],
  ] as const) {
    test(`${name} is ${secure ? "" : "not "}vouched for`, async () => {
      const answer = await asking(true, (resolver) => resolver.a(name));
      assert.ok(answer.kind !== "temporary");
      assert.equal(answer.secure, secure);
    });
  }

  test("every type of record can be, and the cache does not forget it", async () => {
    await asking(true, async (resolver) => {
      for (let times = 0; times < 2; times++) {
        const answers = await Promise.all([
          resolver.mx("signed.test"),
          resolver.txt("signed.test"),
          resolver.aaaa("mx.signed.test"),
          resolver.tlsa("_25._tcp.mx.signed.test"),
          resolver.tlsa("_26._tcp.mx.signed.test"),
        ]);
        for (const answer of answers) assert.ok(answer.kind !== "temporary" && answer.secure);
      }
    });
  });

  test("addresses are only if all of them are", async () => {
    const both = await asking(true, (resolver) => resolveAddresses(resolver, "alias.signed.test"));
    assert.deepEqual(both, {
      kind: "found",
      records: ["192.0.2.1", "2001:db8::1"],
      canonical: "mx.signed.test",
      secure: true,
    });
    const plain = { kind: "found", records: ["192.0.2.1"] } as const;
    const mixed = await asking(true, (resolver) =>
      resolveAddresses({ ...resolver, a: () => Promise.resolve(plain) }, "mx.signed.test"),
    );
    assert.deepEqual(mixed, { kind: "found", records: ["192.0.2.1", "2001:db8::1"] });
  });

  test("a server that does not take EDNS vouches for nothing", async () => {
    await using server = await rawServer({
      udp: (query) => {
        const withEdns = Packet.parse(query).additionals.length > 0;
        return [
          reply(query, withEdns ? [] : [a("x.test", "192.0.2.1")], ({ header }) => {
            if (withEdns) header.rcode = Packet.RCODE.FORMERR;
            Object.assign(header, { ad: 1 });
          }),
        ];
      },
    });
    const clock = manualClock();
    const resolver = createResolver({ servers: [server.address], clock, dnssec: true });
    assert.deepEqual(await resolver.a("x.test"), { kind: "found", records: ["192.0.2.1"] });
    await resolver.close();
  });

  test("what does not validate is temporary, and stays so after its first answer has aged", async () => {
    await using dns = await startDns({ ...ZONE, fail: { "A mx.signed.test": "SERVFAIL" } });
    const clock = manualClock();
    const resolver = createResolver({ servers: [dns.address], clock, dnssec: true });
    assert.equal((await resolver.a("mx.signed.test")).kind, "temporary");
    clock.advance(10 * SECOND);
    assert.equal((await resolver.a("mx.signed.test")).kind, "temporary");
    await resolver.close();
  });
});

describe("without dnssec", () => {
  test("nothing is vouched for, whatever the server says unasked", async () => {
    const asked: boolean[] = [];
    await using server = await rawServer({
      udp: (query) => {
        asked.push(Packet.parse(query).additionals.some(({ doFlag }) => doFlag === true));
        return [
          reply(query, [a("x.test", "192.0.2.1")], ({ header }) => {
            Object.assign(header, { ad: 1 });
          }),
        ];
      },
    });
    const resolver = createResolver({ servers: [server.address], clock: manualClock() });
    assert.deepEqual(await resolver.a("x.test"), { kind: "found", records: ["192.0.2.1"] });
    assert.deepEqual(asked, [false]);
    await resolver.close();
  });
});

describe("TLSA records", () => {
  test("are read with their numbers and octets", async () => {
    const answer = await asking(false, (resolver) => resolver.tlsa("_25._tcp.mx.signed.test"));
    const association = Buffer.from("ab".repeat(32), "hex");
    assert.deepEqual(answer, {
      kind: "found",
      records: [{ usage: 3, selector: 1, matching: 1, association }],
    });
  });

  test("that are too short to be one are no answer", async () => {
    await using server = await rawServer({
      udp: (query) => [reply(query, [{ name: "x.test", type: 52, data: Buffer.from([3, 1]) }])],
    });
    const resolver = createResolver({ servers: [server.address], clock: manualClock() });
    assert.equal((await resolver.tlsa("x.test")).kind, "temporary");
    await resolver.close();
  });
});

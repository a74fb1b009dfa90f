// DANE (RFC 7672): what DNSSEC vouches for is required, and nothing goes in the clear where it might be.

import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Host } from "../../src/mail/host.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import { statusLine } from "../../src/mail/status.ts";
import { smtp } from "../../transports/smtp.ts";
import { readOptions, type OptionTable } from "../conformance/driver.ts";
import { manualClock } from "../support/clock.ts";
import { association, Authority, type Certified } from "../support/authority.ts";
import { type Failure, type Records, startDns } from "../support/dns.ts";
import { batch, recipient } from "../support/build.ts";
import { fakeServices } from "../support/services.ts";
import { startSink } from "../support/sink.ts";

const never = () => new AbortController().signal;
const NAME = "mx.signed.test";
const DAY = 86_400_000;

type Tlsa = NonNullable<Records["TLSA"]>[number];

interface Setting {
  /** Absent: the host has no TLS. */
  readonly shows?: Certified;
  readonly tlsa?: readonly Tlsa[];
  readonly signed?: readonly string[];
  readonly fail?: Failure;
  readonly options?: OptionTable;
  /** How the host is known; as if it was written down otherwise. */
  readonly host?: Partial<Host>;
}

/** A host at 127.0.0.1 that is called mx.signed.test, in a zone with DNSSEC. */
async function setUp(t: TestContext, setting: Setting) {
  const { shows, tlsa = [], signed = ["signed.test"], fail, options = {} } = setting;
  const asked: string[] = [];
  let tls: string | undefined;
  const sink = await startSink(
    shows === undefined
      ? {}
      : {
          tls: true,
          server: {
            cert: shows.chain,
            key: shows.key,
            SNICallback(servername, done) {
              asked.push(servername);
              done(null);
            },
          },
        },
  );
  const service = `_${sink.port}._tcp.${NAME}`;
  const zone = (records: readonly Tlsa[]) => ({
    [NAME]: { A: ["127.0.0.1"] },
    "alias.signed.test": { CNAME: NAME },
    [service]: { TLSA: records },
    signed,
    ...(fail === undefined ? {} : { fail: { [service]: fail } }),
  });
  const dns = await startDns(zone(tlsa));
  const clock = manualClock();
  const resolver = createResolver({ servers: [dns.address], clock, dnssec: true });
  const transport = smtp.create(
    readOptions(smtp, options),
    fakeServices({ clock: systemClock, resolver }),
  );
  t.after(async () => {
    await transport.close?.();
    await resolver.close();
    await dns.close();
    await sink.close();
  });
  const hosts = [{ name: NAME, port: sink.port, ...setting.host }];
  return {
    sink,
    dns,
    asked,
    publish(records: readonly Tlsa[]) {
      dns.set(zone(records));
      clock.advance(DAY);
    },
    /** Of the last delivery. */
    tls: () => tls,
    async send(): Promise<string> {
      const given = batch([recipient("bob@example.com")], { hosts });
      const [outcome] = (await transport.deliver(given, never())).values();
      assert.ok(outcome !== undefined);
      tls = outcome.kind === "deferred" ? undefined : outcome.tls;
      return `${outcome.kind} ${statusLine(outcome.status)}`;
    },
  };
}

let root: Authority;
let intermediate: Certified;
let server: Certified;
let stranger: Certified;

before(() => {
  root = new Authority();
  intermediate = root.issue({ authority: true });
  server = root.issue({ names: [NAME] }, intermediate);
  stranger = root.issue({ names: ["mx.other.test"] }, intermediate);
});
after(() => root[Symbol.dispose]());

const TAKEN = "delivered 250 2.0.0 taken";
const MISMATCH = /^deferred 451 4\.7\.5 The certificate matches no TLSA record/;

describe("usage 3, the server's own certificate", () => {
  for (const [selector, matching] of [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
  ] as const) {
    test(`matches by selector ${selector} and matching type ${matching}, or not`, async (t) => {
      const tlsa = [[3, selector, matching, association(server.certificate, selector, matching)]];
      const right = await setUp(t, { shows: server, tlsa: tlsa.map(asTlsa) });
      assert.equal(await right.send(), TAKEN);
      assert.ok(right.sink.messages[0]?.tls !== undefined);
      assert.match(right.tls() ?? "", /^TLSv1\.3 \w+, DANE$/);
      assert.deepEqual(right.asked, [NAME]);
      const wrong = await setUp(t, { shows: stranger, tlsa: tlsa.map(asTlsa) });
      assert.match(await wrong.send(), MISMATCH);
      assert.deepEqual(wrong.sink.messages, []);
    });
  }

  test("may have expired and bear another name", async (t) => {
    const shows = root.issue({ names: ["mx.other.test"], days: -1 });
    const tlsa = [[3, 1, 1, association(shows.certificate, 1, 1)]].map(asTlsa);
    assert.equal(await (await setUp(t, { shows, tlsa })).send(), TAKEN);
  });

  test("of several records one is enough", async (t) => {
    const tlsa = [
      [3, 1, 1, "00".repeat(32)],
      [3, 1, 1, association(server.certificate, 1, 1)],
    ].map(asTlsa);
    assert.equal(await (await setUp(t, { shows: server, tlsa })).send(), TAKEN);
  });

  test("a weaker digest does not count beside a stronger one", async (t) => {
    const tlsa = [
      [3, 1, 1, association(server.certificate, 1, 1)],
      [3, 1, 2, "00".repeat(64)],
    ].map(asTlsa);
    assert.match(await (await setUp(t, { shows: server, tlsa })).send(), MISMATCH);
  });
});

describe("usage 2, an authority", () => {
  for (const [selector, matching] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 2],
  ] as const) {
    test(`is found in the chain by selector ${selector} and type ${matching}`, async (t) => {
      const own = association(intermediate.certificate, selector, matching);
      const tlsa = [[2, selector, matching, own]].map(asTlsa);
      const right = await setUp(t, { shows: server, tlsa });
      assert.equal(await right.send(), TAKEN);
      const wrong = await setUp(t, { shows: root.issue({ names: [NAME] }), tlsa });
      assert.match(await wrong.send(), MISMATCH);
      assert.deepEqual(wrong.sink.messages, []);
    });
  }

  test("is learnt once", async (t) => {
    const tlsa = [[2, 1, 1, association(intermediate.certificate, 1, 1)]].map(asTlsa);
    const one = await setUp(t, { shows: server, tlsa, options: { connection_idle: "0s" } });
    for (const connections of [2, 3, 4]) {
      assert.equal(await one.send(), TAKEN);
      assert.equal(one.sink.connections, connections);
    }
  });

  test("need not be in the chain if the record holds all of it", async (t) => {
    const tlsa = [[2, 0, 0, association(root.certificate, 0, 0)]].map(asTlsa);
    assert.equal(await (await setUp(t, { shows: server, tlsa })).send(), TAKEN);
  });

  test("certifies names and times too", async (t) => {
    const tlsa = [[2, 0, 1, association(intermediate.certificate, 0, 1)]].map(asTlsa);
    for (const [shows, problem] of [
      [stranger, /Altnames|ALTNAME/i],
      [root.issue({ names: [NAME], days: -1 }, intermediate), /EXPIRED/],
    ] as const) {
      const one = await setUp(t, { shows, tlsa });
      const line = await one.send();
      assert.match(line, /^deferred 451 4\.7\.5 .* does not verify: /);
      assert.match(line, problem);
      assert.deepEqual(one.sink.messages, []);
    }
  });

  test("is no good as an authority that only shows up beside a certificate it did not sign", async (t) => {
    const other = root.issue({ names: [NAME] });
    const shows = { ...other, chain: other.chain + intermediate.chain };
    const tlsa = [[2, 0, 1, association(intermediate.certificate, 0, 1)]].map(asTlsa);
    const one = await setUp(t, { shows, tlsa });
    assert.match(await one.send(), /^deferred 451 4\.7\.5 /);
    assert.deepEqual(one.sink.messages, []);
  });

  test("may certify the name of the mail domain instead of the host's", async (t) => {
    const shows = root.issue({ names: ["signed.test"] }, intermediate);
    const tlsa = [[2, 1, 1, association(intermediate.certificate, 1, 1)]].map(asTlsa);
    const host = { domain: "signed.test", secure: true, addresses: ["127.0.0.1"] } as const;
    assert.equal(await (await setUp(t, { shows, tlsa, host })).send(), TAKEN);
    assert.match(await (await setUp(t, { shows, tlsa })).send(), /^deferred 451 4\.7\.5 /);
  });
});

describe("DANE asks for TLS", () => {
  const anything: readonly Tlsa[] = [[3, 1, 1, "00".repeat(32)]];
  const unusable: readonly Tlsa[] = [
    [0, 0, 1, "00".repeat(32)],
    [1, 1, 1, "00".repeat(32)],
    [3, 1, 1, "00"],
    [3, 9, 1, "00".repeat(32)],
    [3, 1, 9, "00".repeat(32)],
  ];

  test("where records can be used: a host without TLS gets nothing", async (t) => {
    const one = await setUp(t, { tlsa: anything });
    assert.equal(await one.send(), "deferred 451 4.7.4 The host does not offer TLS");
    assert.deepEqual(one.sink.messages, []);
  });

  test("where no record can be used: with any certificate", async (t) => {
    const one = await setUp(t, { shows: stranger, tlsa: unusable });
    assert.equal(await one.send(), TAKEN);
    assert.ok(one.sink.messages[0]?.tls !== undefined);
    const inClear = await setUp(t, { tlsa: unusable });
    assert.equal(await inClear.send(), "deferred 451 4.7.4 The host does not offer TLS");
  });

  for (const fail of ["SERVFAIL", "REFUSED"] as const) {
    test(`not at all as long as the records cannot be looked up: ${fail}`, async (t) => {
      const one = await setUp(t, { shows: server, tlsa: anything, fail });
      assert.match(await one.send(), /^deferred 451 4\.7\.5 The TLSA records of mx\.signed\.test/);
      assert.equal(one.sink.connections, 0);
    });
  }

  test("and does not knock again before the retry time of a host that does not match", async (t) => {
    const one = await setUp(t, { shows: stranger, tlsa: anything });
    assert.match(await one.send(), MISMATCH);
    const first = one.sink.connections;
    const waits = /^deferred 451 4\.7\.5 Waits for .*: The certificate matches no TLSA record/;
    assert.match(await one.send(), waits);
    assert.equal(one.sink.connections, first);
  });

  test("of aliases, by the records at the name they lead to", async (t) => {
    const tlsa = [[3, 1, 1, association(server.certificate, 1, 1)]].map(asTlsa);
    const one = await setUp(t, { shows: server, tlsa, host: { name: "alias.signed.test" } });
    assert.equal(await one.send(), TAKEN);
    assert.deepEqual(one.asked, [NAME]);
    const other = await setUp(t, { shows: stranger, tlsa, host: { name: "alias.signed.test" } });
    assert.match(await other.send(), MISMATCH);
  });
});

describe("without DANE mail goes as before", () => {
  const wrong: readonly Tlsa[] = [[3, 1, 1, "00".repeat(32)]];
  const table: Readonly<Record<string, Setting>> = {
    "there is no record": {},
    "nothing is signed": { tlsa: wrong, signed: [] },
    "the address is not signed": { tlsa: wrong, signed: ["_tcp.mx.signed.test"] },
    "the MX is not signed": {
      tlsa: wrong,
      host: { domain: "example.com", addresses: ["127.0.0.1"] },
    },
    "the postmaster does not want it": { tlsa: wrong, options: { dane: false } },
    "the postmaster wants no TLS": { tlsa: wrong, options: { tls: "none" } },
  };
  for (const [what, setting] of Object.entries(table)) {
    test(`because ${what}`, async (t) => {
      const one = await setUp(t, setting);
      assert.equal(await one.send(), TAKEN);
    });
  }
});

test("a connection from before the records serves nobody after them", async (t) => {
  const one = await setUp(t, { shows: stranger, host: { secure: true, addresses: ["127.0.0.1"] } });
  assert.equal(await one.send(), TAKEN);
  assert.equal(one.sink.connections, 1);
  one.publish([[3, 1, 1, association(stranger.certificate, 1, 1)]]);
  assert.equal(await one.send(), TAKEN);
  assert.equal(await one.send(), TAKEN);
  assert.equal(one.sink.connections, 2);
  one.publish([[3, 1, 1, association(server.certificate, 1, 1)]]);
  assert.match(await one.send(), MISMATCH);
});

function asTlsa(fields: readonly (number | string)[]): Tlsa {
  const [usage, selector, matching, hex] = fields;
  return [Number(usage), Number(selector), Number(matching), String(hex)];
}

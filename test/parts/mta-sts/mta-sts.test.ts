// Finding out, remembering and keeping fresh what domains ask for (RFC 8461).

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createResolver } from "../../../src/dns/create-resolver.ts";
import { HTTPS } from "../../../src/base/net/https.ts";
import { MtaSts, type MtaStsOptions } from "../../../src/parts/mta-sts/mta-sts.ts";
import { Authority } from "../../support/authority.ts";
import { manualClock } from "../../support/clock.ts";
import { startDns, type Zone } from "../../support/dns.ts";
import { policy, startPolicyHost } from "../../support/policy-host.ts";
import { recordingLog, resolverAnswering } from "../../support/services.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ENFORCE = ["mode: enforce", "mx: mx.example.test", "max_age: 604800"];

let authority: Authority;
before(() => (authority = new Authority()));
after(() => authority[Symbol.dispose]());

function zone(id: string | undefined, given: Partial<Zone> = {}): Zone {
  return {
    ...(id === undefined ? {} : { "_mta-sts.example.test": { TXT: [`v=STSv1; id=${id};`] } }),
    "mta-sts.example.test": { A: ["127.0.0.1"] },
    ...given,
  };
}

async function setUp(t: TestContext, names = ["mta-sts.example.test"]) {
  const directory = await mkdtemp(join(tmpdir(), "unseen-sts-"));
  const host = await startPolicyHost(authority, names);
  const dns = await startDns(zone("1"));
  const clock = manualClock();
  const closing: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const close of closing) await close();
    await host[Symbol.asyncDispose]();
    await dns.close();
    await rm(directory, { recursive: true, force: true });
  });
  const start = (given: Partial<Pick<MtaStsOptions, "readOnly" | "https" | "resolver">> = {}) => {
    const log = recordingLog();
    const resolver = given.resolver ?? createResolver({ servers: [dns.address], clock });
    const sts = new MtaSts({
      clock,
      log,
      resolver,
      spoolDirectory: directory,
      readOnly: given.readOnly ?? false,
      https: given.https ?? host.https,
    });
    closing.push(async () => {
      await sts.close();
      await resolver.close();
    });
    const find = async (domain = "example.test") => {
      const known = await sts.policyOf(domain);
      assert.ok(known !== "unknown");
      return known;
    };
    const mode = async () => (await find())?.mode;
    return { sts, log, find, mode };
  };
  return { directory, host, dns, clock, start };
}

const silent = resolverAnswering({ kind: "no-such-name" });
const records = (...texts: readonly string[]) =>
  Promise.resolve({ kind: "found", records: texts } as const);

describe("a policy", () => {
  test("is fetched once, when the DNS says that there is one", async (t) => {
    const { host, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    const { sts, log, find } = start();
    const asked = Array.from({ length: 5 }, () => find());
    for (const found of await Promise.all(asked)) {
      assert.deepEqual(found?.mx, ["mx.example.test"]);
      assert.equal(found.mode, "enforce");
    }
    await sts.policyOf("example.test");
    assert.deepEqual(host.requests, ["mta-sts.example.test/.well-known/mta-sts.txt"]);
    assert.deepEqual(log.named("mta_sts.fetched"), [
      { domain: "example.test", mode: "enforce", mx: ["mx.example.test"], max_age_s: 604_800 },
    ]);
  });

  test("is not looked for where the DNS does not speak of it, or does not answer", async (t) => {
    const { host, dns, start, clock } = await setUp(t);
    const { sts } = start();
    const failing = { fail: { "TXT _mta-sts.example.test": "SERVFAIL" } } as const;
    for (const given of [zone(undefined), zone(undefined, failing)]) {
      dns.set(given);
      clock.advance(DAY);
      assert.equal(await sts.policyOf("example.test"), undefined);
    }
    assert.deepEqual(host.requests, []);
  });

  for (const [what, answer, expected] of [
    ["a redirect", { status: 301, headers: { location: "https://mta-sts.example.test/x" } }, /301/],
    ["an error", { status: 500 }, /500/],
    ["a page", { headers: { "content-type": "text/html" } }, /content type "text\/html"/],
    ["no type", { headers: {} }, /content type ""/],
    ["too much", { body: "x".repeat(70_000) }, /more than 65536 octets/],
    ["rubbish", { body: "hello" }, /no field: "hello"/],
  ] as const) {
    test(`that is ${what} is none`, async (t) => {
      const { host, start } = await setUp(t);
      host.answer = (response) => {
        const { status = 200, headers = { "content-type": "text/plain" } } = {
          ...("status" in answer ? { status: answer.status } : {}),
          ...("headers" in answer ? { headers: answer.headers } : {}),
        };
        response.writeHead(status, headers).end("body" in answer ? answer.body : "");
      };
      const { sts, log } = start();
      assert.equal(await sts.policyOf("example.test"), undefined);
      const [failed] = log.named("mta_sts.failed");
      assert.match(JSON.stringify(failed).replaceAll('\\"', '"'), expected);
    });
  }

  test("comes from a host with a valid certificate in its name, or not at all", async (t) => {
    const { host, start } = await setUp(t, ["mta-sts.other.test"]);
    host.answer = policy(...ENFORCE);
    const { sts, log } = start();
    assert.equal(await sts.policyOf("example.test"), undefined);
    assert.equal(log.named("mta_sts.failed").length, 1);
    assert.deepEqual(host.requests, []);
  });

  test("that never ends is given up after a minute", async (t) => {
    const { host, clock, start } = await setUp(t);
    const asked = new Promise<void>((resolve) => {
      host.answer = (response) => {
        response.writeHead(200, { "content-type": "text/plain" }).write("version: STSv1\n");
        resolve();
      };
    });
    const { sts, log } = start();
    const found = sts.policyOf("example.test");
    await asked;
    clock.advance(60_000);
    assert.equal(await found, undefined);
    assert.match(JSON.stringify(log.named("mta_sts.failed")), /it took too long/);
  });

  test("that cannot be fetched is not asked for again for five minutes", async (t) => {
    const { host, clock, start } = await setUp(t);
    const { mode } = start();
    assert.equal(await mode(), undefined);
    clock.advance(299_000);
    assert.equal(await mode(), undefined);
    assert.equal(host.requests.length, 1);
    host.answer = policy(...ENFORCE);
    clock.advance(1000);
    assert.equal(await mode(), "enforce");
  });
});

describe("a domain whose TXT record changes all the time", () => {
  test("has its policy fetched once in five minutes while that fails", async (t) => {
    const { host, dns, clock, start } = await setUp(t);
    const { mode } = start();
    for (let id = 1; id <= 10; id++) {
      dns.set(zone(String(id)));
      assert.equal(await mode(), undefined);
      clock.advance(61_000);
    }
    assert.equal(host.requests.length, 2);
  });

  test("and once a minute while that works; meanwhile the one from before holds", async (t) => {
    const { host, clock, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    let id = 1;
    const txt = () => records(`v=STSv1; id=${id};`);
    const { mode } = start({ resolver: { ...silent, txt, a: () => records("127.0.0.1") } });
    for (; id <= 10; id++) {
      assert.equal(await mode(), "enforce");
      clock.advance(6100);
    }
    assert.equal(host.requests.length, 1);
    assert.equal(await mode(), "enforce");
    assert.equal(host.requests.length, 2);
  });
});

test("a policy host in a network of ours is not connected to, whatever the port", async (t) => {
  const { host, start } = await setUp(t);
  host.answer = policy(...ENFORCE);
  let connections = 0;
  host.onConnection = () => connections++;
  const { port, ca = "" } = host.https;
  const { log, find } = start({ https: { ...HTTPS, port, ca } });
  assert.equal(await find(), undefined);
  assert.match(JSON.stringify(log.named("mta_sts.failed")), /nothing is sent to its addresses/);
  assert.equal(connections, 0);
});

test("policy hosts that say nothing: some are waited for, the others wait in line, and the line has an end", async (t) => {
  const { start } = await setUp(t);
  const started: string[] = [];
  const resolver = {
    ...silent,
    txt: () => records("v=STSv1; id=1;"),
    a: (name: string) => {
      started.push(name);
      return new Promise<never>(() => undefined);
    },
  };
  const { sts } = start({ resolver });
  const answers: unknown[] = [];
  for (let count = 0; count < 1100; count++)
    void sts.policyOf(`d${count}.test`).then((answer) => answers.push(answer));
  await until(() => answers.length === 50);
  assert.equal(started.length, 50);
  assert.deepEqual(new Set(answers), new Set(["unknown"]));
});

describe("a policy that is known", () => {
  test("outlives a restart, and holds when DNS and policy host are gone", async (t) => {
    const { host, dns, clock, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    await start().mode();
    dns.set({});
    host.answer = (response) => void response.destroy();
    clock.advance(6 * DAY);
    const { mode } = start();
    assert.equal(await mode(), "enforce");
    clock.advance(DAY);
    assert.equal(await mode(), undefined);
  });

  test("gives way to one with another id, and only when that has come", async (t) => {
    const { host, dns, clock, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    const { mode, log } = start();
    assert.equal(await mode(), "enforce");
    dns.set(zone("2"));
    clock.advance(HOUR / 2);
    host.answer = (response) => void response.writeHead(503).end();
    assert.equal(await mode(), "enforce");
    assert.deepEqual(
      log.named("mta_sts.failed").map((fields) => JSON.stringify(fields).includes('"kept":true')),
      [true],
    );
    host.answer = policy("mode: none", "max_age: 60");
    clock.advance(HOUR / 4);
    assert.equal(await mode(), "none");
  });

  test("is fetched again when it is a day old, unasked", async (t) => {
    const { host, clock, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    const { log, find } = start();
    const first = await find();
    clock.advance(23 * HOUR);
    assert.equal(host.requests.length, 1);
    clock.advance(HOUR);
    await until(() => log.named("mta_sts.fetched").length === 2);
    const second = await find();
    assert.ok(first !== undefined && second !== undefined && second.fetchedAt > first.fetchedAt);
  });

  test("holds for its time, though the clock is set ahead by 400 days, or back", async (t) => {
    const { host, dns, clock, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    const { mode } = start();
    assert.equal(await mode(), "enforce");
    dns.set(zone(undefined));
    clock.step(400 * DAY);
    assert.equal(await mode(), "enforce");
    clock.step(-800 * DAY);
    clock.advance(8 * DAY);
    assert.equal(await mode(), undefined);
  });

  test("that a clock which was ahead has fetched is fetched again within an hour of the start", async (t) => {
    const { host, clock, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    clock.step(9 * DAY);
    const { sts, mode: modeThen } = start();
    assert.equal(await modeThen(), "enforce");
    await sts.close();
    clock.step(-9 * DAY);
    const { mode, log } = start();
    assert.equal(await mode(), "enforce");
    clock.advance(HOUR);
    while (log.named("mta_sts.fetched").length === 0) await turn();
    assert.equal(host.requests.length, 2);
  });

  test("that has ended is forgotten, on disk too", async (t) => {
    const { host, dns, clock, directory, start } = await setUp(t);
    host.answer = policy("mode: enforce", "mx: mx.example.test", "max_age: 7200");
    await start().mode();
    assert.deepEqual(await readdir(join(directory, "mta-sts")), ["example.test.json"]);
    dns.set({});
    clock.advance(HOUR);
    assert.deepEqual(await readdir(join(directory, "mta-sts")), ["example.test.json"]);
    clock.advance(HOUR);
    await until(async () => (await readdir(join(directory, "mta-sts"))).length === 0);
  });

  test("is not written by a dry run, but read", async (t) => {
    const { host, dns, directory, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    assert.equal(await start({ readOnly: true }).mode(), "enforce");
    await assert.rejects(readdir(join(directory, "mta-sts")), /ENOENT/);
    await start().mode();
    dns.set({});
    assert.equal(await start({ readOnly: true }).mode(), "enforce");
  });

  test("is not taken from a file that somebody has damaged", async (t) => {
    const { host, dns, directory, start } = await setUp(t);
    host.answer = policy(...ENFORCE);
    await start().mode();
    dns.set({});
    await writeFile(join(directory, "mta-sts/example.test.json"), "{");
    const { mode, log } = start();
    assert.equal(await mode(), undefined);
    assert.equal(log.named("relay.warning").length, 1);
  });
});

/** Comes back when it is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await turn();
}

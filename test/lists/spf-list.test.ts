import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { bench, type TxtRecords, txtResolver } from "./support.ts";

const HOUR = 3_600_000;
const GOOD: TxtRecords = { "x.test": ["v=spf1 ip4:192.0.2.0/24 -all"] };
const OTHER: TxtRecords = { "x.test": ["v=spf1 ip4:198.51.100.0/24 -all"] };

/** Lets the promises of a refresh that a timer started run to their end. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

describe("an spf: list while the relay runs", () => {
  test("lets in nobody before the first good answer", async () => {
    using b = bench({ resolver: txtResolver(() => ({ "x.test": "temporary" })) });
    const list = b.lists.hosts(["spf:x.test"]);
    assert.equal(list.match("192.0.2.1").kind, "out");
    await b.lists.refresh();
    assert.equal(list.match("192.0.2.1").kind, "out");
    assert.deepEqual(b.log.named("hosts.failed"), [
      { list: "spf:x.test", error: "TXT of x.test: SERVFAIL", kept: 0 },
    ]);
    await b.lists.close();
  });

  test("is never emptied or opened by a bad answer", async () => {
    let records = GOOD;
    using b = bench({ resolver: txtResolver(() => records) });
    const list = b.lists.hosts(["spf:x.test"]);
    await b.lists.refresh();
    assert.equal(list.match("192.0.2.1").kind, "in");
    for (const bad of [
      { "x.test": "temporary" },
      {},
      { "x.test": [] },
      { "x.test": ["v=spf1 -all"] },
      { "x.test": ["v=spf1 +all"] },
      { "x.test": ["v=spf1 ip4:0.0.0.0/0 -all"] },
      { "x.test": ["v=spf1 ip4:rubbish -all"] },
    ] satisfies TxtRecords[]) {
      records = bad;
      await b.lists.refresh();
      assert.equal(list.match("192.0.2.1").kind, "in", JSON.stringify(bad));
      assert.equal(list.match("203.0.113.1").kind, "out", JSON.stringify(bad));
    }
    assert.equal(b.log.named("hosts.failed").length, 7);
    records = OTHER;
    await b.lists.refresh();
    assert.equal(list.match("192.0.2.1").kind, "out");
    assert.equal(list.match("198.51.100.1").kind, "in");
    await b.lists.close();
  });

  test("is refreshed every hour or so, sooner after a failure, until it is closed", async () => {
    let records = GOOD;
    const resolver = txtResolver(() => records);
    using b = bench({ resolver });
    b.lists.hosts(["spf:x.test"]);
    b.clock.advance(10 * HOUR);
    assert.equal(resolver.asked.length, 0, "nothing is asked before the first refresh");

    await b.lists.refresh();
    assert.equal(resolver.asked.length, 1);
    b.clock.advance(0.89 * HOUR);
    await settled();
    assert.equal(resolver.asked.length, 1);
    records = { "x.test": "temporary" };
    b.clock.advance(0.22 * HOUR);
    await settled();
    assert.equal(resolver.asked.length, 2);
    b.clock.advance(0.1 * HOUR);
    await settled();
    assert.equal(resolver.asked.length, 3, "after a failure");

    assert.equal(b.clock.pending, 1);
    await b.lists.close();
    assert.equal(b.clock.pending, 0);
    b.clock.advance(10 * HOUR);
    await settled();
    assert.equal(resolver.asked.length, 3);
  });

  test("a list that is made after the first refresh is resolved at once", async () => {
    using b = bench({ resolver: txtResolver(() => GOOD) });
    await b.lists.refresh();
    const list = b.lists.hosts(["spf:x.test"]);
    await settled();
    assert.equal(list.match("192.0.2.1").kind, "in");
    await b.lists.close();
  });

  test("an answer that comes after close is not used", async () => {
    using b = bench({ resolver: txtResolver(() => GOOD) });
    const list = b.lists.hosts(["spf:x.test"]);
    const refreshed = b.lists.refresh();
    await b.lists.close();
    await refreshed;
    assert.equal(list.match("192.0.2.1").kind, "out");
    assert.equal(b.clock.pending, 0);
  });

  test("keeps out what the record excepts", async () => {
    const records = { "x.test": ["v=spf1 -ip4:192.0.2.7 ip4:192.0.2.0/24 -all"] };
    using b = bench({ resolver: txtResolver(() => records) });
    const list = b.lists.hosts(["spf:x.test"]);
    await b.lists.refresh();
    assert.equal(list.match("192.0.2.6").kind, "in");
    assert.equal(list.match("192.0.2.7").kind, "out");
    await b.lists.close();
  });

  test("says once which mechanisms it does not follow", async () => {
    const records = { "x.test": ["v=spf1 mx ip4:192.0.2.1 -all"] };
    using b = bench({ resolver: txtResolver(() => records) });
    b.lists.hosts(["spf:x.test"]);
    await b.lists.refresh();
    await b.lists.refresh();
    assert.deepEqual(b.log.named("relay.warning"), [{ what: "spf:x.test does not follow mx" }]);
    await b.lists.close();
  });

  test("is described by the name of the list it is in", async () => {
    const hosts = { google: ["+nested", "10.0.0.1"], nested: ["spf:X.test", "+google"] };
    using b = bench({ resolver: txtResolver(() => GOOD), hosts });
    assert.equal(b.lists.describe("nowhere"), undefined);
    assert.equal(b.lists.describe("toString"), undefined);
    b.lists.describe("google");
    await b.lists.refresh();
    assert.deepEqual(b.lists.describe("google"), {
      name: "google",
      items: ["+nested", "10.0.0.1"],
      lookups: [
        {
          name: "x.test",
          source: "dns",
          fetchedAt: b.clock.now(),
          entries: ["192.0.2.0/24"],
          ignored: [],
          records: ["x.test"],
        },
      ],
    });
    await b.lists.close();
  });
});

function kept(given: object): string {
  return JSON.stringify({
    domain: "x.test",
    fetchedAt: 1,
    entries: ["192.0.2.0/24"],
    ignored: [],
    ...given,
  });
}

describe("the last good answer of an spf: list", () => {
  test("survives a restart without DNS", async () => {
    using b = bench();
    const stateDirectory = join(b.directory, "state", "hosts");
    using first = bench({ stateDirectory, resolver: txtResolver(() => GOOD) });
    first.lists.hosts(["spf:x.test"]);
    await first.lists.refresh();
    await first.lists.close();
    assert.deepEqual(readdirSync(stateDirectory), ["spf.x.test.json"], "no temporary file stays");

    using second = bench({ stateDirectory });
    const list = second.lists.hosts(["spf:x.test"]);
    assert.equal(list.match("192.0.2.1").kind, "in", "before any refresh");
    await second.lists.refresh();
    assert.equal(list.match("192.0.2.1").kind, "in", "after a failed one");
    await second.lists.close();
  });

  test("is not written by a dry run, only read", async () => {
    using b = bench();
    const stateDirectory = join(b.directory, "state");
    using dry = bench({ stateDirectory, readOnly: true, resolver: txtResolver(() => GOOD) });
    const list = dry.lists.hosts(["spf:x.test"]);
    await dry.lists.refresh();
    assert.equal(list.match("192.0.2.1").kind, "in");
    assert.equal(existsSync(stateDirectory), false);
    await dry.lists.close();
  });

  test("cannot be written: the list is used all the same, and the trouble is logged", async () => {
    using b = bench();
    const stateDirectory = b.write("file", "in the way");
    using c = bench({ stateDirectory, resolver: txtResolver(() => GOOD) });
    const list = c.lists.hosts(["spf:x.test"]);
    await c.lists.refresh();
    assert.equal(list.match("192.0.2.1").kind, "in");
    assert.match(JSON.stringify(c.log.named("hosts.failed")), /cannot be (written|used)/);
    await c.lists.close();
  });

  for (const [name, content] of [
    ["cut off", kept({}).slice(0, 40)],
    ["empty", ""],
    ["no object", "[]"],
    ["null", "null"],
    ["of another domain", kept({ domain: "y.test" })],
    ["without a time", kept({ fetchedAt: "yesterday" })],
    ["without entries", kept({ entries: [] })],
    ["with entries that are no texts", kept({ entries: [1] })],
    ["with a broken entry", kept({ entries: ["192.0.2.0/24", "192.0.2.0/33"] })],
    ["with a star", kept({ entries: ["*"] })],
    ["with a named list", kept({ entries: ["+trusted"] })],
    ["with nothing but exceptions", kept({ entries: ["!192.0.2.1"] })],
    ["with everybody", kept({ entries: ["0.0.0.0/0"] })],
    ["with everybody in halves", kept({ entries: ["0.0.0.0/1", "128.0.0.0/1"] })],
  ] as const) {
    test(`is not believed when the file is ${name}`, () => {
      using b = bench();
      b.write("spf.x.test.json", content);
      using c = bench({ stateDirectory: b.directory });
      assert.equal(c.lists.hosts(["spf:x.test"]).match("192.0.2.1").kind, "out");
      assert.equal(c.log.named("hosts.failed").length, 1);
      assert.equal(readFileSync(join(b.directory, "spf.x.test.json"), "utf8"), content);
    });
  }

  test("is believed when the file is whole", () => {
    using b = bench();
    writeFileSync(join(b.directory, "spf.x.test.json"), kept({}));
    using c = bench({ stateDirectory: b.directory });
    assert.equal(c.lists.hosts(["spf:x.test"]).match("192.0.2.1").kind, "in");
    assert.deepEqual(c.log.events, []);
  });
});

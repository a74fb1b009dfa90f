// relayctl hosts: what the lists hold, with a running relay and without one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { startDns, type Zone } from "../support/dns.ts";
import { Place, relayctl } from "../support/program.ts";
import { startTestRelay } from "../support/relay.ts";

const config = (dns: string) => `
[relay]
hostname = "mx.example.com"
spool_directory = "."
[dns]
servers = ["${dns}"]
[[listeners]]
address = "127.0.0.1:0"
${LISTS}`;

const LISTS = `
[hosts]
google = ["spf:_spf.google.test"]
trusted = ["+google", "!192.0.2.9", "192.0.2.0/24"]
[gate]
local_domains = "example.com"
[[routers]]
name = "all"
driver = "accept"
domains = "example.com"
transport = "gmail"
[transports.gmail]
driver = "smtp"
hosts = ["127.0.0.1:9"]
`;

const ZONE: Zone = {
  "_spf.google.test": {
    TXT: ["v=spf1 include:_netblocks.google.test ip4:198.51.100.0/24 a:x.test ~all"],
  },
  "_netblocks.google.test": { TXT: ["v=spf1 ip6:2001:db8::/32 ~all"] },
};

const ANSWERED = `google
  written: spf:_spf.google.test
  _spf.google.test: 2 networks, from the SOURCE, 0s ago
    2001:db8::/32
    198.51.100.0/24
    read with it: _netblocks.google.test
    left out: a:x.test
`;

suite("relayctl hosts without a relay", () => {
  test("asks nobody to show a list, and keeps what it was told", async () => {
    await using dns = await startDns(ZONE);
    using place = new Place();
    place.write("routers.toml", config(dns.address));
    const never = await place.relayctl("hosts", "show", "google", "--config", "routers.toml");
    assert.equal(
      never.stdout,
      `google
  written: spf:_spf.google.test
  _spf.google.test: 0 networks, never resolved
    it holds no host, so rules for it let nobody in
`,
    );
    assert.deepEqual([never.code, never.stderr, dns.queries], [0, "", []]);

    const fresh = await place.relayctl("hosts", "refresh", "google", "--config", "routers.toml");
    assert.deepEqual([fresh.code, fresh.stdout], [0, ANSWERED.replace("SOURCE", "DNS")]);
    assert.match(fresh.stderr, /^No relay runs: the answers are on disk/);

    dns.set({});
    const kept = await place.relayctl("hosts", "show", "google", "--config", "routers.toml");
    assert.equal(kept.stdout.replace(/\d+s ago/, "0s ago"), ANSWERED.replace("SOURCE", "disk"));
  });

  test("keeps the last answer when the DNS has none, and exits with 69", async () => {
    await using dns = await startDns(ZONE);
    using place = new Place();
    place.write("routers.toml", config(dns.address));
    await place.relayctl("hosts", "refresh", "--config", "routers.toml");
    const file = join(place.directory, "spf._spf.google.test.json");
    const before = readFileSync(file, "utf8");
    for (const broken of ["SERVFAIL", "NXDOMAIN"] as const) {
      dns.set({ ...ZONE, fail: { "TXT _spf.google.test": broken } });
      const failed = await place.relayctl("hosts", "refresh", "--json", "--config", "routers.toml");
      const { lists } = JSON.parse(failed.stdout);
      assert.deepEqual([failed.code, lists[0].lookups[0].entries.length], [69, 2]);
      assert.match(lists[0].lookups[0].error, broken === "SERVFAIL" ? /SERVFAIL/ : /no SPF record/);
      assert.equal(readFileSync(file, "utf8"), before);
    }
  });

  test("knows its lists by name", async () => {
    await using dns = await startDns();
    using place = new Place();
    place.write("routers.toml", config(dns.address));
    const other = await place.relayctl("hosts", "show", "gogle", "--config", "routers.toml");
    assert.deepEqual(
      [other.code, other.stderr],
      [1, '[hosts] has no list "gogle"; there are: google, trusted\n'],
    );
    const all = await place.relayctl("hosts", "show", "--json", "--config", "routers.toml");
    const { lists } = JSON.parse(all.stdout);
    assert.deepEqual(
      lists.map((list: { name: string; lookups: unknown[] }) => [list.name, list.lookups.length]),
      [
        ["google", 1],
        ["trusted", 1],
      ],
    );
  });
});

test("a running relay is told to refresh, and shows what is in force", async () => {
  await using relay = await startTestRelay({ config: LISTS });
  const run = (...args: string[]) =>
    relayctl(["hosts", ...args, "--config", join(relay.directory, "routers.toml")]);
  relay.dns.set(ZONE);
  const fresh = await run("refresh", "--json");
  const [google] = JSON.parse(fresh.stdout).lists;
  assert.deepEqual([fresh.code, fresh.stderr], [0, ""]);
  assert.deepEqual(google.lookups[0].entries, ["2001:db8::/32", "198.51.100.0/24"]);
  assert.equal(relay.log.named("hosts.refreshed").length, 1);
  const shown = await run("show", "google");
  assert.equal(shown.stdout.replace(/\d+s ago/, "0s ago"), ANSWERED.replace("SOURCE", "DNS"));
});

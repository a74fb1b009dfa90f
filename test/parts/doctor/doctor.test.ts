// relayctl doctor as its users run it: arguments, exit codes, the object of --json, and text of 80 columns.

import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { findUser } from "../../../src/base/users.ts";
import { exitCodeOf, reportText } from "../../../src/parts/doctor/report.ts";
import { startDns } from "../../support/dns.ts";
import { Place, relayctl } from "../../support/program.ts";
import { World, ZONE } from "./world.ts";

const NOBODY = findUser("nobody");

suite("relayctl doctor", () => {
  test("prints one object, and exits by the worst finding", async () => {
    await using world = await World.open();
    const run = (...args: string[]) => relayctl(["doctor", ...args, "--config", world.file]);
    const good = await run("queue", "relay", "accounts", "--json");
    assert.deepEqual([good.code, good.stderr], [0, ""]);
    const { checks } = JSON.parse(good.stdout);
    assert.deepEqual(checks.slice(0, 2), [
      { check: "accounts", result: "ok", found: "1 account, 1 alias", advice: "" },
      { check: "queue", result: "ok", found: "the queue is empty", advice: "" },
    ]);
    assert.deepEqual(
      checks.map(({ check, result }: { check: string; result: string }) => `${check} ${result}`),
      ["accounts ok", "queue ok", "relay ok", "relay ok"],
    );
    world.zone({ "_dmarc.example.com": undefined, "_mta-sts.example.com": undefined });
    assert.equal((await run("dns")).code, 1);
    world.zone({ "example.com": undefined, "_mta-sts.example.com": undefined });
    assert.equal((await run("dns")).code, 2);
  });

  test("names its checks, and the problems of a configuration", async () => {
    using place = new Place();
    place.write("wrong.toml", "[relay]\nhostname = 3\n");
    const unknown = await place.relayctl("doctor", "dsn");
    assert.equal(unknown.code, 64);
    assert.match(unknown.stderr, /^"dsn" is no check; there are: dns, tls, .*google\n$/);
    const wrong = await place.relayctl("doctor", "--config", "wrong.toml");
    assert.deepEqual([wrong.code, wrong.stdout], [78, ""]);
    assert.match(wrong.stderr, /wrong\.toml:2: relay\.hostname/);
    assert.equal((await place.relayctl("doctor", "--config", "gone.toml")).code, 66);
  });

  const asRoot = { skip: process.getuid?.() !== 0 || NOBODY === undefined };
  test("sees files with the eyes of the relay's user", asRoot, async () => {
    await using dns = await startDns(ZONE);
    using place = new Place();
    chmodSync(place.directory, 0o755);
    place.write(
      "routers.toml",
      `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
user = "nobody"
[dns]
servers = ["${dns.address}"]
[[listeners]]
address = "127.0.0.1:0"
[gate]
local_domains = ["example.com"]
[[routers]]
name = "all"
driver = "accept"
domains = ["example.com"]
transport = "store"
[transports.store]
driver = "maildir-append"
directory = "mail/{domain}/{local_part}"
`,
    );
    const { uid = 0, gid = 0 } = NOBODY ?? {};
    const own = (name: string) => {
      const path = join(place.directory, name);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chownSync(path, uid, gid);
      return path;
    };
    const spool = own("spool");
    for (const name of ["mail", "mail/example.com"]) own(name);
    const alice = own("mail/example.com/alice");
    const look = async () => {
      const { stdout } = await place.relayctl(
        "doctor",
        "disk",
        "--json",
        "--config",
        "routers.toml",
      );
      const { checks } = JSON.parse(stdout);
      return checks
        .filter(({ result }: { result: string }) => result !== "ok")
        .map(({ result, found }: { result: string; found: string }) =>
          `${result} ${found}`.replaceAll(`${place.directory}/`, ""),
        );
    };
    assert.deepEqual(await look(), []);
    chownSync(alice, 0, 0);
    assert.deepEqual(await look(), [
      "fail the Maildirs (mail): the user nobody may not write to mail/example.com/alice",
    ]);
    chownSync(alice, uid, gid);
    chownSync(spool, 0, 0);
    assert.deepEqual(await look(), ["fail the spool (spool): the user nobody may not write to it"]);
  });
});

suite("the report", () => {
  const findings = [
    { check: "dns", result: "ok", found: "A of mx.example.com: 192.0.2.1 leads here", advice: "" },
    {
      check: "dns",
      result: "fail",
      found:
        "MX of example.com: aspmx.l.google.com (20) takes mail past this relay, so such mail has no copy",
      advice: "Remove aspmx.l.google.com from the MX records.",
    },
    { check: "tls", result: "warn", found: `${"a\u001b[2Jb ".repeat(3)}ends`, advice: "Renew it." },
    { check: "relay", result: "skipped", found: "the relay does not run", advice: "" },
  ] as const;

  test("fits 80 columns, with the advice below what was found", () => {
    assert.equal(
      reportText(findings),
      `dns       ok   A of mx.example.com: 192.0.2.1 leads here
          FAIL MX of example.com: aspmx.l.google.com (20) takes mail past this
               relay, so such mail has no copy
               > Remove aspmx.l.google.com from the MX records.

tls       WARN a\\u001b[2Jb a\\u001b[2Jb a\\u001b[2Jb ends
               > Renew it.

relay     skip the relay does not run

1 failure, 1 warning, 1 skipped, 1 ok.
`,
    );
  });

  test("sums up: failures before warnings, and skipped is no warning", () => {
    const cases = [
      [["ok", "skipped"], 0],
      [["ok", "warn"], 1],
      [["warn", "fail"], 2],
      [[], 0],
    ] as const;
    for (const [wanted, code] of cases) {
      const found = findings.filter(({ result }) => wanted.some((one) => one === result));
      assert.equal(exitCodeOf(found), code);
    }
  });
});

// What belongs to root stays root's, whatever lies in the spool when relayctl is started as root; and what relayctl makes
// as root belongs to the user of the relay.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { findUser } from "../../src/base/users.ts";
import { HistoryDays } from "../../src/observe/history/day-files.ts";
import { Place } from "../support/program.ts";
import { type RelayProcess, startRelayProcess } from "../support/relay-process.ts";

const NOBODY = findUser("nobody");

function config(more: string): string {
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
${more}
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
directory = "mail/{domain}"
`;
}

class Roots extends Place {
  constructor() {
    super();
    chmodSync(this.directory, 0o755);
    this.configure('user = "nobody"');
  }

  configure(more: string): void {
    this.write("routers.toml", config(more));
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  start(): Promise<RelayProcess> {
    return startRelayProcess(this.path("routers.toml"));
  }

  async run(): Promise<string> {
    const relay = await this.start();
    await relay.kill("SIGTERM");
    return relay.log();
  }

  /** A directory of nobody's. */
  own(name: string): string {
    const path = this.path(name);
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, NOBODY?.uid ?? 0, NOBODY?.gid ?? 0);
    return path;
  }

  /** Of root, with this many files. */
  treasure(count: number): string {
    const path = this.path("treasure");
    mkdirSync(path);
    for (let at = 0; at < count; at++) this.write(`treasure/${at}`, "root's");
    return path;
  }

  owners(name: string): Set<number> {
    const path = this.path(name);
    const below = readdirSync(path, { recursive: true, encoding: "utf8" });
    return new Set([path, ...below.map((one) => join(path, one))].map((one) => lstatSync(one).uid));
  }
}

/** Has one place in the spool lead to `target` and back, as fast as it can, as nobody. */
const SWAPPING = `
const fs = require("node:fs");
const [name, target, uid] = process.argv.slice(1);
process.setgroups([Number(uid)]); process.setgid(Number(uid)); process.setuid(Number(uid));
process.stdout.write("begun");
for (;;) {
  try { fs.renameSync(name, name + ".away"); } catch {}
  try { fs.symlinkSync(target, name); } catch {}
  try { fs.unlinkSync(name); } catch {}
  try { fs.renameSync(name + ".away", name); } catch {}
}`;

suite("relayctl as root", { skip: process.getuid?.() !== 0 || NOBODY === undefined }, () => {
  const uid = NOBODY?.uid ?? 0;

  test("gives nothing away to a user who swaps directories of the spool meanwhile", async () => {
    using here = new Roots();
    const treasure = here.treasure(2000);
    here.own("spool");
    for (const name of ["bodies", "history"]) here.own(`spool/${name}`);
    const attackers = ["bodies", "history"].map((name) =>
      spawn(process.execPath, ["-e", SWAPPING, here.path(`spool/${name}`), treasure, String(uid)], {
        stdio: ["ignore", "pipe", "inherit"],
      }),
    );
    try {
      await Promise.all(attackers.map(({ stdout }) => once(stdout, "data")));
      for (let starts = 0; starts < 3; starts++) {
        // The relay may find that it cannot work there, and then does not start.
        await here.run().catch(() => undefined);
      }
      await here.relayctl("queue", "list", "--config", "routers.toml");
    } finally {
      for (const attacker of attackers) {
        attacker.kill("SIGKILL");
        await once(attacker, "exit");
      }
    }
    assert.deepEqual(here.owners("treasure"), new Set([0]));
    assert.equal(readdirSync(treasure).length, 2000);
  });

  test("leaves root's what a hard link in the spool leads to, and names it", async () => {
    using here = new Roots();
    const secret = here.write("secret", "root's");
    here.own("spool");
    here.own("spool/bodies");
    linkSync(secret, here.path("spool/bodies/0123456789"));
    linkSync(secret, here.path("spool/more"));
    const log = await here.run();
    assert.equal(statSync(secret).uid, 0);
    const what = `spool/bodies/0123456789, ${here.path("spool/more")} belong to another user than nobody`;
    assert.ok(log.includes(what), log);
    assert.ok(log.includes(`chown -R nobody: ${here.path("spool")}`), log);
  });

  test("leaves root's what SQLite's own files are linked to, when the queue is read", async () => {
    using here = new Roots();
    const secret = here.write("secret", "");
    await here.run();
    for (const name of ["spool.sqlite-shm", "spool.sqlite-wal"]) {
      const path = here.path(`spool/${name}`);
      rmSync(path, { force: true });
      linkSync(secret, path);
    }
    await here.relayctl("queue", "list", "--config", "routers.toml");
    const { uid: owner, size } = statSync(secret);
    assert.deepEqual({ owner, size }, { owner: 0, size: 0 });
  });

  test("leaves root's what a link in the place of the history leads to", async () => {
    using here = new Roots();
    const treasure = here.treasure(3);
    here.own("spool");
    symlinkSync(treasure, here.path("spool/history"));
    symlinkSync(here.path("treasure/1"), here.path("spool/lock.old"));
    await here.run();
    assert.deepEqual(here.owners("treasure"), new Set([0]));
  });

  test("writes a history as root without giving away where it leads", () => {
    using here = new Roots();
    const treasure = here.treasure(1);
    here.own("spool");
    symlinkSync(treasure, here.path("spool/history"));
    const days = new HistoryDays(here.path("spool"), { keep: 1e9, sizeMax: 1e8, reserve: 0 });
    const piece = { key: "-1", at: 1, events: "[]", count: 1, leftOut: 0, addresses: [] };
    days.write([piece], Date.UTC(2026, 10, 22));
    days.close();
    assert.deepEqual(here.owners("treasure"), new Set([0]));
  });

  test("does not make a directory where others could put another in its place", async () => {
    using here = new Roots();
    here.own("mail");
    const log = await here.run();
    assert.doesNotMatch(log, /relay\.warning/);
    assert.deepEqual(here.owners("mail"), new Set([uid]));

    // Nor where they have put a link: it leads into a directory of root's.
    symlinkSync(here.treasure(0), here.path("mail/link"));
    here.write("routers.toml", config(`user = "nobody"`).replace('"mail/', '"mail/link/deep/'));
    await here.run();
    assert.deepEqual(readdirSync(here.path("treasure")), []);

    here.own("parent");
    chmodSync(here.path("parent"), 0o500);
    here.write("routers.toml", config(`user = "nobody"`).replace('"spool"', '"parent/spool"'));
    await assert.rejects(here.start(), /nobody may not create .*\/parent\/spool: run "install -d /);
    assert.deepEqual(readdirSync(here.path("parent")), []);
  });

  test("says what to chown when a relay that ran as root gets a user", async () => {
    using here = new Roots();
    here.configure("");
    await here.run();
    here.configure('user = "nobody"');
    const spool = here.path("spool");
    const refusal = new RegExp(
      `nobody cannot use the spool: ${spool}[^\\n]* run "chown -R nobody: ${spool}"`,
    );
    await assert.rejects(here.start(), refusal);
    assert.deepEqual(here.owners("spool"), new Set([0]));
    // relayctl says the same.
    const args = ["queue", "hold", "--domain", "example.com", "--config", "routers.toml"];
    const { code, stderr } = await here.relayctl(...args);
    assert.equal(code, 69);
    assert.match(stderr, refusal);

    // With the directory alone it is not done.
    chownSync(spool, uid, NOBODY?.gid ?? 0);
    await assert.rejects(here.start(), /spool\/lock, .*spool\.sqlite/);
    const again = await here.relayctl(...args);
    assert.match(again.stderr, /spool\/lock, .*spool\.sqlite/);
    assert.equal(statSync(join(spool, "spool.sqlite")).uid, 0);

    const chown = spawn("chown", ["-R", "nobody:", spool]);
    await once(chown, "exit");
    assert.doesNotMatch(await here.run(), /another user/);
    assert.deepEqual(here.owners("spool"), new Set([uid]));
  });

  test("names the directories of root's that copies cannot be written to", async () => {
    using here = new Roots();
    here.own("mail");
    mkdirSync(here.path("mail/example.com"), { mode: 0o700 });
    const log = await here.run();
    const path = here.path("mail/example.com");
    assert.ok(log.includes(`${path} cannot be written to`), log);
    assert.ok(log.includes(`chown -R nobody: ${path}`), log);
  });

  test("changes the queue and reads it without leaving files of root's", async () => {
    using here = new Roots();
    await here.run();
    for (const name of ["history", "lock"])
      rmSync(here.path(`spool/${name}`), { recursive: true, force: true });
    const at = ["--config", "routers.toml"];
    assert.equal((await here.relayctl("queue", "list", ...at)).code, 0);
    assert.equal((await here.relayctl("queue", "hold", "--domain", "a.example", ...at)).code, 0);
    assert.equal((await here.relayctl("queue", "hold", ...at)).stdout.includes("a.example"), true);
    await here.relayctl("trace", "a@a.example", ...at);
    assert.deepEqual(here.owners("spool"), new Set([uid]));
    assert.doesNotMatch(await here.run(), /another user/);
  });
});

// relayctl accounts, against a fake Google: what is printed and written, the exit codes, and that no secret gets out.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type FakeGoogle, startGoogle } from "../../support/google.ts";
import { type Finished, Place, relayctl } from "../../support/program.ts";

/** A configuration in a directory of its own, for a fake Google with alice and a group. */
class Office extends Place {
  readonly google: FakeGoogle;

  constructor(google: FakeGoogle, accounts = "") {
    super();
    this.google = google;
    this.write("key.json", google.keyFile());
    this.write("routers.toml", configured(google, accounts));
    google.users = [
      { primaryEmail: "alice@example.com", aliases: ["al@example.com", "alice@example.net"] },
    ];
    google.groups = [{ email: "sales@example.com" }];
    google.members = { "sales@example.com": [{ type: "USER", email: "alice@example.com" }] };
  }

  /** Runs the command, and looks for secrets in everything that it leaves. */
  async accounts(words: string, env: Readonly<Record<string, string>> = {}): Promise<Finished> {
    const args = ["accounts", ...words.split(" "), "--config", "routers.toml"];
    const finished = await relayctl(args, { cwd: this.directory, env });
    const left = [...this.files().values(), finished.stdout, finished.stderr].join("\n");
    for (const secret of this.google.secrets) assert.ok(!left.includes(secret), "a secret");
    return finished;
  }

  /** All files but the key, by name. */
  files(): Map<string, string> {
    const names = readdirSync(this.directory, { recursive: true, encoding: "utf8" });
    const own = names.filter((name) => name !== "key.json").toSorted((a, b) => (a < b ? -1 : 1));
    return new Map(
      own.flatMap((name) => {
        const path = join(this.directory, name);
        return statSync(path).isFile() ? [[name, readFileSync(path, "utf8")]] : [];
      }),
    );
  }

  list(domain = "example.com"): string {
    return readFileSync(join(this.directory, "accounts", domain), "utf8");
  }
}

const ROUTERS = `[[routers]]
name = "copies"
driver = "unseen-copy"
domains = "+ours"
local_parts = "lsearch:accounts/{domain}"
transport = "nowhere"
[[routers]]
name = "users"
driver = "accept"
domains = "+ours"
local_parts = "lsearch:accounts/{domain}"
transport = "nowhere"
[transports.nowhere]
driver = "discard"
`;

function configured(google: FakeGoogle, accounts: string): string {
  const defaults = {
    key_file: '"key.json"',
    subject: '"admin@example.com"',
    domains: '["example.com", "example.net"]',
    file: '"accounts/{domain}"',
    api: `"${google.base}"`,
  };
  const given = new Set(accounts.split("\n").map((line) => line.split(" ")[0]));
  const lines = Object.entries(defaults).flatMap(([key, value]) =>
    given.has(key) ? [] : [`${key} = ${value}`],
  );
  const section = accounts === "none" ? "" : ["[accounts]", ...lines, accounts, ""].join("\n");
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:2525"
[domains]
ours = ["example.com", "example.net"]
[gate]
local_domains = "+ours"
${section}${ROUTERS}`;
}

async function office(accounts = "") {
  const google = await startGoogle();
  const here = new Office(google, accounts);
  return {
    here,
    google,
    async [Symbol.asyncDispose]() {
      here[Symbol.dispose]();
      await google[Symbol.asyncDispose]();
    },
  };
}

/** The lines that are neither comments nor blank. */
const names = (list: string) =>
  list.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("a sync writes a file for each domain, and the members of groups", async () => {
  await using o = await office('group_members = "group_members"');
  const { code, stdout, stderr } = await o.here.accounts("sync");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^1 user, 1 group, 2 aliases\nadded:\n {2}abuse@example\.com\n/);
  assert.deepEqual(names(o.here.list()), ["abuse", "al: alice", "alice", "postmaster", "sales"]);
  assert.deepEqual(names(o.here.list("example.net")), [
    "abuse",
    "alice: alice@example.com",
    "postmaster",
  ]);
  const members = o.here.files().get("group_members") ?? "";
  assert.deepEqual(names(members), ["sales@example.com: alice@example.com"]);
  assert.match(o.here.list(), /^# .*written by unseen at 2\d{3}-.*Z:\n# 1 user, 1 group, 1 alias/);
  assert.equal(statSync(join(o.here.directory, "accounts/example.com")).mode & 0o777, 0o640);
  const again = await o.here.accounts("sync --json");
  const { files, ...report } = JSON.parse(again.stdout);
  assert.deepEqual(report, {
    users: 1,
    groups: 1,
    aliases: 2,
    added: [],
    removed: [],
    delayed: [],
    written: true,
  });
  assert.deepEqual(
    files.map((file: string) => file.slice(o.here.directory.length)),
    ["/accounts/example.com", "/accounts/example.net", "/group_members"],
  );
});

test("a dry run writes nothing", async () => {
  await using o = await office();
  const before = o.here.files();
  const { code, stdout } = await o.here.accounts("sync --dry-run --json");
  assert.equal(code, 0);
  const { written, added } = JSON.parse(stdout);
  assert.equal(written, false);
  assert.ok(added.includes("alice@example.com"));
  assert.deepEqual(o.here.files(), before);
});

describe("a sync that is refused writes nothing", () => {
  test("a shrink, until it is ordered", async () => {
    await using o = await office('removal_delay = "0s"');
    o.google.users = ["a", "b", "c", "d"].map((name) => ({ primaryEmail: `${name}@example.com` }));
    await o.here.accounts("sync");
    const before = o.here.files();
    o.google.users = o.google.users.slice(0, 2);
    for (const words of ["sync", "sync --json", "sync --dry-run"]) {
      const refused = await o.here.accounts(words);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /^nothing was written: the sync would take out 2 of the 7 entries/,
      );
      assert.equal(refused.stderr.trim().split("\n").length, 1);
      if (words === "sync --json") assert.equal(JSON.parse(refused.stdout).written, false);
      assert.deepEqual(o.here.files(), before);
    }
    const forced = await o.here.accounts("sync --force --json");
    assert.deepEqual([forced.code, JSON.parse(forced.stdout).removed.length], [0, 2]);
    assert.deepEqual(names(o.here.list()), ["a", "abuse", "b", "postmaster", "sales"]);
  });

  test("an empty directory, by order too", async () => {
    await using o = await office('shrink_limit = "100%"\nremoval_delay = "0s"');
    await o.here.accounts("sync");
    const before = o.here.files();
    for (const users of [[], [{ primaryEmail: "x@example.org" }]]) {
      o.google.users = users;
      for (const words of ["sync", "sync --force"]) {
        const { code, stderr } = await o.here.accounts(words);
        assert.equal(code, 1, words);
        assert.match(stderr, /no user with an address in example\.com, example\.net/);
      }
    }
    o.google.always("/users", "nothing");
    assert.equal((await o.here.accounts("sync --force")).code, 1);
    assert.deepEqual(o.here.files(), before);
  });

  test("a directory that could be read in part", async () => {
    await using o = await office();
    await o.here.accounts("sync");
    const before = o.here.files();
    o.google.always("/groups", { status: 404, reason: "notFound" });
    const { code, stderr } = await o.here.accounts("sync --force");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^nothing was written: only a part of the directory could be read: groups/,
    );
    assert.deepEqual(o.here.files(), before);
  });

  test("a file that cannot be read", async () => {
    await using o = await office();
    mkdirSync(join(o.here.directory, "accounts/example.com"), { recursive: true });
    const { code, stderr } = await o.here.accounts("sync");
    assert.equal(code, 1);
    assert.match(stderr, /accounts\/example\.com cannot be read: is not a regular file/);
  });

  test("a place that cannot be written to", async () => {
    await using o = await office('group_members = "key.json/members"');
    const { code, stderr } = await o.here.accounts("sync");
    assert.equal(code, 1);
    assert.match(stderr, /^nothing was written: ENOTDIR/);
    assert.ok(!o.here.files().has("accounts/example.com"));
    assert.ok(!o.here.files().has("spool/accounts.json"));
  });
});

describe("an error is one line with Google's text and the setting to change", () => {
  const cases: Readonly<
    Record<string, readonly [string, (google: FakeGoogle, here: Office) => unknown, number, RegExp]>
  > = {
    "no table [accounts]": ["none", () => undefined, 78, /there is no \[accounts\] table/],
    "a key file that is missing": ['key_file = "none.json"', () => undefined, 78, /none\.json/],
    "a key file that is none": ["", (_, here) => here.write("key.json", "{}"), 78, /key\.json/],
    "a subject without delegation": [
      "",
      (google) => (google.tokens.scopes = []),
      69,
      /Client is unauthorized to retrieve access tokens.*admin\.google\.com/,
    ],
    "a missing scope": [
      'group_members = "m"',
      (google) => (google.tokens.scopes = google.tokens.scopes.slice(0, 2)),
      69,
      /not authorized for any of the scopes requested.*admin\.google\.com/,
    ],
    "a wrong customer": [
      'customer = "C02"',
      () => undefined,
      69,
      /Bad request for customer.*customer/,
    ],
  };
  for (const [how, [accounts, spoil, expected, message]] of Object.entries(cases)) {
    test(how, async () => {
      await using o = await office(accounts);
      spoil(o.google, o.here);
      const before = o.here.files();
      const { code, stdout, stderr } = await o.here.accounts("sync --json");
      assert.equal(code, expected, stderr);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      assert.equal(stdout, "");
      assert.deepEqual(o.here.files(), before);
    });
  }
});

test("without key_file the environment has the credentials, or the machine", async () => {
  await using o = await office('customer = "C01fake"');
  const text = readFileSync(join(o.here.directory, "routers.toml"), "utf8");
  writeFileSync(
    join(o.here.directory, "routers.toml"),
    text.replace(/^(?:key_file|subject) = .*\n/gm, ""),
  );
  const key = join(o.here.directory, "key.json");
  const byFile = await o.here.accounts("sync", { GOOGLE_APPLICATION_CREDENTIALS: key });
  assert.deepEqual([byFile.code, byFile.stderr], [0, ""]);
  const { host } = new URL(o.google.base);
  const byMachine = await o.here.accounts("sync", { GCE_METADATA_HOST: host });
  assert.deepEqual([byMachine.code, byMachine.stderr], [0, ""]);
  assert.equal(o.google.tokens.claims.length, 1);
});

test("a file that is replaced keeps its mode, and a hand-written one its names for the present", async () => {
  await using o = await office();
  mkdirSync(join(o.here.directory, "accounts"));
  const path = o.here.write("accounts/example.com", "alice\nhand.made: alice\n# eve\nfred\n");
  writeFileSync(path, readFileSync(path), { mode: 0o604 });
  const mode = statSync(path).mode & 0o777;
  const { code } = await o.here.accounts("sync");
  assert.equal(code, 0);
  assert.equal(statSync(path).mode & 0o777, mode);
  assert.deepEqual(names(o.here.list()), [
    "abuse",
    "al: alice",
    "alice",
    "fred",
    "hand.made: alice",
    "postmaster",
    "sales",
  ]);
});

test("show lists all accounts, and finds the account of an address", async () => {
  await using o = await office();
  const before = await o.here.accounts("show");
  assert.match(before.stdout, /^0 accounts with 0 aliases; no sync from a directory\n/);
  await o.here.accounts("sync");
  const { stdout } = await o.here.accounts("show");
  assert.match(stdout, /^6 accounts with 2 aliases; last sync 2\d{3}-[^\n]* UTC, just now\n\n/);
  assert.match(stdout, /\nalice@example\.com {2}user\n {4}al@example\.com, alice@example\.net\n/);
  const one = await o.here.accounts("show alice+x@example.net --json");
  const { account, why } = JSON.parse(one.stdout);
  assert.equal(account.address, "alice@example.com");
  assert.match(why, /alias of alice@example\.com/);
  const all = await o.here.accounts("show --json");
  assert.deepEqual(Object.keys(JSON.parse(all.stdout)), ["source", "synced_at", "accounts"]);
  const none = await o.here.accounts("show ghost@example.com");
  assert.deepEqual([none.code, none.stderr], [1, "ghost@example.com: belongs to no account\n"]);
});

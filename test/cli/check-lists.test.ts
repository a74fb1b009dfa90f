// What relayctl check says of the files that routers.toml names: accounts and aliases, with the line.

import assert from "node:assert/strict";
import { test } from "node:test";
import { confirmList, writeKeptList } from "../../src/lists/kept-list.ts";
import { Place } from "../support/program.ts";

const CONFIG = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
postmaster = "me@elsewhere.example"
[[listeners]]
address = "127.0.0.1:2525"
[domains]
ours = ["example.com"]
[gate]
local_domains = "+ours"
[[gate.relay]]
hosts = "127.0.0.1"
sender_domains = "*"
[[routers]]
name = "aliases"
driver = "redirect"
domains = "+ours"
file = "aliases"
[[routers]]
name = "accounts"
driver = "accept"
domains = "+ours"
local_parts = "lsearch:accounts"
transport = "nowhere"
[[routers]]
name = "world"
driver = "dnslookup"
domains = ["!+ours"]
transport = "nowhere"
[transports.nowhere]
driver = "discard"
`;

/** The warnings of `relayctl check`, which ends well all the same. */
async function warnings(files: Readonly<Record<string, string>>): Promise<string[]> {
  using here = new Place();
  here.write("routers.toml", CONFIG);
  for (const [name, content] of Object.entries(files)) here.write(name, content);
  return await warningsOf(here);
}

async function warningsOf(here: Place): Promise<string[]> {
  const { code, stdout, stderr } = await here.relayctl("check", "--config", "routers.toml");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "routers.toml: ok\n" });
  return here
    .anonymous(stderr)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace("warning: DIR/", ""));
}

test("entries of an alias file that put their mail off are named with their line", async () => {
  const aliases = [
    "  lost: alice",
    "# fine",
    'sales: alice, "bob", dave@example.org, "a b"@example.org',
    "pipe: alice,",
    "  |/usr/bin/vacation",
    'quoted: "|/usr/bin/vacation"',
    "file: /var/mail/x",
    'more: ":include:/etc/more"',
    "slip: alice bob",
    "a b@example.com: alice",
    '"no@address@x": alice',
    "gone: :fail: has left",
    "hole: :blackhole:",
    "",
  ].join("\n");
  assert.deepEqual(await warnings({ accounts: "alice\nbob\n", aliases }), [
    'aliases:1: "lost: alice" has a blank before it, and continues no entry above it',
    'aliases:4: "pipe": "|/usr/bin/vacation" is a pipe, which is not possible here: mail for it is deferred',
    'aliases:6: "quoted": "\\"|/usr/bin/vacation\\"" is a pipe, which is not possible here: mail for it is deferred',
    'aliases:7: "file": "/var/mail/x" is a file, and not an address: mail for it is deferred',
    'aliases:8: "more": "\\":include:/etc/more\\"" includes a file, which is not possible here: mail for it is deferred',
    'aliases:9: "slip": "alice bob" is not an address: mail for it is deferred',
    'aliases:10: "a": "b@example.com: alice" is not an address: mail for it is deferred',
    'aliases:11: "no@address@x": is not an address: no mail matches it',
  ]);
});

test("aliases that lead nowhere, and back to themselves", async () => {
  const aliases =
    "sales: alice, gone\nround: about\nabout: round\nalice: alice, dave@example.org\n" +
    "far: sales\nformer: :fail: no\nout: somebody@elsewhere.test\n";
  assert.deepEqual(await warnings({ accounts: "alice\n", aliases }), [
    'aliases:1: "sales": leads to gone@example.com, which gets 550 5.1.1 No such user here',
    'aliases:2: "round": leads back to itself, and no other router takes it',
    'aliases:3: "about": leads back to itself, and no other router takes it',
    'aliases:5: "far": leads to gone@example.com, which gets 550 5.1.1 No such user here',
  ]);
});

test("an alias file that is missing, and names of accounts behind blanks", async () => {
  const accounts = " carol\nalice\n bob\nbob.smith:\n  bob\nzoe # on leave\n";
  assert.deepEqual(await warnings({ accounts }), [
    'accounts:1: "carol" stands behind a blank: it belongs to the line above and is no name',
    'accounts:3: "bob" stands behind a blank: it belongs to the line above and is no name',
    'accounts: "zoe": has a comment behind it, which needs a line of its own',
    "aliases: mail is put off until this can be read: ENOENT: no such file or directory",
  ]);
});

test("a list that the relay does not believe, until it is confirmed", async () => {
  using here = new Place();
  here.write("routers.toml", CONFIG);
  const accounts = here.write("accounts", "alice\n");
  const aliases = here.write("aliases", "");
  const spool = `${here.directory}/spool`;
  await writeKeptList(spool, accounts, "alice\nbob\ncarol\n");
  await writeKeptList(spool, aliases, "sales: alice\n");
  assert.deepEqual(await warningsOf(here), [
    "accounts: the relay does not believe it: it has 1 of 3 entries left, fewer than half",
    "aliases: the relay does not believe it: it has no entry left, of 1",
  ]);
  await confirmList(spool, accounts);
  here.write("aliases", "sales: alice\n");
  assert.deepEqual(await warningsOf(here), []);
});

test("what no domain of a file can be", async () => {
  using here = new Place();
  here.write(
    "routers.toml",
    CONFIG.replace('ours = ["example.com"]', 'ours = ["example.com", "lsearch:more"]'),
  );
  here.write("accounts", "alice\n");
  here.write("aliases", "sales: alice\n");
  here.write(
    "more",
    "example.org\nexample.net.\nb\u00fccher.example\n*.example.org\nalice@example.org\n",
  );
  assert.deepEqual(await warningsOf(here), [
    'more: "*.example.org": is a pattern, and a file has none; write it into routers.toml',
    'more: "alice@example.org": is no domain',
  ]);
});

/** What is said of this address in `[relay] postmaster`, or of the default. */
async function warned(postmaster: string | undefined): Promise<string[]> {
  using here = new Place();
  const option = postmaster === undefined ? "" : `postmaster = "${postmaster}"\n`;
  here.write("routers.toml", CONFIG.replace(/^postmaster = .*\n/m, option));
  here.write("accounts", "alice\n");
  here.write("aliases", "admin: alice\nroot: nobody@example.com, alice\n");
  return (await warningsOf(here)).filter((line) => line.includes("relay.postmaster"));
}

test("an address of the postmaster that does not get there, the default one too", async () => {
  assert.deepEqual(await warned(undefined), [
    "warning: routers.toml: relay.postmaster: postmaster@example.com gets 550 5.1.1 No such user here; the daily list would not arrive",
  ]);
  assert.deepEqual(await warned("postmaster@example.com"), [
    "warning: routers.toml: relay.postmaster: postmaster@example.com gets 550 5.1.1 No such user here; the daily list would not arrive",
  ]);
  assert.deepEqual(await warned("root@example.com"), [
    "warning: routers.toml: relay.postmaster: root@example.com leads to nobody@example.com, which gets 550 5.1.1 No such user here; the daily list would not arrive",
  ]);
  for (const good of ["alice@example.com", "admin@example.com", "me@example.net"])
    assert.deepEqual(await warned(good), [], good);
});

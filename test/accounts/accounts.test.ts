// The accounts of a configuration: the keys of its lists, and what the last sync has found.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import {
  type Accounts,
  accountsOptionsOf,
  type KnownAccount,
  readAccounts,
} from "../../src/accounts/accounts.ts";
import { accountsText } from "../../src/accounts/account-files.ts";
import { directoryStateText } from "../../src/accounts/directory-state.ts";
import { builtIn } from "../../src/built-in.ts";
import { problemLine } from "../../src/config/configuration.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { accountsOptions } from "../../src/accounts/options.ts";

const HEAD = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:2525"
[domains]
ours = ["example.com", "example.net"]
[gate]
local_domains = "+ours"
[transports.copies]
driver = "discard"
`;

const router = (name: string, lines: string) =>
  `[[routers]]\nname = "${name}"\ntransport = "copies"\n${lines}\n`;

const END = router("end", 'driver = "accept"');

const TWO_DOMAINS = router(
  "copy",
  'driver = "unseen-copy"\ndomains = "+ours"\nlocal_parts = "lsearch:accounts/{domain}"',
);

interface Case {
  readonly routers: string;
  readonly files: Readonly<Record<string, string>>;
  /** The table [accounts]. */
  readonly section?: object;
}

async function accountsOf({ routers, files, section }: Case): Promise<Accounts> {
  const directory = mkdtempSync(join(tmpdir(), "accounts-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), text);
    }
    const file = join(directory, "routers.toml");
    writeFileSync(file, `${HEAD}${routers}${END}`);
    const loaded = await loadConfiguration(file, builtIn);
    assert.deepEqual("problems" in loaded ? loaded.problems.map(problemLine) : [], []);
    assert.ok("configuration" in loaded);
    const parts = { accounts: section && optionsOf(section, directory) };
    return await readAccounts({ ...loaded.configuration, parts });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function optionsOf(section: object, directory: string) {
  return accountsOptions.read({ file: join(directory, "accounts/{domain}"), ...section }, "", []);
}

const shown = ({ all }: Accounts) => all.map(lineOf);

const lineOf = ({ address, kind, state, aliases }: KnownAccount) =>
  [address, kind, state, ...aliases].join(" ");

describe("without a directory", () => {
  test("the keys of lists of copying routers are accounts, in each domain of the router", async () => {
    const accounts = await accountsOf({
      routers: TWO_DOMAINS,
      files: {
        "accounts/example.com": "Alice\nbob.smith: bob\nbob\n# eve\n",
        "accounts/example.net": "carol\nalice: alice@example.com\n",
      },
    });
    assert.deepEqual(shown(accounts), [
      "alice@example.com unknown active alice@example.net",
      "bob@example.com unknown active bob.smith@example.com",
      "carol@example.net unknown active",
    ]);
    assert.equal(accounts.source, "lists");
    assert.equal(accounts.syncedAt, undefined);
    assert.match(accounts.find("carol@example.net")?.account.from ?? "", /example\.net:1$/);
  });

  test("lists of senders count, other lists and excepted ones do not", async () => {
    const accounts = await accountsOf({
      routers:
        router("own", 'driver = "accept"\ndomains = "+ours"\nlocal_parts = "lsearch:three"') +
        router(
          "sent",
          'driver = "sender-match"\nsender_domains = ["example.net"]\nsender_local_parts = "lsearch:one"',
        ) +
        router(
          "unlisted",
          'driver = "sender-match"\nsender_domains = "+ours"\nsender_local_parts = ["!lsearch:two"]',
        ),
      files: { one: "alice\n", two: "bob\n", three: "carol\n" },
    });
    assert.deepEqual(shown(accounts), ["alice@example.net unknown active"]);
  });

  test("domains may stand in a file, and one that leads to another shares its accounts", async () => {
    const accounts = await accountsOf({
      routers: router(
        "copy",
        'driver = "unseen-copy"\ndomains = "lsearch:domains"\nlocal_parts = "lsearch:accounts/{domain}"',
      ),
      files: {
        domains: "example.com\nexample.org.: example.com\n",
        "accounts/example.com": "alice\n",
      },
    });
    assert.deepEqual(shown(accounts), ["alice@example.com unknown active alice@example.org"]);
  });

  test("a list that cannot be read is a problem, and the others count", async () => {
    const accounts = await accountsOf({
      routers: TWO_DOMAINS,
      files: { "accounts/example.com": "alice\n" },
    });
    assert.deepEqual(shown(accounts), ["alice@example.com unknown active"]);
    assert.match(accounts.problems.join(), /accounts\/example\.net.*ENOENT/);
  });
});

describe("with a directory", () => {
  const SYNC = Date.parse("2026-12-01T10:00:00Z");
  const state = directoryStateText({
    syncedAt: SYNC,
    accounts: [
      { address: "alice@example.com", kind: "user", state: "active", aliases: ["al@example.net"] },
      { address: "bob@example.com", kind: "user", state: "suspended", aliases: [] },
      { address: "sales@example.com", kind: "group", state: "active", aliases: [] },
    ],
    departed: [
      { address: "carol@example.com", account: "carol@example.com", since: SYNC - 1000 },
      { address: "c@example.com", account: "carol@example.com", since: SYNC - 1000 },
      { address: "ali@example.com", account: "alice@example.com", since: SYNC },
    ],
  });
  const section = { domains: ["example.com", "example.net"] };

  test("kinds, states and aliases are those of the last sync", async () => {
    const accounts = await accountsOf({
      routers: TWO_DOMAINS,
      section,
      files: {
        "spool/accounts.json": state,
        "accounts/example.com":
          "ali: alice\nalice\nbob\nc: carol\ncarol\nsales\npostmaster\nhand-made\n",
        "accounts/example.net": "al: alice@example.com\n",
      },
    });
    assert.deepEqual(shown(accounts), [
      "alice@example.com user active al@example.net ali@example.com",
      "bob@example.com user suspended",
      "carol@example.com unknown departed c@example.com",
      "hand-made@example.com unknown active",
      "postmaster@example.com extra active",
      "sales@example.com group active",
    ]);
    assert.equal(accounts.source, "directory");
    assert.equal(accounts.syncedAt, SYNC);
    assert.equal(accounts.find("carol@example.com")?.account.since, SYNC - 1000);
  });

  test("their age is that of the oldest file", async () => {
    const older = accountsText({
      what: "the accounts of example.com",
      count: "1 user",
      writtenAt: SYNC - 60_000,
      entries: new Map([["alice", ""]]),
      departed: new Map(),
      removalDelay: 0,
    });
    const files = { "spool/accounts.json": state, "accounts/example.com": older };
    const accounts = await accountsOf({ routers: TWO_DOMAINS, section, files });
    assert.equal(accounts.syncedAt, SYNC - 60_000);
  });

  test("before the first sync, and with damaged knowledge, the lists alone count", async () => {
    const files = { "accounts/example.com": "alice\n", "accounts/example.net": "bob\n" };
    const before = await accountsOf({ routers: TWO_DOMAINS, section, files });
    assert.deepEqual([before.source, before.problems], ["lists", []]);
    for (const damaged of ["", "{", "[]", '{"synced_at":"never","accounts":[],"departed":[]}']) {
      const accounts = await accountsOf({
        routers: TWO_DOMAINS,
        section,
        files: { ...files, "spool/accounts.json": damaged },
      });
      assert.deepEqual(shown(accounts), [
        "alice@example.com unknown active",
        "bob@example.net unknown active",
      ]);
      assert.match(accounts.problems.join(), /accounts\.json cannot be used/);
    }
  });
});

test("an address is found in any case, with a suffix, and by an alias", async () => {
  const accounts = await accountsOf({
    routers: TWO_DOMAINS,
    files: {
      "accounts/example.com": "alice\nbob.smith: bob\nbob\nalice+own\n",
      "accounts/example.net": "carol\n",
    },
  });
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["alice@example.com", "alice@example.com"],
    ["ALICE@Example.COM", "alice@example.com"],
    ["alice+lists@example.com", "alice@example.com"],
    ["alice+own@example.com", "alice+own@example.com"],
    ["Bob.Smith+x@example.com", "bob@example.com"],
    ["bob.smith@example.net", undefined],
    ["alice@example.net", undefined],
    ["dave@example.com", undefined],
    ["no address", undefined],
    ["+x@example.com", undefined],
  ];
  for (const [asked, account] of cases) {
    assert.equal(accounts.find(asked)?.account.address, account, asked);
  }
  assert.match(accounts.find("bob.smith+x@example.com")?.why ?? "", /suffix.*alias of bob@/);
});

test("a configuration without [accounts] has no options of it", () => {
  assert.equal(accountsOptionsOf({ parts: {} }), undefined);
});

// `{domain}` in an item of a list of local parts: one file for each domain, and accounts in another domain.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Match } from "../../src/lists/lists.ts";
import { type Bench, bench } from "./support.ts";

const ITEM = "lsearch:accounts/{domain}";

function twoDomains(): Bench {
  const b = bench({ domains: { ours: ["example.com", "example.net", "*.example.org"] } });
  mkdirSync(join(b.directory, "accounts"));
  b.write("accounts/example.com", "alice\nbob\n");
  b.write("accounts/example.net", "carol\nbob.smith: Bob@Example.COM\nal: alice\n");
  return b;
}

const shown = (match: Match) =>
  match.kind === "in" ? `${match.key} at ${match.domain}` : match.kind;

describe("a list of local parts with {domain}", () => {
  const cases: readonly (readonly [string, string | undefined, string])[] = [
    ["alice", "example.com", "alice at undefined"],
    ["ALICE+x", "example.com", "alice at undefined"],
    ["alice", "example.net", "out"],
    ["carol", "example.net", "carol at undefined"],
    ["carol", "example.com", "out"],
    ["al", "example.net", "alice at undefined"],
    ["bob.smith", "example.net", "bob at example.com"],
    ["Bob.Smith+x", "example.net", "bob at example.com"],
    ["bob.smith", "example.com", "out"],
    ["alice", undefined, "defer"],
    ["alice", "missing.example.org", "defer"],
    ["alice", "..", "defer"],
    ["alice", "a/../example.com", "defer"],
    ["alice", "example.com/../example.com", "defer"],
    ["alice", "", "defer"],
    ["alice", "x\0y", "defer"],
  ];
  for (const [name, domain, expected] of cases) {
    test(`${name} in ${JSON.stringify(domain)}: ${expected}`, async () => {
      using b = twoDomains();
      assert.equal(shown(await b.lists.localParts([ITEM]).match(name, domain)), expected);
    });
  }

  test("takes part in a list with other items, and is negated like them", async () => {
    using b = twoDomains();
    const list = b.lists.localParts(["postmaster", `!${ITEM}`, "carol", "alice"]);
    assert.equal(shown(await list.match("postmaster", "example.net")), "postmaster at undefined");
    assert.equal(shown(await list.match("carol", "example.net")), "out");
    assert.equal(shown(await list.match("carol", "example.com")), "carol at undefined");
    assert.equal(shown(await list.match("alice", "example.net")), "alice at undefined");
  });

  test("says which file it has asked", async () => {
    using b = twoDomains();
    const { why } = await b.lists.localParts([ITEM]).match("bob.smith", "example.net");
    assert.equal(why, '"bob.smith" is in lsearch:accounts/example.net as "bob@example.com"');
  });
});

test("an order to believe lists covers the file of each domain that is named", async () => {
  using b = twoDomains();
  const list = b.lists.localParts([ITEM], ["+ours"]);
  await list.match("alice", "example.com");
  await list.match("carol", "example.net");
  await b.lists.accept();
  b.write("accounts/example.net", "zoe\n");
  b.write("accounts/example.com", "alice\nbob\nzoe\n");
  const accepted = await b.lists.accept();
  assert.deepEqual(
    accepted.map(({ path, why }) => [path, why]),
    [[join(b.directory, "accounts/example.net"), undefined]],
  );
});

test("domains that a pattern lets in leave no more than a limited number of files open", async () => {
  using b = twoDomains();
  const list = b.lists.localParts([ITEM], ["+ours"]);
  for (let index = 0; index < 300; index++) {
    const { kind } = await list.match("alice", `d${index}.example.org`);
    assert.equal(kind, "defer");
  }
  assert.equal(shown(await list.match("alice", "example.com")), "alice at undefined");
  await b.lists.close();
});

describe("an address as the account of an entry", () => {
  const values = {
    "bob@example.com": "bob at example.com",
    "Bob@EXAMPLE.com": "bob at example.com",
    '"b b"@example.com': "b b at example.com",
    "bob@": "bob@ at undefined",
    "@example.com": "@example.com at undefined",
    "a@b@example.com": "a@b@example.com at undefined",
    "bob@example.com, al@example.com": "bob@example.com, al@example.com at undefined",
  };
  for (const [value, expected] of Object.entries(values)) {
    test(`${value}: ${expected}`, async () => {
      using b = twoDomains();
      b.write("accounts/example.net", `x: ${value}\n`);
      assert.equal(shown(await b.lists.localParts([ITEM]).match("x", "example.net")), expected);
    });
  }

  test("has no meaning in a plain file, unless the configuration says so", async () => {
    for (const [hasAddressValues, expected] of [
      [false, "bob@example.com at undefined"],
      [true, "bob at example.com"],
    ] as const) {
      using b = bench({ hasAddressValues });
      b.write("plain", "x: bob@example.com\n");
      assert.equal(
        shown(await b.lists.localParts(["lsearch:plain"]).match("x", "a.test")),
        expected,
      );
    }
  });

  test("is never read from a key", async () => {
    using b = twoDomains();
    b.write("accounts/example.net", "x@example.com\n");
    const match = await b.lists.localParts([ITEM]).match("x@example.com", "example.net");
    assert.equal(shown(match), "x@example.com at undefined");
  });
});

test("a list of domains has no value for {domain}", async () => {
  using b = twoDomains();
  assert.equal((await b.lists.domains([ITEM]).match("example.com")).kind, "defer");
});

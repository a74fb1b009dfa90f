// The files that a sync writes: what is written reads back as the same names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accountsText, parseAccountsFile } from "../../src/accounts/account-files.ts";

const WRITTEN = Date.parse("2026-12-01T10:00:00Z");
const DAY = 86_400_000;

const ODD = ["#x", 'a"b', "a b", "a:b", "a\\b", "'q'", "ü", "{x}", "=", "a#b", "-"];

test("every name reads back, with its account and the date since when it is gone", async () => {
  const entries = new Map([
    ["alice", ""],
    ["al", "alice"],
    ["bob", "bob@example.net"],
  ]);
  for (const [index, name] of ODD.entries()) entries.set(name, index % 2 === 0 ? "" : "alice");
  const departed = new Map([
    ["al", WRITTEN - DAY],
    ["#x", WRITTEN],
  ]);
  const text = accountsText({
    what: "the accounts of example.com",
    count: "1 user",
    writtenAt: WRITTEN,
    entries,
    departed,
    removalDelay: 7 * DAY,
  });
  const read = await parseAccountsFile(text);
  assert.deepEqual(read.entries, entries);
  assert.deepEqual(read.departed, departed);
  assert.equal(read.writtenAt, WRITTEN);
});

test("the file says by whom, when, how many, and what is going to be removed", () => {
  const text = accountsText({
    what: "the accounts of example.com",
    count: "2 users, 1 alias",
    writtenAt: WRITTEN,
    entries: new Map([
      ["bob", ""],
      ["al", "alice"],
      ["alice", ""],
    ]),
    departed: new Map([["bob", WRITTEN - DAY]]),
    removalDelay: 7 * DAY,
  });
  assert.equal(
    text,
    `# This file has the accounts of example.com, written by unseen at 2026-12-01T10:00:00.000Z:
# 2 users, 1 alias. The next sync overwrites other changes.
al: alice
alice
# Left the directory at 2026-11-30T10:00:00.000Z; is removed after 2026-12-07T10:00:00.000Z.
bob
`,
  );
});

test("a file of other origin has names, and no time", async () => {
  const { entries, departed, writtenAt } = await parseAccountsFile(
    "# written by unseen at soon\nalice\n# Left the directory at never; ...\nbob\n\tcarol\n",
  );
  assert.deepEqual(
    [...entries],
    [
      ["alice", ""],
      ["bob", "carol"],
    ],
  );
  assert.deepEqual([departed.size, writtenAt], [0, undefined]);
});

// The account of a rehearsal: which mail it counts for, and in which lists it stands.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Rehearsal, rehearsedAnswers } from "../../src/route/rehearsal.ts";
import { mailbox } from "../support/build.ts";

const account = mailbox("drill@example.com");
const client = { address: "127.0.0.1", helo: "x", user: "drill@example.com" };

describe("the account of a rehearsal", () => {
  const rehearsal = new Rehearsal();

  test("counts only for mail that its own user submits to itself", () => {
    rehearsal.begin(account);
    const { user: _, ...stranger } = client;
    const other = mailbox("alice@example.com");
    assert.equal(rehearsal.takes(account, account, client), true);
    assert.equal(rehearsal.takes(mailbox("Drill@example.com"), account, client), true);
    assert.equal(rehearsal.takes(account, account, stranger), false);
    assert.equal(rehearsal.takes(account, account, { ...client, user: other.address }), false);
    assert.equal(rehearsal.takes(account, other, client), false);
    assert.equal(rehearsal.takes(other, account, client), false);
    assert.equal(rehearsal.takes(account, null, client), false);
    assert.equal(rehearsal.takes(mailbox("drill+x@example.com"), account, client), false);
    assert.equal(rehearsal.takes(mailbox("drill@example.org"), account, client), false);
  });

  test("is no account before it begins and after it ends", () => {
    rehearsal.end();
    assert.equal(rehearsal.takes(account, account, client), false);
    assert.deepEqual([rehearsal.isOf(account), rehearsal.isUnderWay], [false, false]);
  });
});

describe("the answer of a list", () => {
  const routers = [
    { unseen: true, local_parts: ["lsearch:accounts"] },
    { unseen: true, sender_local_parts: ["!lsearch:groups/{domain}"] },
    { unseen: false, local_parts: ["lsearch:closed"] },
  ];
  const answer = rehearsedAnswers(routers, (_, argument) => argument.replace("./", ""));
  const cases: Readonly<Record<string, readonly [readonly string[], "in" | "out" | undefined]>> = {
    "is in, in the accounts of a copying router": [["lsearch:accounts"], "in"],
    "is in, under another text of the same file": [["lsearch:./accounts"], "in"],
    "is out, where the accounts are kept out": [["!lsearch:accounts"], "out"],
    "is in, in the accounts of senders": [["lsearch:groups/{domain}"], "in"],
    "is that of the first item that decides": [["bob", "!lsearch:accounts", "*"], "out"],
    "is left to the list, if * comes first": [["*", "!lsearch:accounts"], undefined],
    "is left to a list that is not of accounts": [["lsearch:closed"], undefined],
    "is left to a list of names": [["alice", "bob"], undefined],
    "is left to an empty list": [[], undefined],
  };
  for (const [what, [items, expected]] of Object.entries(cases)) {
    test(what, () => assert.equal(answer(items), expected));
  }
});

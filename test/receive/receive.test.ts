// What is answered at RCPT, and how much one message may lead to.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RecipientBudget } from "../../src/receive/expansion.ts";
import type { MailTransaction } from "../../src/smtp/server/reception.ts";
import { CAROL, CLIENT, MESSAGE, STRANGER, desk, finish, rcpt } from "./desk.ts";

describe("at RCPT", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["a recipient whom a router takes", "alice@example.com", "250 2.1.5"],
    ["one whom none takes", "nobody@example.com", "550 5.1.1"],
    ["one of whom we cannot tell", "unreadable@example.com", "451 4.3.0"],
    ["one whose copy has to wait", "copy-unreadable@example.com", "250 2.1.5"],
    ["one whose copy cannot be made", "copy-failed@example.com", "250 2.1.5"],
    ["one in a domain whose DNS does not answer", "foreign-dns@example.org", "250 2.1.5"],
    ["one of ours that leads to such a domain", "foreign-dns@example.com", "250 2.1.5"],
    [
      "one that leads to such a domain and to trouble of ours",
      "foreign-and-ours@example.com",
      "451 4.3.0",
    ],
    ["one that loops", "looping@example.com", "451 4.4.6"],
  ];
  for (const [what, address, reply] of cases) {
    test(`${what}: ${reply}`, async () => {
      assert.equal(await rcpt(await desk().begin(), address), reply);
    });
  }

  test("a stranger's recipient elsewhere is refused before any router is asked", async () => {
    const { begin, log } = desk();
    assert.equal(await rcpt(await begin(CAROL, STRANGER), "nobody@example.org"), "550 5.7.1");
    assert.deepEqual(log.named("recipient.refused"), [
      {
        client: "203.0.113.9",
        sender: "<carol@example.net>",
        recipient: "<nobody@example.org>",
        reply: "550 5.7.1 Relaying denied",
        why: "none",
      },
    ]);
  });
});

const takes = async (transaction: MailTransaction, ...names: readonly string[]) => {
  const replies: string[] = [];
  for (const name of names) replies.push(await rcpt(transaction, `${name}@example.com`));
  return replies;
};

describe("the addresses that one message leads to", () => {
  const OK = "250 2.1.5";
  const MORE = "452 4.5.3";

  test("count once, and a recipient that leads to too many more goes in another message", async () => {
    const { begin, spool, log } = desk();
    const transaction = await begin();
    const names = ["a-b-c", "b-c-d", "a-d", "d-e", "e-f", "alice", "f-g", "a-b-c"];
    assert.deepEqual(await takes(transaction, ...names), [OK, OK, OK, OK, MORE, OK, MORE, OK]);
    await finish(transaction.message(), MESSAGE);
    assert.equal(spool.stored[0]?.message.recipients.length, 6);
    assert.deepEqual(log.named("recipient.refused")[0], {
      client: CLIENT.address,
      sender: "<carol@example.net>",
      recipient: "<e-f@example.com>",
      reply: "452 4.5.3 Too many recipients, send the rest in another message",
      why: "local_domains: addresses",
    });
    assert.deepEqual(await takes(await begin(), "e-f", "f-g"), [OK, OK]);
  });

  test("may be more for the first recipient: what is too many of one alias the chain says", async () => {
    assert.deepEqual(await takes(await desk().begin(), "a-b-c-d-e-f", "a-b", "a-g"), [
      OK,
      MORE,
      MORE,
    ]);
  });
});

describe("what RCPT keeps, of all sessions together,", () => {
  const names = Array.from({ length: 400 }, (_, n) => `user${n}`);

  test("has a bound; who asks for little always gets it, and what is over is given back", async () => {
    const budget = new RecipientBudget(100_000);
    const { begin } = desk({}, true, budget);
    const greedy = await begin();
    const replies = await takes(greedy, ...names);
    const taken = replies.filter((reply) => reply.startsWith("250")).length;
    assert.ok(taken > 100 && taken < 300, String(taken));
    assert.ok(budget.kept <= 100_000);
    const other = await begin();
    assert.ok(
      (await takes(other, ...names.slice(0, 100))).every((reply) => reply.startsWith("250")),
    );
    assert.equal(await rcpt(greedy, "one-more@example.com"), "452 4.5.3");
    greedy.end?.();
    other.end?.();
    assert.equal(budget.kept, 0);
  });

  test("is for what routers have said only as long as half of it is free", async () => {
    const budget = new RecipientBudget(40_000);
    const { begin, handed } = desk({}, true, budget);
    const transaction = await begin();
    await takes(transaction, "a-b", "alice", "c-d", "a-d");
    await finish(transaction.message(), MESSAGE);
    assert.equal(handed.at(-1)?.all(4)?.length, 4);
    const other = await begin();
    await takes(other, ...names.slice(0, 40), "a-b", "c-d");
    await finish(other.message(), MESSAGE);
    assert.deepEqual([handed.at(-1)?.all(8)?.length, handed.at(-1)?.all(42)], [8, undefined]);
    transaction.end?.();
    other.end?.();
    assert.equal(budget.kept, 0);
  });

  test("is not taken for a recipient whose client has gone meanwhile", async () => {
    const budget = new RecipientBudget();
    const transaction = await desk({}, true, budget).begin();
    const reply = rcpt(transaction, "alice@example.com");
    transaction.end?.();
    await reply;
    assert.equal(budget.kept, 0);
  });
});

describe("the rate of a relay rule", () => {
  test("puts off the recipient that is one too many, and mail for us never", async () => {
    const { begin, log } = desk();
    const transaction = await begin();
    for (const name of ["a", "b"]) {
      assert.equal(await rcpt(transaction, `${name}@example.org`), "250 2.1.5");
    }
    assert.equal(await rcpt(transaction, "c@example.org"), "450 4.7.1");
    assert.equal(await rcpt(transaction, "alice@example.com"), "250 2.1.5");
    assert.match(JSON.stringify(log.named("recipient.refused")), /"why":"gate.relay\[0\]: rate"/);
  });

  test("does not count what is refused", async () => {
    const transaction = await desk().begin();
    for (let n = 0; n < 5; n++) await rcpt(transaction, "nobody@example.org");
    assert.equal(await rcpt(transaction, "a@example.org"), "250 2.1.5");
  });
});

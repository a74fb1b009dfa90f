import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Accounts } from "../../../../src/accounts/accounts.ts";
import { parseDirectory } from "../../../../src/maildir/placeholders.ts";
import type { HistoryEvent } from "../../../../src/observe/history/read.ts";
import { AccountMaildirs } from "../../../../src/parts/coverage/maildirs.ts";
import { isAboutCopies, Tally } from "../../../../src/parts/coverage/history/tally.ts";
import { maildirAppend } from "../../../../transports/maildir-append.ts";

const account = (address: string) => ({
  address,
  kind: "unknown" as const,
  state: "active" as const,
  aliases: [],
  from: "a test",
});

const all = [account("alice@example.com"), account("bob@example.com")];
const accounts: Accounts = {
  source: "lists",
  all,
  problems: [],
  find: (written) => {
    const found = all.find(({ address }) => address === written.replace(/^al@/, "alice@"));
    return found && { account: found, why: "" };
  },
};

function transport(name: string, directory: string) {
  const parsed = parseDirectory(directory);
  assert.ok("ok" in parsed);
  return [name, { name, driver: maildirAppend, options: { directory: parsed.ok } }] as const;
}

const maildirs = new AccountMaildirs({
  transports: new Map([
    transport("in", "/mail/{domain}/{local_part}"),
    transport("out", "/mail/{sender_domain}/{sender_local_part}/.Sent"),
    transport("unlisted", "/mail/{sender_domain}/_unlisted/.Sent"),
  ]),
});

const newTally = () =>
  new Tally({
    accounts,
    maildirs,
    isOutRouter: (name) => name === "out",
    senderOf: () => "al@example.com",
  });

const done = (host: string, more: object = {}): HistoryEvent => ({
  at: 1000,
  name: "delivery.done",
  fields: {
    unseen: true,
    recipient: "x@example.com",
    transport: "in",
    router: "in",
    host,
    ...more,
  },
});

function counts(tally: Tally) {
  return Array.from(tally.accounts, ([address, copies]) => [
    address.slice(0, 1),
    copies.in.count,
    copies.out.count,
  ]);
}

const sent = (name: string, sender: string, at = 1): HistoryEvent => ({
  at,
  name,
  fields: { sender },
});

describe("copies", () => {
  test("belong to the account whose Maildir has them, in and out", () => {
    const tally = newTally();
    tally.read({ id: "1", events: [done("/mail/example.com/alice/new/1.M1")] });
    tally.read({ id: "2", events: [done("/mail/example.com/alice/new/2.M1")] });
    tally.read({ id: "3", events: [done("/mail/example.com/alice/.Sent/new/3.M1")] });
    assert.deepEqual(counts(tally), [
      ["a", 2, 1],
      ["b", 0, 0],
    ]);
    assert.equal(tally.accounts.get("alice@example.com")?.in.last, 1000);
    assert.equal(tally.elsewhere, 0);
  });

  test("of a message for several recipients in a Maildir are one", () => {
    const tally = newTally();
    const host = "/mail/example.com/alice/new/1.M1";
    tally.read({ id: "1", events: [done(host), done(host, { recipient: "y@example.com" })] });
    tally.read({ id: "1", events: [done(host, { recipient: "z@example.com" })] });
    assert.deepEqual(counts(tally)[0], ["a", 1, 0]);
  });

  test("in a Maildir of no account are counted, but not those of unlisted senders", () => {
    const tally = newTally();
    tally.read({ id: "1", events: [done("/mail/example.com/gone/new/1.M1")] });
    tally.read({ id: "2", events: [done("/mail/example.com/_unlisted/.Sent/new/1.M1")] });
    assert.equal(tally.elsewhere, 1);
  });

  test("by LMTP belong to the recipient, or to the sender if the router copies by sender", () => {
    const tally = newTally();
    const host = "/run/lmtp.sock";
    tally.read({ id: "1", events: [done(host, { recipient: "bob@example.com" })] });
    tally.read({ id: "2", events: [done(host, { router: "out", recipient: "x@example.org" })] });
    tally.read({
      id: "3",
      events: [done("mx.example [192.0.2.1]", { recipient: "q@example.org" })],
    });
    assert.deepEqual(counts(tally), [
      ["a", 0, 1],
      ["b", 1, 0],
    ]);
    assert.equal(tally.elsewhere, 1);
  });

  test("that are not made yet are known until they are", () => {
    const tally = newTally();
    const failed = (name: string): HistoryEvent => ({ ...done("x"), name });
    tally.read({ id: "1", events: [failed("delivery.deferred"), failed("delivery.frozen")] });
    tally.read({ id: "2", events: [failed("delivery.deferred")] });
    assert.deepEqual(
      [...tally.pending.values()].map(({ id, state }) => [id, state]),
      [
        ["1", "frozen"],
        ["2", "deferred"],
      ],
    );
    tally.read({ id: "2", events: [done("/mail/example.com/bob/new/1.M1")] });
    assert.equal(tally.pending.size, 1);
  });

  test("count only if they are unseen", () => {
    const tally = newTally();
    tally.read({
      id: "1",
      events: [done("/mail/example.com/bob/new/1.M1", { unseen: undefined })],
    });
    assert.deepEqual(counts(tally)[1], ["b", 0, 0]);
  });
});

describe("senders without a copy", () => {
  test("are counted by address and kind", () => {
    const tally = newTally();
    tally.read({ id: "1", events: [sent("copy.missing", "<Scan@example.com>", 5)] });
    tally.read({ id: "2", events: [sent("copy.missing", "scan@example.com", 3)] });
    tally.read({ id: "3", events: [sent("copy.unlisted", "scan@example.com")] });
    assert.deepEqual(
      [...tally.senders.values()],
      [
        { sender: "scan@example.com", kind: "missing", count: 2, last: 5 },
        { sender: "scan@example.com", kind: "unlisted", count: 1, last: 1 },
      ],
    );
  });

  test("are bounded: what has no room is counted", () => {
    const tally = newTally();
    for (let at = 0; at < 10_010; at++) {
      tally.read({ id: "1", events: [sent("copy.missing", `a${at}@example.com`)] });
    }
    assert.deepEqual([tally.senders.size, tally.uncounted], [10_000, 10]);
  });
});

test("texts of events about copies are told from others", () => {
  assert.ok(isAboutCopies('[1,"delivery.done",{"id":"1","unseen":true}]'));
  assert.ok(isAboutCopies('[1,"copy.missing",{"id":"1"}]'));
  assert.ok(!isAboutCopies('[1,"message.accepted",{"id":"1"}],[1,"delivery.done",{}]'));
});

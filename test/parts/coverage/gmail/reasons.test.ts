import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Accounts, KnownAccount } from "../../../../src/accounts/accounts.ts";
import type { HistoryEvent } from "../../../../src/observe/history/read.ts";
import type { ArchiveMessage } from "../../../../src/parts/coverage/gmail/archive.ts";
import type { MailboxMessage } from "../../../../src/parts/coverage/gmail/mailbox.ts";
import { reasonAtGoogle, reasonInArchive } from "../../../../src/parts/coverage/gmail/reasons.ts";
import { ALICE } from "./place.ts";

const account = (address: string, kind: KnownAccount["kind"] = "user"): KnownAccount => ({
  address,
  kind,
  state: "active",
  aliases: [],
  from: "a test",
});

const all = [account(ALICE), account("bob@example.com"), account("team@example.com", "group")];
const accounts: Accounts = {
  source: "directory",
  all,
  problems: [],
  find: (written) => {
    const found = all.find(({ address }) => address === written.replace(/^al@/, "alice@"));
    return found && { account: found, why: "" };
  },
};

const ID = "hodvyybqdc";
const NAME = `new/1767225600.M123000E${ID}Gc0ffee00P4711Q1R00c0ffee00c0ffee.mx.example.com,S=1`;

const archived = (direction: "in" | "out", name = NAME): ArchiveMessage => ({
  ids: ["1@x.example"],
  time: 0,
  folder: { path: "/mail/alice", direction, isShared: false },
  name,
});

const event = (name: string, fields: object = {}): HistoryEvent => ({
  at: 1000,
  name,
  fields: { recipient: ALICE, status: "the reply", host: "mx [192.0.2.1]", ...fields },
});

function atGoogle(direction: "in" | "out", ...events: readonly HistoryEvent[]): string {
  const asked: string[] = [];
  const history = { events: (id: string) => (asked.push(id), events) };
  const { code } = reasonAtGoogle(archived(direction), { account: ALICE, accounts, history });
  assert.deepEqual(asked, [ID]);
  return code;
}

describe("a message that the mailbox lacks", () => {
  const accepted = event("message.accepted", { helo: "mail-a.google.com", client: "192.0.2.9" });
  const copy = event("delivery.done", { unseen: true });

  test("was taken by Google, was refused, or still waits, as the history says", () => {
    assert.equal(atGoogle("in", accepted, copy, event("delivery.done")), "accepted");
    assert.equal(
      atGoogle("in", event("delivery.deferred"), copy, event("delivery.done")),
      "accepted",
    );
    assert.equal(atGoogle("in", copy, event("delivery.failed")), "refused");
    assert.equal(atGoogle("in", copy, event("delivery.deferred")), "waiting");
    assert.equal(atGoogle("in", copy, event("delivery.frozen")), "waiting");
    assert.equal(
      atGoogle("in", copy, event("delivery.deferred"), event("message.completed")),
      "removed",
    );
  });

  test("is judged by the delivery to the account, under any of its names", () => {
    const toBob = event("delivery.done", { recipient: "bob@example.com" });
    assert.equal(atGoogle("in", copy, toBob), "unknown");
    assert.equal(atGoogle("in", toBob, event("delivery.failed")), "refused");
    const byAlias = { recipient: "x@google.example", original: "al@example.com" };
    assert.equal(atGoogle("in", toBob, event("delivery.failed", byAlias)), "refused");
  });

  test("was sent by Gmail or by another program, if it is in the folder of sent mail", () => {
    assert.equal(atGoogle("out", accepted, copy), "sent-by-gmail");
    const scanner = event("message.accepted", { helo: "scanner.local", client: "192.0.2.7" });
    assert.equal(atGoogle("out", scanner, event("delivery.deferred")), "sent-elsewhere");
  });

  test("has no known reason without history", () => {
    assert.equal(atGoogle("in"), "unknown");
    const known = { account: ALICE, accounts };
    assert.equal(reasonAtGoogle(archived("in"), known).code, "unknown");
    const other = archived("in", "new/1.M1P1.host");
    const history = { events: () => assert.fail() };
    assert.equal(reasonAtGoogle(other, { ...known, history }).code, "unknown");
  });
});

const reason = (from: string, to: readonly string[], ...labels: string[]): string => {
  const message: MailboxMessage = { id: "1", ids: [], labels, from: [from], to };
  return reasonInArchive(message, { account: ALICE, accounts }).code;
};

describe("a message that the archive lacks", () => {
  test("is internal mail, or mail to a group", () => {
    assert.equal(reason("bob@example.com", [ALICE], "INBOX"), "internal");
    assert.equal(reason(ALICE, ["bob@example.com"], "SENT"), "internal");
    assert.equal(reason("q@example.org", ["team@example.com"], "INBOX"), "group");
    assert.equal(reason("q@example.org", ["team@example.com", ALICE], "INBOX"), "other-way");
  });

  test("was sent around the relay", () => {
    assert.equal(reason("alice@other.example", ["q@example.org"], "SENT"), "send-as");
    assert.equal(reason(ALICE, ["q@example.org"], "SENT"), "not-relayed");
    assert.equal(reason(ALICE, ["q@example.org", "bob@example.com"], "SENT"), "not-relayed");
    assert.equal(reason(ALICE, [], "SENT"), "not-relayed");
  });

  test("came from a service of Google, or another way", () => {
    assert.equal(reason("calendar-notification@google.com", [ALICE], "INBOX"), "google");
    assert.equal(reason("x@docs.google.com", [ALICE], "INBOX"), "google");
    assert.equal(reason("x@notgoogle.com", [ALICE], "INBOX"), "other-way");
    const message: MailboxMessage = { id: "1", ids: [], labels: [], from: [], to: [] };
    assert.equal(reasonInArchive(message, { account: ALICE, accounts }).code, "other-way");
  });
});

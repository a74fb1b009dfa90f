import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ArchiveMessage } from "../../../../src/parts/coverage/gmail/archive.ts";
import { Comparison } from "../../../../src/parts/coverage/gmail/compare.ts";
import type { MailboxMessage } from "../../../../src/parts/coverage/gmail/mailbox.ts";

const SINCE = 1_000_000_000;
const HOUR = 3_600_000;
const folder = { path: "/mail/alice", direction: "in", isShared: false } as const;
let number = 0;

const archived = (ids: readonly string[], given: Partial<ArchiveMessage> = {}): ArchiveMessage => ({
  ids,
  time: SINCE + HOUR,
  folder,
  name: `new/${++number}`,
  ...given,
});

const mail = (ids: readonly string[], given: Partial<MailboxMessage> = {}): MailboxMessage => ({
  id: `g${++number}`,
  ids,
  time: SINCE + HOUR,
  labels: ["INBOX"],
  from: [],
  to: [],
  ...given,
});

/** Compares, and returns the Message-IDs that are on one side only. */
function result(archive: readonly ArchiveMessage[], mailbox: readonly MailboxMessage[]) {
  const comparison = new Comparison(SINCE);
  for (const message of archive) comparison.addArchived(message);
  for (const message of mailbox) comparison.addMail(message);
  comparison.pairTheRest();
  return {
    comparison,
    both: comparison.both,
    archive: comparison.onlyArchived.map(({ ids }) => ids.join(" ")),
    mailbox: comparison.onlyMail.map(({ ids }) => ids.join(" ")),
  };
}

function assertResult(
  archive: readonly ArchiveMessage[],
  mailbox: readonly MailboxMessage[],
  expected: { both: number; archive: readonly string[]; mailbox: readonly string[] },
): Comparison {
  const { comparison, ...found } = result(archive, mailbox);
  assert.deepEqual(found, expected);
  return comparison;
}

describe("a comparison", () => {
  test("finds what is on one side only", () => {
    assertResult([archived(["1"]), archived(["2"])], [mail(["2"]), mail(["3"])], {
      both: 1,
      archive: ["1"],
      mailbox: ["3"],
    });
  });

  test("of two Message-IDs that differ in case finds the one that is missing", () => {
    assertResult([archived(["AB"]), archived(["ab"])], [mail(["ab"])], {
      both: 1,
      archive: ["AB"],
      mailbox: [],
    });
    assertResult([archived(["AB"])], [mail(["ab"])], { both: 1, archive: [], mailbox: [] });
  });

  test("of several Message-IDs of a message takes any, but each partner once", () => {
    assertResult([archived(["1", "2"])], [mail(["2", "3"])], { both: 1, archive: [], mailbox: [] });
    assertResult([archived(["1", "3"]), archived(["2", "3"])], [mail(["3"])], {
      both: 1,
      archive: ["2 3"],
      mailbox: [],
    });
  });

  test("counts a Message-ID that is there several times once, and says so", () => {
    const comparison = assertResult(
      [archived(["1"]), archived(["1"]), archived(["1"])],
      [mail(["1"]), mail(["1"])],
      { both: 1, archive: [], mailbox: [] },
    );
    assert.equal(comparison.archive.duplicates, 2);
    assert.equal(comparison.mailbox.duplicates, 1);
  });

  test("takes no draft and no chat for the mail", () => {
    const comparison = assertResult(
      [archived(["1"]), archived(["2"])],
      [mail(["1"], { labels: ["DRAFT"] }), mail(["2"], { labels: ["CHAT"] })],
      { both: 0, archive: ["1", "2"], mailbox: [] },
    );
    assert.deepEqual([comparison.mailbox.drafts, comparison.mailbox.chats], [1, 1]);
  });

  test("finds messages in Spam and in Trash, and says so", () => {
    const comparison = assertResult(
      [archived(["1"]), archived(["2"])],
      [mail(["1"], { labels: ["SPAM"] }), mail(["2"], { labels: ["TRASH", "SENT"] })],
      { both: 2, archive: [], mailbox: [] },
    );
    assert.deepEqual([comparison.mailbox.spam, comparison.mailbox.trash], [1, 1]);
  });

  test("does not report a message of the mailbox before the time, but finds it as a partner", () => {
    const early = { time: SINCE - HOUR };
    const comparison = assertResult([archived(["1"])], [mail(["1"], early), mail(["2"], early)], {
      both: 1,
      archive: [],
      mailbox: [],
    });
    assert.equal(comparison.mailbox.messages, 0);
  });

  test("reports a message of the mailbox without a time", () => {
    const { time: _, ...timeless } = mail(["1"]);
    assertResult([], [timeless], { both: 0, archive: [], mailbox: ["1"] });
  });

  test("reports a message whose time contradicts the list of Google", () => {
    const timeless = mail(["1"], { time: 1 });
    assertResult([], [timeless], { both: 0, archive: [], mailbox: ["1"] });
  });

  test("takes a message of a shared Maildir for archived, and never for missing at Google", () => {
    const shared = { folder: { ...folder, isShared: true } };
    assertResult([archived(["1"], shared), archived(["2"], shared)], [mail(["1"])], {
      both: 0,
      archive: [],
      mailbox: [],
    });
  });
});

/** That many minutes after an hour in the time. */
const hourAnd = (minutes: number) => ({ time: SINCE + 10 * HOUR + minutes * 60_000 });

describe("messages without a Message-ID", () => {
  const signature = "1764489900 carol@example.net";

  test("are the same with the same date and author", () => {
    assertResult([archived([], { signature })], [mail([], { signature })], {
      both: 1,
      archive: [],
      mailbox: [],
    });
  });

  test("may have one that Google could not read", () => {
    assertResult([archived(["broken"], { signature })], [mail([], { signature })], {
      both: 1,
      archive: [],
      mailbox: [],
    });
  });

  test("are missing if the other side has only another", () => {
    const other = "1764489999 carol@example.net";
    const { comparison, both } = result(
      [archived([], { signature })],
      [mail([], { signature: other })],
    );
    assert.equal(both, 0);
    assert.equal(comparison.onlyArchived.length, 1);
    assert.equal(comparison.onlyMail.length, 1);
  });

  test("are each the partner of one", () => {
    const { comparison } = result(
      [archived([], { signature }), archived([], { signature })],
      [mail([], { signature })],
    );
    assert.equal(comparison.onlyArchived.length, 1);
  });

  test("are compared by time if one side shows no date and author", () => {
    const { comparison, both } = result(
      [archived([], { signature, ...hourAnd(0) }), archived([], { signature, ...hourAnd(200) })],
      [mail([], hourAnd(-30)), mail([], hourAnd(-90))],
    );
    assert.equal(both, 1);
    assert.deepEqual(
      comparison.onlyArchived.map(({ time }) => time),
      [hourAnd(200).time],
    );
    assert.deepEqual(
      comparison.onlyMail.map(({ time }) => time),
      [hourAnd(-90).time],
    );
  });

  test("differ in nothing but their Message-ID are two messages", () => {
    assertResult([archived(["1"], { signature })], [mail(["2"], { signature })], {
      both: 0,
      archive: ["1"],
      mailbox: ["2"],
    });
  });
});

describe("a second look", () => {
  test("at the archive takes what it finds off the list", () => {
    const { comparison } = result([], [mail(["1"]), mail(["B"]), mail(["3"])]);
    const look = comparison.secondLook();
    for (const ids of [["1"], ["x", "b"], ["4"], []]) look.found(archived(ids));
    look.end();
    assert.deepEqual(
      comparison.onlyMail.map(({ ids }) => ids[0]),
      ["3"],
    );
    assert.equal(comparison.both, 2);
  });

  test("at the mailbox believes only the same Message-ID, and no draft", () => {
    const message = archived(["1"]);
    const { comparison } = result([message], []);
    assert.equal(comparison.foundMail(message, mail(["2"])), false);
    assert.equal(comparison.foundMail(message, mail(["1"], { labels: ["DRAFT"] })), false);
    assert.equal(comparison.onlyArchived.length, 1);
    assert.equal(comparison.foundMail(message, mail(["1"])), true);
    assert.equal(comparison.onlyArchived.length, 0);
  });
});

test("many messages with the same date and author, and many without, are compared quickly", () => {
  const signature = "1764489900 carol@example.net";
  const half = 10_000;
  const begun = performance.now();
  const { both } = result(
    Array.from({ length: 2 * half }, (_, at) => archived([], at < half ? { signature } : {})),
    Array.from({ length: 2 * half }, (_, at) => mail([], at < half ? { signature } : {})),
  );
  assert.equal(both, 2 * half);
  assert.ok(performance.now() - begun < 60_000);
});

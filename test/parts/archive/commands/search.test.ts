// The page of hits that people see: 80 columns, and nothing that a sender wrote moves the cursor.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pageText } from "../../../../src/parts/archive/commands/search.ts";
import type { ListedMessage } from "../../../../src/archive/archive.ts";

function hit(own: Partial<ListedMessage>): ListedMessage {
  return {
    id: 14_370_048_402,
    account: "bob@example.org",
    folder: "INBOX",
    date: "2026-11-30T23:05:00.000Z",
    from: '"Alice Example" <alice@example.net>',
    to: "bob@example.org",
    subject: "Invoice",
    size: 1000,
    attachments: [],
    path: "/mail/x",
    ...own,
  };
}

const lines = (found: readonly ListedMessage[], limit = 50) =>
  pageText(found, limit, "Europe/Berlin").split("\n").slice(0, -1);

describe("a page of hits", () => {
  test("shows date in the zone, id, sender and subject", () => {
    assert.deepEqual(lines([hit({}), hit({ folder: "Sent", subject: "" })]), [
      "DATE                       ID  FROM                  SUBJECT",
      "2026-12-01 00:05  14370048402  Alice Example         Invoice",
      "2026-12-01 00:05  14370048402  To: bob@example.org   (no subject)",
      "2 messages.",
    ]);
  });

  test("shows the account if there are several", () => {
    const [head, first] = lines([hit({}), hit({ account: "ann@example.org" })]);
    assert.match(head ?? "", /ACCOUNT/);
    assert.match(first ?? "", /bob@example\.org/);
  });

  test("says how to go on", () => {
    assert.deepEqual(
      lines([hit({}), hit({ id: 7 }), hit({ id: 5 })], 2).at(-1),
      "2 messages. For older ones, add: --after 7",
    );
    assert.deepEqual(lines([hit({})], 1).at(-1), "1 message.");
    assert.deepEqual(lines([]), ["No messages."]);
  });

  test("stays within 80 columns, without control characters", () => {
    const subject = "\u001B[2J\u202Eevil\r\n\0 日本語のとても長い件名 and more and more";
    for (const line of lines([
      hit({ subject, from: `${subject} <x@y>` }),
      hit({ subject: "é".repeat(200) }),
    ])) {
      assert.ok(line.length <= 80, line);
      assert.doesNotMatch(line, /[\p{Cc}\u202E]/u);
    }
  });
});

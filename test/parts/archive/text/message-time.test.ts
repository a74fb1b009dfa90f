// Dates of messages, good and broken.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { messageTime } from "../../../../src/parts/archive/text/message-time.ts";

describe("dates", () => {
  const cases: readonly (readonly [field: string, iso: string])[] = [
    ["Thu, 01 Jan 2026 00:00:00 +0000", "2026-01-01T00:00:00Z"],
    ["Thu, 1 Jan 2026 01:02:03 +0100 (CET)", "2026-01-01T00:02:03Z"],
    ["1 Jan 2026 00:00 -0530", "2026-01-01T05:30:00Z"],
    ["Thu,  1 Jan 26 00:00:00 GMT", "2026-01-01T00:00:00Z"],
    ["Tue, 20 Aug 2002 05:58:53 EDT", "2002-08-20T09:58:53Z"],
    ["Tue, 20 Aug 02 05:58:53 PST", "2002-08-20T13:58:53Z"],
    ["Tue, 20 Aug 102 05:58:53 GMT", "2002-08-20T05:58:53Z"],
    ["Mon, 31 Dec 99 23:59:60 +0000", "1999-12-31T23:59:59Z"],
    ["Tue 20 August 2002 05.58.53 UTC", "2002-08-20T05:58:53Z"],
    ["20-Aug-2002 05:58:53 +0000", "2002-08-20T05:58:53Z"],
    ["Tue Aug 20 05:58:53 2002", "2002-08-20T05:58:53Z"],
    ["Tue Aug 20 05:58:53 CEST 2002", "2002-08-20T03:58:53Z"],
    ["Tue Aug 20 05:58:53 2002 +0200", "2002-08-20T03:58:53Z"],
    ["August 20, 2002 5:58 PM", "2002-08-20T17:58:00Z"],
    ["2002-08-20T05:58:53Z", "2002-08-20T05:58:53Z"],
    ["2002-08-20 05:58:53 +02:00", "2002-08-20T03:58:53Z"],
    ["Tue, 20 Aug 2002 05:58:53 GMT+0200", "2002-08-20T03:58:53Z"],
    ["Tue, 20 Aug 2002 12:58:53 AM +0000", "2002-08-20T00:58:53Z"],
    ["Tue, 20 Aug 2002 05:58:53 Nowhere", "2002-08-20T05:58:53Z"],
    ["Tue, 20 Aug 2002", "2002-08-20T00:00:00Z"],
    ["Thu, 29 Feb 2024 00:00:00 +0000", "2024-02-29T00:00:00Z"],
  ];
  for (const [field, iso] of cases) {
    test(field, () => assert.equal(messageTime(field), Date.parse(iso)));
  }

  test("text that is no date, and absurd dates", () => {
    const broken = [
      "",
      "yesterday",
      "Thu, 30 Feb 2026 00:00:00 +0000",
      "Thu, 29 Feb 2023 00:00:00 +0000",
      "Thu, 01 Jan 2026 25:00:00 +0000",
      "Thu, 01 Jan 2026 00:61:00 +0000",
      "Thu, 01 Jan 1901 00:00:00 +0000",
      "Thu, 01 Jan 9999 00:00:00 +0000",
      "Thu, 0 Jan 2026 00:00:00 +0000",
      "Thu, 01 Foo 2026 00:00:00 +0000",
      `${"(".repeat(100_000)}1 Jan 2026`,
      " ".repeat(100_000),
      "1".repeat(100_000),
    ];
    for (const field of broken) assert.equal(messageTime(field), undefined, field.slice(0, 60));
  });
});

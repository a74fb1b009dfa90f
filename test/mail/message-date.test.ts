// Dates as mail writes them, in the zone of this machine.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { messageDate } from "../../src/mail/message-date.ts";

const zone = process.env["TZ"];
after(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

describe("messageDate", () => {
  const NEW_YEAR = Date.UTC(2026, 0, 1);
  const table: readonly (readonly [zone: string, time: number, date: string])[] = [
    ["UTC", 0, "Thu, 01 Jan 1970 00:00:00 +0000"],
    ["UTC", NEW_YEAR, "Thu, 01 Jan 2026 00:00:00 +0000"],
    ["UTC", Date.UTC(2028, 1, 29, 13, 14, 15, 999), "Tue, 29 Feb 2028 13:14:15 +0000"],
    ["Asia/Kolkata", NEW_YEAR, "Thu, 01 Jan 2026 05:30:00 +0530"],
    ["America/New_York", NEW_YEAR, "Wed, 31 Dec 2025 19:00:00 -0500"],
    ["America/St_Johns", NEW_YEAR, "Wed, 31 Dec 2025 20:30:00 -0330"],
    ["Pacific/Kiritimati", NEW_YEAR, "Thu, 01 Jan 2026 14:00:00 +1400"],
    ["Pacific/Marquesas", NEW_YEAR, "Wed, 31 Dec 2025 14:30:00 -0930"],
    ["Europe/Berlin", Date.UTC(2026, 9, 25, 0, 59, 59), "Sun, 25 Oct 2026 02:59:59 +0200"],
    ["Europe/Berlin", Date.UTC(2026, 9, 25, 1, 0, 0), "Sun, 25 Oct 2026 02:00:00 +0100"],
  ];
  for (const [where, time, date] of table) {
    it(`in ${where} is ${date}`, () => {
      process.env["TZ"] = where;
      assert.equal(messageDate(time), date);
    });
  }
});

// The part of a report that is for machines, field by field.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { given } from "../../src/base/given.ts";
import type { ReportedRecipient, ReportRequest } from "../../src/bounce/bounce.ts";
import { deliveryStatus, hostText, saidText } from "../../src/bounce/delivery-status.ts";
import type { Place } from "../../src/mail/place.ts";
import { type Status, status } from "../../src/mail/status.ts";
import { asciiLine, oneLine } from "../../src/mail/text.ts";
import { mailbox } from "../support/build.ts";
import { hostPlace } from "../support/place.ts";
import { ENVELOPE, NOW, recipient, reply, request } from "./report.ts";

const FILE: Place = { kind: "file", path: "/mail/bob/new/1" };
const SOCKET: Place = { kind: "socket", path: "/run/lmtp" };
const EVIL: Place = { kind: "host", name: "evil; <x>\r\nX: y", address: "192.0.2.1", port: 25 };

/** The fields of the only recipient. */
function fieldsOf(one: Partial<ReportedRecipient>, more: Partial<ReportRequest> = {}): string[] {
  const address = one.mailbox?.address ?? "bob@example.net";
  const asked = request({ recipients: [recipient(address, one)], ...more });
  const clean = asked.envelope.smtputf8 ? oneLine : asciiLine;
  const [, own = ""] = deliveryStatus(asked, clean).split("\r\n\r\n");
  return own.split("\r\n").slice(0, -1);
}

describe("the fields of a recipient", () => {
  const LATER = status(451, "3.0", "Later");
  const utf8 = { envelope: { ...ENVELOPE, smtputf8: true } };
  const bjorn = mailbox("bj\u00f8rn@example.net");
  const table: readonly (readonly [
    what: string,
    given: readonly [one: Partial<ReportedRecipient>, request?: Partial<ReportRequest>],
    fields: Readonly<Record<string, string | undefined>>,
  ])[] = [
    [
      "whom a host has refused",
      [{}],
      {
        "Original-Recipient": undefined,
        "Final-Recipient": "rfc822; bob@example.net",
        Action: "failed",
        Status: "5.1.1",
        "Remote-MTA": "dns; mx.example.net",
        "Diagnostic-Code": "smtp; 550 5.1.1 No such user here",
        "Last-Attempt-Date": "Sun, 22 Nov 2026 10:30:00 +0000",
        "Will-Retry-Until": undefined,
      },
    ],
    [
      "whom we have refused",
      [{ status: LATER }],
      {
        Status: "4.3.0",
        "Remote-MTA": undefined,
        "Diagnostic-Code": "X-Unseen; 451 4.3.0 Later (mx.example.net [192.0.2.1])",
      },
    ],
    [
      "at a path, which is nobody's business",
      [{ status: LATER, place: FILE }],
      { "Diagnostic-Code": "X-Unseen; 451 4.3.0 Later" },
    ],
    ["at a socket", [{ place: SOCKET }], { "Remote-MTA": undefined }],
    [
      "at a host with a name of somebody else's making",
      [{ place: EVIL }],
      { "Remote-MTA": "dns; evil" },
    ],
    [
      "with an address that the sender has given",
      [{ orcpt: "rfc822;bob+2Bx@example.net" }],
      { "Original-Recipient": "rfc822; bob+x@example.net" },
    ],
    [
      "with a given address that would be a field of its own",
      [{ orcpt: "rfc822;bob+0D+0AX:+20y@example.net" }],
      { "Original-Recipient": "rfc822; bob X: y@example.net", X: undefined },
    ],
    [
      "with an address beyond ASCII, for a sender without it",
      [{ mailbox: bjorn, orcpt: "utf-8;bj\\x{F8}rn@example.net" }],
      {
        "Original-Recipient": "utf-8; bj\\x{F8}rn@example.net",
        "Final-Recipient": "utf-8; bj\\x{F8}rn@example.net",
      },
    ],
    [
      "with an address beyond ASCII, for a sender who knows it",
      [{ mailbox: bjorn, orcpt: "UTF-8;bj\\x{F8}rn@example.net" }, utf8],
      {
        "Original-Recipient": "UTF-8; bj\u00f8rn@example.net",
        "Final-Recipient": "utf-8; bj\u00f8rn@example.net",
      },
    ],
    [
      "whose mail is late",
      [{ status: LATER, retryUntil: NOW + 3_600_000 }, { kind: "delayed" }],
      { Action: "delayed", "Will-Retry-Until": "Sun, 22 Nov 2026 11:30:00 +0000" },
    ],
    [
      "whose mail has failed for good, whatever was planned",
      [{ retryUntil: NOW + 3_600_000 }],
      { "Will-Retry-Until": undefined },
    ],
  ];
  for (const [what, asked, expected] of table) {
    it(what, () => {
      const lines = fieldsOf(...asked);
      for (const [name, value] of Object.entries(expected)) {
        const found = lines.filter((line) => line.startsWith(`${name}: `));
        assert.deepEqual(found, value === undefined ? [] : [`${name}: ${value}`]);
      }
    });
  }
});

describe("the code of a status", () => {
  const table: readonly (readonly [code: number, enhanced: string, shown: string])[] = [
    [550, "5.1.1", "5.1.1"],
    [450, "4.999.999", "4.999.999"],
    [250, "2.0.0", "2.0.0"],
    [550, "5.1000.1", "5.0.0"],
    [550, "5.1", "5.0.0"],
    [450, "", "4.0.0"],
    [550, "3.1.1", "5.0.0"],
    [550, "5.1.1\r\nX: y", "5.0.0"],
  ];
  for (const [code, enhanced, shown] of table) {
    it(`${code} ${JSON.stringify(enhanced)} is ${shown}`, () => {
      const said: Status = { code, enhanced, text: "x", remote: true };
      assert.ok(fieldsOf({ status: said }).includes(`Status: ${shown}`));
    });
  }
});

/** The fields of a message with this ENVID. */
function top(envid?: string): string[] {
  const envelope = { ...ENVELOPE, ...given({ envid }) };
  const [own = ""] = deliveryStatus(request({ envelope }), asciiLine).split("\r\n\r\n");
  return own.split("\r\n");
}

describe("the fields of the message", () => {
  const REST = [
    "Reporting-MTA: dns; mx.example.com",
    "Arrival-Date: Sun, 22 Nov 2026 09:00:00 +0000",
  ];
  const table: readonly (readonly [envid: string | undefined, shown: string | undefined])[] = [
    [undefined, undefined],
    ["QQ314159", "QQ314159"],
    ["a+2Bb", "a+b"],
    ["a+0D+0AX:+20y", "a X: y"],
  ];
  for (const [envid, shown] of table) {
    it(`with the ENVID ${envid ?? "that is none"}`, () => {
      const own = shown === undefined ? [] : [`Original-Envelope-Id: ${shown}`];
      assert.deepEqual(top(envid).toSorted(), [...REST, ...own].toSorted());
    });
  }
});

describe("what was said", () => {
  const host = hostPlace("mx.example.net [192.0.2.1]");
  const table: readonly (readonly [said: Status, place: Place | undefined, text: string])[] = [
    [reply(550, "1.1", "No"), host, "550 5.1.1 No"],
    [{ ...reply(550, "1.1", "No"), bare: true }, host, "550 No"],
    [status(451, "4.1", "refused"), host, "451 4.4.1 refused (mx.example.net [192.0.2.1])"],
    [status(451, "4.1", "refused"), undefined, "451 4.4.1 refused"],
    [status(451, "3.0", "no disk"), FILE, "451 4.3.0 no disk"],
    [reply(550, "1.1", "a\r\nb\u001b[2J"), host, "550 5.1.1 a b [2J"],
    [reply(550, "1.1", "x".repeat(990)), host, `550 5.1.1 ${"x".repeat(990)}`],
    [reply(550, "1.1", "x".repeat(991)), host, `550 5.1.1 ${"x".repeat(990)} [...]`],
  ];
  for (const [said, place, text] of table) {
    it(`is ${JSON.stringify(text.slice(0, 50))}, in ${text.length} characters`, () => {
      assert.equal(saidText(said, place, asciiLine), text);
    });
  }

  const places: readonly (readonly [place: Place | undefined, text: string | undefined])[] = [
    [host, "mx.example.net [192.0.2.1]"],
    [undefined, undefined],
    [FILE, undefined],
    [SOCKET, undefined],
    [{ kind: "host", name: "", address: "192.0.2.1", port: 25 }, undefined],
  ];
  for (const [place, text] of places) {
    it(`by ${text ?? "nobody that a stranger should know"}`, () =>
      assert.equal(hostText(place), text));
  }
});

// Reports full of what strangers may write, by chance: nobody adds a field, a part or a recipient to them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPlace } from "../support/place.ts";
import type { ReportedRecipient } from "../../src/bounce/bounce.ts";
import { parseMailbox } from "../../src/mail/address.ts";
import type { Mailbox } from "../../src/mail/envelope.ts";
import type { Status } from "../../src/mail/status.ts";
import { type Random, seeded } from "../support/random.ts";
import { mailbox } from "../support/build.ts";
import { body, composeReport, ENVELOPE, request, sections } from "./report.ts";

const PIECES = [
  "a",
  "x".repeat(90),
  " ",
  "\t",
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  "\0",
  "\x1b[2J",
  "\x7f",
  "\u0085",
  "\u00a0",
  "\u2028",
  "\u3000",
  "\ufeff",
  "\u202e",
  "\ud800",
  "\ufffd",
  "å",
  "用户",
  "😀",
  "Bcc: eve@example.net",
  "\r\nBcc: eve@example.net\r\n",
  "\r\nFinal-Recipient: rfc822; eve@example.net",
  "--=_0000000002--",
  "=_0000000002",
  "=?utf-8?q?=0d=0a?=",
  "<",
  ">",
  "<eve@example.net>",
  ",",
  ";",
  ":",
  '"',
  "\\",
  "(",
  ")",
  "@",
  "[",
  "]",
  ".",
  "%",
  "+0D+0A",
  "\\x{0D}",
] as const;

function text(random: Random, most = 8): string {
  return Array.from({ length: random.below(most + 1) }, () => random.pick(PIECES)).join("");
}

/** As strange as the parser lets an address be. */
function address(random: Random, isAscii: boolean): Mailbox {
  for (let tries = 0; tries < 50; tries++) {
    const escaped = text(random, 5).replaceAll(/["\\]/g, "\\$&");
    const local = random.oneIn(3) ? escaped : `"${escaped}"`;
    const domain = random.pick(["example.net", "bücher.example", "[192.0.2.1]", "EXAMPLE.org"]);
    const parsed = parseMailbox(`${local}@${domain}`);
    if (parsed !== undefined && !(isAscii && /[^\0-\x7f]/.test(parsed.address))) return parsed;
  }
  return mailbox("plain@example.net");
}

function recipient(random: Random): ReportedRecipient {
  const status: Status = {
    code: random.pick([250, 450, 550]),
    enhanced: random.oneIn(3) ? text(random) : "5.1.1",
    text: text(random, 20),
    ...(random.oneIn(2) ? { remote: true } : {}),
  };
  return {
    mailbox: address(random, false),
    original: address(random, false),
    status,
    ...(random.oneIn(2)
      ? { orcpt: `${random.pick(["rfc822", "utf-8", text(random)])};${text(random)}` }
      : {}),
    ...(random.oneIn(2) ? { place: hostPlace(text(random)) } : {}),
  };
}

function hostileRequest(random: Random) {
  const smtputf8 = random.oneIn(2);
  const header = `Subject: ${text(random)}\r\nMessage-ID: <${text(random)}@x>\r\n`;
  const original = Buffer.concat([
    Buffer.from(random.oneIn(4) ? "" : `${header.replaceAll("\0", "?")}\r\n`),
    Buffer.from(random.bytes(random.below(200)).map((byte) => byte || 63)),
  ]);
  const recipients = Array.from({ length: 1 + random.below(4) }, () => recipient(random));
  const kind = random.pick(["failed", "failed", "delayed", "relayed", "delivered"] as const);
  const envelope = {
    ...ENVELOPE,
    smtputf8,
    sender: address(random, !smtputf8),
    envid: text(random),
  };
  return { original, given: request({ kind, envelope, recipients, body: body(original) }) };
}

const FIELDS =
  /^(?:From|To|Subject|Date|Message-ID|In-Reply-To|References|Auto-Submitted|X-Failed-Recipients|MIME-Version|Content-Type|Content-Transfer-Encoding)$/;
const DETAILS =
  /^(?:Reporting-MTA|Original-Envelope-Id|Arrival-Date|Original-Recipient|Final-Recipient|Action|Status|Remote-MTA|Diagnostic-Code|Last-Attempt-Date|Will-Retry-Until)$/;

/** The names of the fields in a block of them; everything in it belongs to one. */
function namesIn(block: string): string[] {
  const lines = block.split("\r\n").filter((line) => line !== "" && !/^[ \t]/.test(line));
  return lines.map((line) => /^([\w-]+):/.exec(line)?.[1] ?? line);
}

test("strangers' words stay where they are quoted", async () => {
  for (let seed = 0; seed < 500; seed++) {
    const { original, given } = hostileRequest(seeded(seed));
    const { bytes, eightBit, smtputf8 } = await composeReport(given);
    const { header, parts } = sections(bytes);
    const why = `seed ${seed}`;

    const names = namesIn(header);
    for (const name of names) assert.match(name, FIELDS, why);
    assert.equal(new Set(names).size, names.length, why);
    assert.equal(parts.length, 3, why);

    const [letter, details, returned] = parts;
    assert.ok(letter && details && returned);
    const groups = details.content.trimEnd().split("\r\n\r\n");
    assert.equal(groups.length, given.recipients.length + 1, why);
    for (const group of groups) {
      const own = namesIn(group);
      for (const name of own) assert.match(name, DETAILS, why);
      assert.equal(new Set(own).size, own.length, why);
    }
    const whole = original.toString("latin1");
    if (given.kind === "failed") assert.equal(returned.content, whole, why);
    else assert.ok(whole.startsWith(returned.content), why);

    const ours = Buffer.from(header + letter.content + details.content, "latin1").toString();
    assert.doesNotMatch(ours.replaceAll("\r\n", ""), /\p{Cc}|\p{Surrogate}/u, why);
    assert.doesNotMatch(header, /=\?utf-8\?[bq]\?(?!=0d=0a\?=)/i, why);
    for (const line of ours.split("\r\n")) assert.ok(Buffer.byteLength(line) <= 998, why);
    if (!given.envelope.smtputf8) assert.doesNotMatch(ours, /[^\0-\x7f]/, why);
    assert.equal(smtputf8, /[^\0-\x7f]/.test(header + given.envelope.sender?.address), why);
    assert.equal(eightBit, smtputf8 || bytes.some((byte) => byte > 127), why);
  }
});

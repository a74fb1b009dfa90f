import assert from "node:assert/strict";
import { test } from "node:test";

import { hostPlace } from "../support/place.ts";
import { type Status, status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import {
  body,
  composeReport,
  ENVELOPE,
  MESSAGE,
  recipient,
  reply,
  request,
  sections,
} from "./report.ts";

/** Fails when the bytes could not go over SMTP, or say something that was not meant. */
function assertWellFormed(bytes: Buffer): void {
  const text = bytes.toString("latin1");
  assert.doesNotMatch(text, /(?<!\r)\n|\r(?!\n)/, "every line ends with CRLF");
  assert.doesNotMatch(text, /[^\P{Cc}\r\n\t\x80-\x9f]/u, "there is no control byte");
  for (const line of text.split("\r\n")) assert.ok(line.length <= 998, `a line of ${line.length}`);
  const names = [...sections(bytes).header.matchAll(/^([^\s:]+):/gm)].map(([, name]) => name);
  assert.deepEqual(new Set(names).size, names.length, "no header field is there twice");
  const known =
    /^(?:From|To|Subject|Date|Message-ID|In-Reply-To|References|Auto-Submitted|X-Failed-Recipients|MIME-Version|Content-Type|Content-Transfer-Encoding)$/;
  for (const name of names) assert.match(name ?? "", known);
}

async function partsOf(given: Parameters<typeof request>[0]) {
  const report = await composeReport(request(given));
  assertWellFormed(report.bytes);
  const { header, parts } = sections(report.bytes);
  const [letter, details, original] = parts;
  assert.ok(letter && details && original && parts.length === 3);
  return { ...report, header, letter, details, original };
}

test("a null sender never gets a report", async () => {
  await assert.rejects(
    composeReport(request({ envelope: { ...ENVELOPE, sender: null } })),
    /null sender/,
  );
});

test("a reply full of line ends and control bytes adds no header and no field", async () => {
  const evil =
    "no\r\nTo: everybody@example.com\r\n\r\nFinal-Recipient: rfc822; x@y\n\0\x1b[2J\x85\u2028end";
  const hostile: Status = {
    code: 550,
    enhanced: "5.1.1\r\nAction: delivered",
    text: evil,
    remote: true,
  };
  const { header, letter, details } = await partsOf({
    recipients: [
      recipient("bob@example.net", { status: hostile, place: hostPlace(`evil\r\nX: ${evil}`) }),
    ],
    envelope: { ...ENVELOPE, envid: "a+0D+0AReporting-MTA:+20dns;+20x" },
  });
  assert.doesNotMatch(header, /everybody/);
  assert.doesNotMatch(letter.content, /^To: /m);
  assert.equal(details.content.match(/^Final-Recipient:/gm)?.length, 1);
  assert.equal(details.content.match(/^Action:/gm)?.length, 1);
  assert.equal(details.content.match(/^Reporting-MTA:/gm)?.length, 1);
  assert.match(details.content, /^Status: 5\.0\.0\r$/m);
});

test("a reply without an enhanced code is quoted as it came, and has its class for a status", async () => {
  const { details, letter } = await partsOf({
    recipients: [
      recipient("b@example.net", { status: { ...reply(550, "0.0", "go away"), bare: true } }),
    ],
  });
  assert.match(details.content, /^Status: 5\.0\.0\r$/m);
  assert.match(details.content, /^Diagnostic-Code: smtp; 550 go away\r$/m);
  assert.match(letter.content, /^ {6}550 go away\r$/m);
});

test("an endless reply is cut, and its long words are broken", async () => {
  const { details } = await partsOf({
    recipients: [recipient("b@example.net", { status: status(550, "7.1", "x".repeat(60_000)) })],
  });
  assert.ok(details.content.length < 2000, `${details.content.length} bytes`);
  assert.match(details.content, /\[\.\.\.\]/);
});

test("text beyond ASCII is not quoted in a report on a message that was ASCII", async () => {
  const { details, letter, eightBit } = await partsOf({
    recipients: [
      recipient("b@example.net", { status: status(550, "1.1", "Utilisateur inconnu é") }),
    ],
  });
  assert.equal(eightBit, false);
  assert.match(details.content, /inconnu \?/);
  assert.match(letter.header, /us-ascii/);
});

test("an 8-bit message goes back unchanged, and makes the report an 8-bit one", async () => {
  const message = Buffer.from(MESSAGE.replace("Half", "\xbd"), "latin1");
  const { original, header, eightBit, smtputf8 } = await partsOf({ body: body(message) });
  assert.equal(original.content, message.toString("latin1"));
  assert.match(original.header, /message\/rfc822\r\n[^]*Content-Transfer-Encoding: 8bit/);
  assert.match(header, /Content-Transfer-Encoding: 8bit/);
  assert.deepEqual({ eightBit, smtputf8 }, { eightBit: true, smtputf8: false });
});

test("an 8-bit body of which only the header goes back leaves the report at 7 bits", async () => {
  const message = Buffer.from(MESSAGE.replace("Half", "\xbd"), "latin1");
  const envelope = { ...ENVELOPE, ret: "HDRS" } as const;
  assert.equal((await partsOf({ body: body(message), envelope })).eightBit, false);
});

async function isWhole(given: Parameters<typeof request>[0]): Promise<boolean> {
  return /message\/rfc822/.test((await partsOf(given)).original.header);
}

test("RET and the size limit decide how much goes back", async () => {
  const size = Buffer.byteLength(MESSAGE);
  assert.equal(await isWhole({ returnSizeLimit: size }), true);
  assert.equal(await isWhole({ returnSizeLimit: size - 1 }), false);
  assert.equal(await isWhole({ envelope: { ...ENVELOPE, ret: "FULL" } }), true);
  assert.equal(await isWhole({ envelope: { ...ENVELOPE, ret: "HDRS" } }), false);
  assert.equal(await isWhole({ kind: "delayed", envelope: { ...ENVELOPE, ret: "FULL" } }), false);
});

test("the header goes back up to the empty line, whatever the pieces are", async () => {
  const header = MESSAGE.slice(0, MESSAGE.indexOf("\r\n\r\n") + 2);
  assert.equal((await partsOf({ kind: "delayed" })).original.content, header);
  const bare = body("\r\nno header\r\n");
  assert.equal((await partsOf({ kind: "delayed", body: bare })).original.content, "");
  const unended = body("Subject: only a header\r\n");
  assert.equal(
    (await partsOf({ kind: "delayed", body: unended })).original.content,
    "Subject: only a header\r\n",
  );
});

test("an endless header is read no further than needed, and cut after a line", async () => {
  let read = 0;
  const line = Buffer.from(`X-Long: ${"y".repeat(90)}\r\n`);
  const endless = {
    size: 1e9,
    async *chunks() {
      for (;;) {
        read += line.length;
        yield line;
      }
    },
  };
  const { original } = await partsOf({ body: endless });
  assert.ok(read < 70_000, `${read} bytes were read`);
  assert.ok(original.content.length > 60_000 && original.content.length <= 65_536);
  assert.match(original.content, /y\r\n$/);
});

test("a message that quotes the boundary of its own report cannot break out of its part", async () => {
  const message = `Subject: x\r\n\r\n--=_0000000002\r\n\r\n--=_0000000002_1--\r\n`;
  const { original } = await partsOf({ body: body(message) });
  assert.equal(original.content, message);
});

test("a hostile Subject or Message-ID of the original adds no header", async () => {
  const message = "Subject: a\r\n\tb: c\r\nMessage-ID: <a b>\r\n (x)\r\n\r\nx\r\n";
  const { header, letter } = await partsOf({ body: body(message) });
  assert.doesNotMatch(header, /In-Reply-To|References/);
  assert.match(letter.content, /Your message "a b: c" of/);
});

test("a path in place of a host is not told to anybody", async () => {
  const { letter, details } = await partsOf({
    recipients: [
      recipient("b@example.net", { place: { kind: "file", path: "/var/mail/secret/new" } }),
      recipient("c@example.net", {
        place: { kind: "file", path: "/var/mail/secret/new" },
        status: status(550, "1.1", "No such mailbox"),
      }),
    ],
  });
  assert.doesNotMatch(letter.content + details.content, /secret/);
  assert.doesNotMatch(details.content, /^Remote-MTA/m);
});

test("our own verdict is not passed off as a reply of the host that it is about", async () => {
  const { letter, details } = await partsOf({
    recipients: [
      recipient("b@example.net", { status: status(451, "4.1", "cannot connect") }),
      recipient("c@example.net", { status: reply(421, "3.2", "closing") }),
    ],
  });
  const [, own = "", theirs = ""] = details.content.split("\r\n\r\n");
  assert.doesNotMatch(own, /^Remote-MTA/m);
  assert.match(own, /^Diagnostic-Code: X-Unseen; 451 4\.4\.1 cannot connect/m);
  assert.match(theirs, /^Remote-MTA: dns; mx\.example\.net\r$/m);
  assert.match(theirs, /^Diagnostic-Code: smtp; 421 4\.3\.2 closing\r$/m);
  assert.equal(letter.content.match(/The answer of mx\.example\.net/g)?.length, 1);
});

test("only a sender who needs it makes the report SMTPUTF8", async () => {
  const international = { ...ENVELOPE, smtputf8: true };
  const recipients = [recipient("bjørn@example.net"), recipient("bob@example.net")];
  const plain = await partsOf({ envelope: international, recipients });
  assert.deepEqual([plain.smtputf8, plain.eightBit], [false, true]);
  assert.match(plain.header, /^X-Failed-Recipients: bob@example\.net\r$/m);
  assert.match(plain.details.header, /message\/global-delivery-status/);
  assert.match(Buffer.from(plain.details.content, "latin1").toString(), /utf-8; bjørn@/);
  const sender = mailbox("ålice@example.org");
  const needy = await partsOf({ envelope: { ...international, sender }, recipients });
  assert.equal(needy.smtputf8, true);
});

test("of a thousand recipients the part for programs names all, the letter and the header a few", async () => {
  const recipients = Array.from({ length: 1000 }, (_, index) =>
    recipient(`user${index}@example.net`, {
      status: reply(550, "1.1", `<user${index}@example.net> ${"x".repeat(2000)}`),
    }),
  );
  const { header, letter, details, bytes } = await partsOf({ recipients });
  assert.equal(details.content.match(/^Final-Recipient: rfc822; user\d+@/gm)?.length, 1000);
  assert.match(letter.content, /and 950 more; all of them/);
  assert.ok(letter.content.length < 100_000, `${letter.content.length} bytes for people`);
  assert.ok(header.length < 10_000, `${header.length} bytes of header`);
  assert.ok(bytes.length < 2_000_000, `${bytes.length} bytes`);
});

test("recipients with the same answer share one explanation", async () => {
  const { letter } = await partsOf({
    recipients: ["bob", "carol", "dan"].map((name) => recipient(`${name}@example.net`)),
  });
  assert.match(
    letter.content,
    /  bob@example\.net\r\n  carol@example\.net\r\n  dan@example\.net\r\n/,
  );
  assert.equal(letter.content.match(/There is no such mailbox/g)?.length, 1);
});

test("what holds a NUL goes back as its header, without it: such bytes are not fit for a report", async () => {
  const given = `X-Odd: a\0b\r\n${MESSAGE.replace("twelve", "\0twelve")}`;
  const { bytes } = await composeReport(request({ body: body(given) }));
  assert.ok(!bytes.includes(0));
  assert.match(bytes.toString(), /^X-Odd: a\?b\r$/m);
  assert.match(bytes.toString(), /^Content-Type: text\/rfc822-headers\r$/m);
  assert.match(bytes.toString(), /the rest of it holds\s+bytes that must not be in a mail\./);
});

test("a large message is not read beyond its header, whatever RET says", async () => {
  let read = 0;
  const piece = Buffer.from(`Subject: large\r\n\r\n${"x".repeat(60_000)}\r\n`);
  const large = {
    size: 50 * 2 ** 20,
    async *chunks() {
      for (; read < this.size; read += piece.length) yield piece;
    },
  };
  const { original } = await partsOf({ body: large, envelope: { ...ENVELOPE, ret: "FULL" } });
  assert.equal(original.content, "Subject: large\r\n");
  assert.ok(read <= 2 * piece.length, `${read} bytes were read`);
});

test("a header that is none goes back as it is, and does no harm", async () => {
  const junk = `no colon here\r\n: nothing\r\nSubject\r\n\tX: y\r\n\xff\xfe\r\n\r\n\r\nbody\r\n`;
  const { original, letter } = await partsOf({ body: body(Buffer.from(junk, "latin1")) });
  assert.equal(original.content, junk);
  assert.match(letter.content, /^Your message of Sun, 22 Nov 2026, 09:00 UTC/m);
});

test("an address beyond ASCII is told in ASCII to a sender who knows nothing else", async () => {
  const { details, eightBit } = await partsOf({
    recipients: [recipient("bjørn+x@example.net", { orcpt: "utf-8;bj\\x{F8}rn\\x{D800}@x" })],
  });
  assert.equal(eightBit, false);
  assert.match(details.header, /message\/delivery-status/);
  assert.match(
    details.content,
    /^Final-Recipient: utf-8; bj\\x\{F8\}rn\\x\{2B\}x@example\.net\r$/m,
  );
  assert.match(details.content, /^Original-Recipient: utf-8; bj\\x\{F8\}rn/m);
});

test("success is told with the header only", async () => {
  for (const kind of ["relayed", "delivered"] as const) {
    const { details, original, header } = await partsOf({
      kind,
      envelope: { ...ENVELOPE, ret: "FULL" },
      recipients: [recipient("bob@example.net", { status: reply(250, "0.0", "ok") })],
    });
    assert.match(details.content, new RegExp(`^Action: ${kind}\r$`, "m"));
    assert.match(original.header, /text\/rfc822-headers/);
    assert.doesNotMatch(header, /X-Failed-Recipients/);
  }
});

test("the same request gives the same bytes", async () => {
  const [one, other] = [await composeReport(request()), await composeReport(request())];
  assert.deepEqual(one, other);
});

test("a body that cannot be read is not half returned", async () => {
  const broken = {
    size: 10,
    async *chunks(): AsyncGenerator<Buffer> {
      yield Buffer.from("Subj");
      throw new Error("checksum");
    },
  };
  await assert.rejects(composeReport(request({ body: broken })), /checksum/);
});

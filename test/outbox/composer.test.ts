// What a draft becomes, whatever stands in it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Draft } from "../../src/mail/draft.ts";
import { composedMessage } from "../../src/outbox/composer.ts";
import { mailbox } from "../support/build.ts";

const OCCASION = { id: "0000000002", hostname: "mx.example.com", now: Date.UTC(2026, 10, 22) };

function draft(more: Partial<Draft> = {}): Draft {
  return {
    from: { name: "Mail Delivery System", address: "MAILER-DAEMON@mx.example.com" },
    to: mailbox("alice@example.org"),
    subject: "Mail",
    fields: { "Auto-Submitted": "auto-generated" },
    content: "Hello.\r\n",
    ...more,
  };
}

async function written(more: Partial<Draft> = {}) {
  const { bytes, ...flags } = await composedMessage(draft(more), OCCASION);
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  // Of the last octet of a field name, the fold is undone.
  const header = bytes.toString("utf8", 0, end).replaceAll(/\r\n(?=[ \t])/g, "");
  return { bytes, header, fields: header.split("\r\n"), content: text.slice(end + 4), ...flags };
}

const HOSTILE = "a\r\nBcc: eve@example.net\r\n\r\nx\0y\x7f\x1b[2J\u0085z";

describe("the header", () => {
  test("of a text has each field once, and no other", async () => {
    const { bytes, eightBit, smtputf8 } = await written();
    assert.equal(
      bytes.toString(),
      [
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.com>",
        "To: alice@example.org",
        "Subject: Mail",
        "Date: Sun, 22 Nov 2026 00:00:00 +0000",
        "Message-ID: <0000000002@mx.example.com>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Transfer-Encoding: 7bit",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "Hello.",
        "",
      ].join("\r\n"),
    );
    assert.deepEqual({ eightBit, smtputf8 }, { eightBit: false, smtputf8: false });
  });

  test("has the names of further fields as they were given", async () => {
    const { fields } = await written({ fields: { "TLS-Report-Domain": "example.net" } });
    assert.ok(fields.includes("TLS-Report-Domain: example.net"), fields.join("\n"));
  });

  test("gets no further field from a value with line ends and control characters", async () => {
    for (const more of [
      { subject: HOSTILE },
      { fields: { "X-Failed-Recipients": HOSTILE } },
      { fields: { "X-Failed-Recipients": `${HOSTILE} ø@example.net` } },
      { messageId: `<${HOSTILE}@x>` },
      { inReplyTo: `<${HOSTILE}@x>` },
      { to: mailbox(`"${HOSTILE}"@example.org`) },
      { from: { name: HOSTILE, address: `${HOSTILE}@example.org` } },
    ]) {
      const { fields, content } = await written(more);
      const names = fields.map((one) => one.slice(0, one.indexOf(":")));
      assert.ok(!names.includes("Bcc") && !names.includes(""), names.join());
      assert.equal(new Set(names).size, names.length, names.join());
      assert.equal(content, "Hello.\r\n");
      assert.doesNotMatch(fields.join(""), /\p{Cc}/u);
    }
  });

  test("names one recipient, whatever stands in the address", async () => {
    for (const [address, shown] of [
      ['"a,b"@example.org', '<"a,b"@example.org>'],
      ['"a@b, eve@example.net"@example.org', '<"a@b, eve@example.net"@example.org>'],
      [`"a\\"b;c:d"@example.org`, `<"a\\"b;c:d"@example.org>`],
      // The composer knows no angle bracket in an address, quoted or not.
      ['"a> , <eve@example.net"@example.org', '<"a  ,  eve@example.net"@example.org>'],
      ["alice@[192.0.2.1]", "<alice@[192.0.2.1]>"],
      ["alice@[IPv6:2001:db8::1]", "<alice@[ipv6:2001:db8::1]>"],
      ["team: a@example.org, b@example.org;@example.org", undefined],
    ] as const) {
      const { fields } = await written({ to: mailbox(address) });
      const to = fields.filter((one) => /^To:/i.test(one));
      assert.equal(to.length, 1);
      if (shown !== undefined) assert.equal(to[0], `To: ${shown}`);
      else assert.match(to[0] ?? "", /^To: <".*"@example\.org>$/);
    }
  });

  test("holds an address beyond ASCII as it is, and the message must be sent as SMTPUTF8", async () => {
    const fields = { "X-Failed-Recipients": "bjørn@example.net, 用户@example.net" };
    const given = await written({ to: mailbox("ålice@example.org"), fields });
    assert.ok(given.fields.includes("To: ålice@example.org"));
    assert.ok(given.fields.includes("X-Failed-Recipients: bjørn@example.net, 用户@example.net"));
    assert.deepEqual([given.eightBit, given.smtputf8], [true, true]);
  });

  test("holds an address in quotes as it is", async () => {
    const value = '"a b"@example.net, "=?utf-8?q?x?="@example.net';
    const { fields } = await written({ fields: { "X-Failed-Recipients": value } });
    assert.ok(fields.includes(`X-Failed-Recipients: ${value}`), fields.join("\n"));
  });

  test("holds A-labels where the local part is ASCII, and the message is SMTPUTF8 for its recipient", async () => {
    const { fields, smtputf8 } = await written({ to: mailbox("alice@bücher.example") });
    assert.ok(fields.includes("To: alice@xn--bcher-kva.example"), fields.join("\n"));
    assert.equal(smtputf8, true);
  });

  test("is folded between words, and no word is cut", async () => {
    const addresses = Array.from({ length: 100 }, (_, index) => `user${index}@example.net`);
    const value = [...addresses, `${"x".repeat(200)}@example.net`].join(", ");
    const { bytes, fields } = await written({ fields: { "X-Failed-Recipients": value } });
    assert.ok(fields.includes(`X-Failed-Recipients: ${value}`));
    const [header = ""] = bytes.toString().split("\r\n\r\n");
    const long = header.split("\r\n").filter((one) => one.length > 78);
    assert.deepEqual(long, [` ${"x".repeat(200)}@example.net`]);
  });
});

describe("a text", () => {
  test("with long lines or letters beyond ASCII is encoded, and its octets are those of the text", async () => {
    for (const content of [
      `see ${"https://example.net/".repeat(20)}\r\n`,
      "Middag på torsdag\r\n",
    ]) {
      const { header, content: body, eightBit } = await written({ content });
      assert.match(header, /Content-Transfer-Encoding: quoted-printable/);
      assert.equal(eightBit, false);
      const decoded = body
        .replaceAll(/=\r\n/g, "")
        .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) =>
          String.fromCodePoint(Number.parseInt(hex, 16)),
        );
      assert.equal(Buffer.from(decoded, "latin1").toString(), content);
    }
    assert.match((await written({ content: "på\r\n" })).header, /text\/plain; charset=utf-8/);
  });
});

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

function report(content: Buffer, more: Partial<Draft> = {}) {
  const type = "text/rfc822-headers";
  return written({
    content: {
      reportType: "delivery-status",
      parts: [
        { kind: "text", description: "Notification", text: "Sorry.\r\n" },
        { kind: "verbatim", type, description: "Header of your message", content },
      ],
    },
    ...more,
  });
}

describe("a report", () => {
  test("holds verbatim octets as they are, whatever they are", async () => {
    for (const content of [
      EVERY_BYTE,
      Buffer.from("X: a \t\r\nY: b\n.\r\n\r\n\r\n"),
      Buffer.from(`X: ${"y".repeat(70_000)}\r\n`),
      Buffer.from(""),
      Buffer.alloc(3_000_000, "x".repeat(76).concat("\r\n")),
    ]) {
      const { bytes, eightBit, header } = await report(content);
      const start = bytes.lastIndexOf("bit\r\n\r\n") + 7;
      const end = bytes.length - "\r\n--=_0000000002--\r\n".length;
      assert.ok(bytes.subarray(start, end).equals(content));
      assert.equal(eightBit, content === EVERY_BYTE);
      assert.match(header, eightBit ? /Encoding: 8bit/ : /Encoding: 7bit/);
    }
  });

  test("has a boundary that stands in none of its parts", async () => {
    const { header } = await report(Buffer.from("--=_0000000002\r\n--=_0000000002_1--\r\n"));
    assert.match(header, /boundary="=_0000000002_2"/);
  });

  test("names a file in one piece, however long the name", async () => {
    const fileName = `${"x".repeat(90)}!example.net!1!2!3.json.gz`;
    const type = "application/tlsrpt+gzip";
    const content = Buffer.from(EVERY_BYTE);
    const { bytes } = await written({
      content: { reportType: "tlsrpt", parts: [{ kind: "attachment", type, fileName, content }] },
    });
    const text = bytes.toString().replaceAll(/\r\n(?=[ \t])/g, "");
    assert.match(
      text,
      new RegExp(`^Content-Disposition: attachment; filename="${fileName}"\r$`, "m"),
    );
    const [, base64 = ""] = /base64\r\n\r\n([^]*?)\r\n--/.exec(text) ?? [];
    assert.ok(Buffer.from(base64, "base64").equals(content));
  });
});

// What is indexed of a message, by its parts.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { extracted, utf8 } from "../../../support/extracted.ts";

const sha256 = (text: string) => createHash("sha256").update(text, "latin1").digest("hex");
const b64 = (text: string) => Buffer.from(text, "utf8").toString("base64");

/** A part: its fields, and its body. */
const part = (fields: string, body: string) => `${fields}\n\n${body}\n`;

function multipart(subtype: string, parts: readonly string[], boundary = "b0"): string {
  const list = parts.map((text) => `--${boundary}\n${text}`).join("");
  return `Content-Type: multipart/${subtype}; boundary="${boundary}"\n\npreamble\n${list}--${boundary}--\nepilogue\n`;
}

describe("the fields of a message", () => {
  const head =
    "Return-path: <bob@example.com>\nEnvelope-to: alice@example.org,\n carol@example.org\nDelivery-date: Fri, 02 Jan 2026 03:04:05 +0000\n";
  const message =
    "Received: from x by y; Fri, 02 Jan 2026 03:04:05 +0000\nReturn-path: <evil@example.com>\nEnvelope-to: evil@example.com\nDelivery-date: Fri, 02 Jan 1998 03:04:05 +0000\n" +
    "From: =?utf-8?q?Bob_B=C3=B6hm?= <bob@example.com>\nTo: Alice <alice@example.org>\nCc: Dave <dave@example.org>\nSubject: One\n two\n" +
    "Message-ID: <id@example.com>\nDate: Fri, 02 Jan 2026 04:04:05 +0100\n\nhello\n";

  test("all of them, under our delivery headers, with LF and with CRLF", async () => {
    for (const text of [head + message, (head + message).replaceAll("\n", "\r\n")]) {
      const extract = await extracted(text);
      const own = text.startsWith(`${head.slice(0, 30)}\r`) ? head.replaceAll("\n", "\r\n") : head;
      assert.deepEqual(
        { ...extract, contentSha256: undefined },
        {
          size: text.length,
          sha256: sha256(text),
          contentSha256: undefined,
          date: Date.UTC(2026, 0, 2, 3, 4, 5),
          deliveryDate: Date.UTC(2026, 0, 2, 3, 4, 5),
          from: "Bob Böhm <bob@example.com>",
          to: "Alice <alice@example.org>, Dave <dave@example.org>, carol@example.org",
          subject: "One two",
          messageId: "id@example.com",
          attachments: [],
          hasAttachment: false,
          body: text.includes("\r") ? "hello\r\n" : "hello\n",
          attachmentTexts: [],
          isParsed: true,
        },
      );
      assert.equal(extract.contentSha256, sha256(text.slice(text.indexOf("Received:"))), own);
    }
  });

  test("without delivery headers, fields of the same names are the message's", async () => {
    const extract = await extracted(message);
    assert.equal(extract.deliveryDate, undefined);
    assert.equal(extract.contentSha256, extract.sha256);
    assert.equal(extract.to, "Alice <alice@example.org>, Dave <dave@example.org>");
  });

  test("an empty file, one without a header, one without a body", async () => {
    assert.equal((await extracted("")).body, "");
    assert.equal((await extracted("just some words\nand more")).body, "just some words\nand more");
    assert.equal((await extracted("Subject: s")).subject, "s");
    assert.equal((await extracted("From x@y Fri Jan  2\nSubject: s\n\nb")).subject, "s");
    assert.equal((await extracted("Subject : s\nnocolon here\n\nb")).body, "nocolon here\n\nb");
    assert.equal((await extracted("\nSubject: s")).body, "Subject: s");
  });

  test("repeated fields are joined; a raw field takes the charset of the message", async () => {
    const extract = await extracted(
      "To: a@x\nTo: b@x\nSubject: \xf0\xd2\xc9\nContent-Type: text/plain; charset=koi8-r\n\n\xf0\xd2\xc9",
    );
    assert.equal(extract.to, "a@x, b@x");
    assert.equal(extract.subject, "При");
    assert.equal(extract.body, "При");
  });
});

const flowed = (delsp: string) =>
  `Content-Type: text/plain; format=flowed; delsp=${delsp}\n\nnee \ndle\n> ab \n> cd\n`;

describe("text parts", () => {
  test("soft line breaks of quoted-printable do not split words, nor characters", async () => {
    for (const [fold, line] of [
      ["=\n", "\n"],
      ["=\r\n", "\r\n"],
      ["= \t\n", "\n"],
    ] as const) {
      const fields = `Content-Type: text/plain; charset=utf-8${line}Content-Transfer-Encoding: Quoted-Printable`;
      const { body } = await extracted(
        `${fields}${line}${line}need${fold}le caf=C3${fold}=A9 a=b =zz =`,
      );
      assert.equal(body, "needle café a=b =zz ");
    }
  });

  test("base64, in lines, with padding in the middle, with rubbish", async () => {
    for (const encoded of [
      b64("needle Grüße"),
      `${b64("needle ")}\n${b64("Grüße")}`,
      "bmVl*ZGxl\r\nIEdy\n\nw7zDn2U",
      "bmVlZGxlIEdyw7zDn2U=\n\n--\nfooter",
    ]) {
      const { body } = await extracted(
        `Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n${encoded}`,
      );
      assert.match(body, /^needle Grüße/);
    }
  });

  test("format=flowed with delsp joins what was one word", async () => {
    assert.equal((await extracted(flowed("yes"))).body, "needle\n> abcd\n");
    assert.equal((await extracted(flowed("no"))).body, "nee \ndle\n> ab \n> cd\n");
  });

  test("HTML: text without scripts, hidden text, entities, words that inline tags cut", async () => {
    const html =
      "<html><head><title>Title</title><style>p{color:needle1}</style><script>needle2</script></head>" +
      "<body><p>nee<b>dle</b>3</p><div>one</div><div>two</div>a<br>b<td>c</td><span style='display:none'>hidden</span> " +
      "caf&eacute;&nbsp;&#x20AC; x&shy;y <img src=x alt='picture text'><a title='a>b' href=\"x>y\">link</a><!-- comment --> 1 < 2</body>";
    const { body } = await extracted(`Content-Type: text/html; charset=utf-8\n\n${html}`);
    const words = body.split(/\s+/);
    for (const word of [
      "Title",
      "needle3",
      "one",
      "two",
      "a",
      "b",
      "c",
      "café",
      "€",
      "xy",
      "picture",
      "text",
      "1",
      "<",
      "2",
    ])
      assert.ok(words.includes(word), `${word} in ${body}`);
    for (const word of ["needle1", "needle2", "comment", "href", "onetwo"])
      assert.ok(!body.includes(word), word);
    assert.match(body, /hidden/);
    assert.match(body, /link/);
  });

  test("the charset that the HTML names itself", async () => {
    const { body } = await extracted(
      `Content-Type: text/html\n\n<meta http-equiv=x content="text/html; charset=koi8-r">\xf0\xd2\xc9`,
    );
    assert.equal(body, "При");
  });

  test("alternatives: both texts, what is the same once", async () => {
    const message = multipart("alternative", [
      part("Content-Type: text/plain", "common words\nwords\nonly plain"),
      part("Content-Type: text/html", "<p>common words</p><p>words</p><p>only html</p>"),
    ]);
    const { body, hasAttachment } = await extracted(message);
    assert.equal(body.match(/common/g)?.length, 1);
    assert.match(body, /only plain/);
    assert.match(body, /only html/);
    assert.equal(hasAttachment, false);
    assert.doesNotMatch(body, /preamble|epilogue/);
  });

  test("an invitation", async () => {
    const calendar =
      'BEGIN:VEVENT\r\nSUMMARY:Quarterly re\r\n view\r\nLOCATION;LANGUAGE=en:Room 5\\, attic\r\nATTENDEE;CN="Miller: Ann";ROLE=X:mailto:ann@example.com\r\nDESCRIPTION:line\\nnext\r\nDTSTAMP:20260101\r\nEND:VEVENT\r\n';
    const { body } = await extracted(`Content-Type: text/calendar; charset=utf-8\n\n${calendar}`);
    for (const words of [
      "Quarterly review",
      "Room 5, attic",
      "Miller: Ann ann@example.com",
      "line\nnext",
    ])
      assert.ok(body.includes(words), body);
    assert.doesNotMatch(body, /2026|VEVENT/);
  });
});

describe("attachments", () => {
  const files: readonly (readonly [
    fields: string,
    wanted: readonly string[],
    isAttachment: boolean,
  ])[] = [
    ['Content-Type: application/zip; name="a.zip"', ["a.zip"], true],
    [
      "Content-Type: application/zip\nContent-Disposition: attachment; filename=a.zip",
      ["a.zip"],
      true,
    ],
    ['Content-Disposition: attachment; filename="a;b\\"c.txt"', ['a;b"c.txt'], true],
    [
      "Content-Disposition: attachment; filename*=utf-8'en'Gr%C3%BC%C3%9Fe.txt; filename=\"Gr.txt\"",
      ["Grüße.txt"],
      true,
    ],
    [
      "Content-Disposition: attachment;\n filename*0*=iso-8859-1''Gr%FC;\n filename*1=\"sse \";\n filename*2*=%FC.txt",
      ["Grüsse ü.txt"],
      true,
    ],
    ["Content-Disposition: attachment; filename*0=long; filename*1=er.txt", ["longer.txt"], true],
    [
      'Content-Disposition: attachment; filename="=?utf-8?q?Gr=C3=BC=C3=9Fe.txt?="',
      ["Grüße.txt"],
      true,
    ],
    [`Content-Disposition: attachment; filename="${utf8("Grüße.txt")}"`, ["Grüße.txt"], true],
    ['Content-Disposition: attachment; filename="Gr\xfc\xdfe.txt"', ["Grüße.txt"], true],
    ["Content-Type: application/pdf", ["attachment.pdf"], true],
    ["Content-Type: image/png", ["image.png"], true],
    ["Content-Type: text/plain\nContent-Disposition: attachment", ["attachment.txt"], true],
    [
      "Content-Type: image/png; name=x.png\nContent-ID: <1>\nContent-Disposition: inline",
      ["x.png"],
      false,
    ],
    [
      "Content-Type: image/png; name=x.png\nContent-ID: <1>\nContent-Disposition: attachment",
      ["x.png"],
      true,
    ],
    ["Content-Type: text/html", [], false],
    ["Content-Type: text/calendar", [], false],
  ];
  for (const [fields, wanted, isAttachment] of files) {
    test(JSON.stringify(fields), async () => {
      const message = multipart("related", [
        part("Content-Type: text/plain", "text"),
        part(fields, "x"),
      ]);
      const { attachments, hasAttachment } = await extracted(message);
      assert.deepEqual(attachments, wanted);
      assert.equal(hasAttachment, isAttachment);
    });
  }

  test("texts of plain, HTML and calendar attachments; their names alone if so configured", async () => {
    const message = multipart("mixed", [
      part("Content-Type: text/plain", "body"),
      part(
        "Content-Type: text/plain; name=a.txt\nContent-Transfer-Encoding: base64",
        b64("plain needle"),
      ),
      part("Content-Type: application/octet-stream; name=a.csv", "csv,needle"),
      part(
        "Content-Type: text/html\nContent-Disposition: attachment; filename=a.html",
        "<p>html nee<i>dle</i></p>",
      ),
      part("Content-Type: application/octet-stream; name=a.bin", "binary"),
    ]);
    const extract = await extracted(message);
    assert.deepEqual(extract.attachmentTexts, ["plain needle", "csv,needle", "html needle"]);
    assert.equal(extract.body, "body");
    assert.equal(extract.isParsed, true);
    const names = await extracted(message, false);
    assert.deepEqual(names.attachmentTexts, []);
    assert.deepEqual(names.attachments, ["a.txt", "a.csv", "a.html", "a.bin"]);
  });

  test("files in uuencode and in winmail.dat", async () => {
    const uu = await extracted("\nhello\nbegin 644 my file.txt\n%:&5L;&\\\n`\nend\nbye\n");
    assert.deepEqual(uu.attachments, ["my file.txt"]);
    assert.equal(uu.body, "hello\n\nbye\n");
    const title = Buffer.from("secret plan.doc\0");
    const tnef = Buffer.alloc(6 + 9 + title.length + 2);
    tnef.writeUInt32LE(0x223e9f78, 0);
    tnef[6] = 2;
    tnef.writeUInt32LE(0x00018010, 7);
    tnef.writeUInt32LE(title.length, 11);
    title.copy(tnef, 15);
    const winmail = await extracted(
      `Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n${tnef.toString("base64")}`,
    );
    assert.deepEqual(winmail.attachments, ["winmail.dat", "secret plan.doc"]);
  });
});

describe("messages inside", () => {
  const inner = `Subject: =?utf-8?q?inn=C3=A9r?=\nFrom: Zoe <zoe@example.com>\n${multipart("mixed", [part("Content-Type: text/plain", "inner text"), part("Content-Type: application/zip; name=in.zip", "z")], "b1")}`;

  test("forwarded, inline and as attachment, plain and encoded", async () => {
    for (const fields of [
      "",
      "Content-Disposition: attachment; filename=f.eml\n",
      "Content-Transfer-Encoding: base64\n",
    ]) {
      const text = fields.includes("base64")
        ? Buffer.from(inner, "latin1").toString("base64")
        : inner;
      const message = multipart("mixed", [
        part("Content-Type: text/plain", "outer text"),
        `Content-Type: message/rfc822\n${fields}\n${text}\n`,
        part("Content-Type: text/plain", "after"),
      ]);
      const { body, subject, attachments, hasAttachment } = await extracted(message);
      for (const words of ["outer text", "innér", "zoe@example.com", "inner text", "after"])
        assert.ok(body.includes(words), `${words}: ${body}`);
      assert.equal(subject, "");
      assert.deepEqual(attachments, [fields.includes("f.eml") ? "f.eml" : "message.eml", "in.zip"]);
      assert.equal(hasAttachment, true);
    }
  });

  test("a digest, whose parts are messages without saying so", async () => {
    const { body, hasAttachment } = await extracted(
      multipart("digest", [`\nSubject: one\n\nfirst\n`, `\nSubject: two\n\nsecond\n`]),
    );
    assert.match(body, /one\nfirst.*two\nsecond/s);
    assert.equal(hasAttachment, false);
  });

  test("a bounce: the report and the returned header are text", async () => {
    const { body, hasAttachment } = await extracted(
      multipart("report", [
        part("Content-Type: text/plain", "sorry"),
        part("Content-Type: message/delivery-status", "Final-Recipient: rfc822; x@example.net"),
        "Content-Type: message/rfc822\n\nSubject: returned\n\ntext\n",
      ]),
    );
    assert.match(body, /sorry.*x@example\.net.*returned.*text/s);
    assert.equal(hasAttachment, false);
  });
});

describe("broken structures", () => {
  test("multiparts that are not closed, inside one another", async () => {
    const message =
      "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\none\n--a\nContent-Type: text/plain\n\ntwo\n";
    assert.equal((await extracted(message)).body, "one\ntwo\n");
  });

  test("a multipart without delimiters is text; so is one without a boundary", async () => {
    for (const type of ["multipart/mixed; boundary=x", "multipart/mixed"]) {
      assert.equal((await extracted(`Content-Type: ${type}\n\nneedle\n`)).body, "needle\n");
    }
  });

  test("a boundary that begins like another, blanks after it, a part without a blank line, equal boundaries", async () => {
    const prefix = multipart(
      "mixed",
      [multipart("mixed", [part("", "one")], "b0.1"), part("", "two")],
      "b0",
    );
    assert.match((await extracted(prefix)).body, /^\s*one\s+two$/);
    assert.equal(
      (await extracted("Content-Type: multipart/mixed; boundary=b\n\n--b  \n\none\n--b-- \n")).body,
      "one",
    );
    assert.equal(
      (
        await extracted(
          "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: y\n--b\n\ntwo\n--b--\n",
        )
      ).body,
      "two",
    );
    const colon =
      'Content-Type: multipart/mixed; boundary="b:c"\n\n--b:c\nContent-Type: application/zip; name=z\n--b:c\n\ntwo\n--b:c--\n';
    assert.equal((await extracted(colon)).body, "two");
    const same = multipart(
      "mixed",
      [multipart("mixed", [part("", "one")], "b"), part("", "two")],
      "b",
    );
    assert.match((await extracted(same)).body, /one\s+two/);
  });

  test("every prefix of a message is read", async () => {
    const message = multipart("mixed", [
      part(
        "Content-Type: text/html; charset=iso-2022-jp\nContent-Transfer-Encoding: quoted-printable",
        "<p title='x'>=1B$B caf&eacute; <!-- x --></p>",
      ),
      part("Content-Type: application/zip; name*0*=utf-8''%C3; name*1*=%A9", "UEs="),
    ]);
    for (let length = 0; length < message.length; length++) {
      const { isParsed, size } = await extracted(message.slice(0, length));
      assert.deepEqual([isParsed, size], [true, length]);
    }
  });
});

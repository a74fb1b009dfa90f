// Messages that are made to cost time and memory. Each must end within the limits, and what can be read must be read.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { extracted } from "../../../support/extracted.ts";
import { zipOf } from "../../../support/zip.ts";

const nested = (depth: number) =>
  Array.from(
    { length: depth },
    (_none, at) => `Content-Type: multipart/mixed; boundary=b${at}\n\n--b${at}\n`,
  ).join("");

describe("structures", () => {
  test("10 000 multiparts inside one another: what lies deeper is read as text", async () => {
    const { body, isParsed } = await extracted(`Subject: s\n${nested(10_000)}\nneedle\n`);
    assert.match(body, /needle/);
    assert.equal(isParsed, false);
  });

  test("90 multiparts inside one another are read as such", async () => {
    const { body, isParsed } = await extracted(`Subject: s\n${nested(90)}\nneedle\n`);
    assert.equal(body, "needle\n");
    assert.equal(isParsed, true);
  });

  test("10 000 messages inside one another, plain and each encoded", async () => {
    const plain = await extracted(
      `${"Content-Type: message/rfc822\n\n".repeat(10_000)}Subject: s\n\nneedle\n`,
    );
    assert.match(plain.body, /needle/);
    assert.equal(plain.isParsed, false);
    let inner = "Subject: s\n\nneedle\n";
    for (let depth = 0; depth < 20; depth++) {
      inner = `Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n${Buffer.from(inner).toString("base64")}`;
    }
    assert.equal((await extracted(inner)).attachments.length, 5);
  });

  test("100 000 parts", async () => {
    const parts = "--b\nContent-Type: application/zip; name=z.zip\n\nx\n".repeat(100_000);
    const message = `Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nfirst\n${parts}--b--\n`;
    const { attachments, body, isParsed } = await extracted(message);
    assert.equal(attachments.length, 1000);
    assert.deepEqual([body, isParsed], ["first", false]);
  });

  test("300 000 lines that look like delimiters, and an endless delimiter", async () => {
    const lines = await extracted(
      `Content-Type: multipart/mixed; boundary=b\n\n--b\n\n${"--bb\n".repeat(300_000)}--b\n\nneedle`,
    );
    assert.ok(lines.body.endsWith("needle"));
    const long = await extracted(
      `Content-Type: multipart/mixed; boundary=${"b".repeat(500_000)}\n\n--${"b".repeat(500_000)}\n\nneedle`,
    );
    assert.ok(long.body.endsWith("needle"));
  });
});

describe("fields", () => {
  test("an endless line, endless folds, a million fields", async () => {
    for (const header of [
      `Subject: ${"x".repeat(5_000_000)}`,
      `Subject: x${"\n y".repeat(2_000_000)}`,
      "Subject: s\n".repeat(500_000),
    ]) {
      const { subject, size, isParsed } = await extracted(`From: a@x\n${header}\n\nbody\n`);
      assert.ok(subject.length > 0 && subject.length < 600_000);
      assert.ok(size > 4_000_000);
      assert.equal(isParsed, false);
    }
  });

  test("encoded words by the hundred thousand, whole and broken", async () => {
    for (const word of ["=?utf-8?q?x?= ", "=?utf-8?q?x", "=?", "=?a?b?", "=?x?q?=?="]) {
      const { subject } = await extracted(`Subject: ${word.repeat(100_000)}\n\nbody\n`);
      assert.ok(subject.length < 600_000);
    }
  });

  test("parameters by the hundred thousand, and such that invite a regular expression to go back", async () => {
    for (const text of [
      "; a=b",
      '; a="',
      '; a="\\',
      "; a*1=b",
      "; a*1*=%",
      ";;;;",
      "; = ",
      ";\t \t ",
    ]) {
      const { body } = await extracted(
        `Content-Type: text/plain${text.repeat(40_000)}\nContent-Disposition: inline${text.repeat(40_000)}\n\nbody\n`,
      );
      assert.equal(typeof body, "string");
    }
  });
});

describe("markup", () => {
  const cases = [
    "<b>",
    "<div><table><tr><td>",
    "<",
    "<!--",
    "<![CDATA[",
    '<a x="',
    "<a x='>",
    "<script>",
    "<style>",
    "</script",
    '<img alt="',
    "&",
    "&#",
    "&amp",
    '<p x= "',
    "<?",
  ];
  for (const piece of cases) {
    test(`${piece}, 300 000 times`, async () => {
      const { body } = await extracted(
        `Content-Type: text/html\n\nneedle ${piece.repeat(300_000)}> last`,
      );
      assert.match(body, /^needle/);
    });
  }
});

const xml = (text: string) =>
  Buffer.from(`<w:document><w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:document>`);
const message = (zip: Buffer) =>
  `Content-Type: application/octet-stream; name=a.docx\nContent-Transfer-Encoding: base64\n\n${zip.toString("base64")}`;

describe("documents", () => {
  test("a zip bomb: the text up to the limit", async () => {
    const bomb = Buffer.concat([xml("needle"), Buffer.alloc(80 << 20, "x")]);
    const packed = deflateRawSync(bomb, { level: 1 });
    for (const stated of [bomb.length, 10]) {
      const zip = zipOf([{ name: "word/document.xml", packed, size: stated }]);
      const { attachmentTexts, isParsed, attachments } = await extracted(message(zip));
      assert.ok(attachmentTexts.join("").length <= 2 << 20);
      assert.deepEqual([isParsed, attachments], [false, ["a.docx"]]);
    }
  });

  test("what is inflated counts, whether it has text or not", async () => {
    const [empty, last] = [Buffer.from("<w:x/>".repeat(1_500_000)), xml("needle")];
    const entries = [
      { name: "word/header1.xml", packed: deflateRawSync(empty), size: empty.length },
      { name: "word/document.xml", packed: deflateRawSync(last), size: last.length },
    ];
    const { attachmentTexts, isParsed } = await extracted(message(zipOf(entries)));
    assert.deepEqual([attachmentTexts, isParsed], [[], false]);
  });

  test("many entries that share the limit", async () => {
    const packed = deflateRawSync(Buffer.alloc(4 << 20, "x"));
    const entries = Array.from({ length: 1000 }, (_none, at) => ({
      name: `word/header${at}.xml`,
      packed,
      size: 4 << 20,
    }));
    assert.equal((await extracted(message(zipOf(entries)))).isParsed, false);
  });

  test("entities that a document defines do not exist", async () => {
    const laughs = Buffer.from(
      `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><w:document><w:p>needle &b; &lt;</w:p></w:document>`,
    );
    const zip = zipOf([
      { name: "word/document.xml", packed: deflateRawSync(laughs), size: laughs.length },
    ]);
    const { attachmentTexts } = await extracted(message(zip));
    assert.match(attachmentTexts.join(""), /needle &b; </);
  });

  test("rubbish under the names of documents", async () => {
    for (const name of ["a.docx", "a.pdf", "a.odt"]) {
      for (const rubbish of [
        "",
        "PK\x03\x04",
        "PK\x05\x06" + "\xff".repeat(18),
        "%PDF-1.7\n",
        "%PDF-1.7\ntrailer<</Root 1 0 R>>",
        "x".repeat(100_000),
      ]) {
        const { attachments, isParsed } = await extracted(
          `Content-Type: application/octet-stream; name=${name}\n\n${rubbish}`,
        );
        assert.deepEqual([attachments, isParsed], [[name], false]);
      }
    }
  });
});

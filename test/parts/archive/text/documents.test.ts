// The text of documents: OOXML, ODF, PDF.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { extracted } from "../../../support/extracted.ts";
import { pdfOf } from "../../../support/pdf.ts";
import { zipOf } from "../../../support/zip.ts";

function archive(files: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(files).map(([name, text]) => {
    const content = Buffer.from(text, "utf8");
    return { name, content, packed: deflateRawSync(content), size: content.length };
  });
  return zipOf(entries);
}

const attached = (type: string, document: Buffer) =>
  `Content-Type: ${type}\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n${(document.toString("base64").match(/.{1,76}/g) ?? []).join("\n")}\n`;

const pdfPart = (document: Buffer) => `--b\n${attached("application/pdf", document)}`;

const OOXML = "application/vnd.openxmlformats-officedocument";
const ODF = "application/vnd.oasis.opendocument";

const DOCUMENTS: readonly (readonly [types: readonly string[], document: Buffer, text: string])[] =
  [
    [
      [
        `${OOXML}.wordprocessingml.document`,
        "application/octet-stream; name=A.DOCX",
        "application/vnd.ms-word.document.macroEnabled.12",
      ],
      archive({
        "[Content_Types].xml": "<Types>never</Types>",
        "word/document.xml": `<?xml version="1.0" encoding="UTF-8"?><w:document><w:p><w:r><w:t>nee</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>dle &amp; caf&#233;</w:t></w:r><w:r><w:instrText>never</w:instrText></w:r></w:p><w:p><w:r><w:t xml:space="preserve">two </w:t><w:tab/><w:t>tabs</w:t></w:r></w:p></w:document>`,
        "word/footnotes.xml": "<w:footnotes><w:p>note</w:p></w:footnotes>",
        "word/styles.xml": "<w:p>never</w:p>",
      }),
      "needle & café two tabs note",
    ],
    [
      [`${OOXML}.spreadsheetml.sheet`, "application/zip; name=a.xlsx"],
      archive({
        "xl/sharedStrings.xml":
          "<sst><si><t>first</t></si><si><r><t>sec</t></r><r><t>ond</t></r></si></sst>",
        "xl/worksheets/sheet1.xml": `<worksheet><row><c r="A1" t="s"><v>77</v></c><c r="B1"><f>SUM(never)</f><v>42.5</v></c><c t="inlineStr"><is><t>inline &lt;</t></is></c></row></worksheet>`,
      }),
      "first second 42.5 inline <",
    ],
    [
      [`${OOXML}.presentationml.presentation`],
      archive({
        "ppt/slides/slide1.xml":
          "<p:sld><a:p><a:r><a:t>slide</a:t></a:r><a:br/><a:r><a:t>line</a:t></a:r></a:p></p:sld>",
        "ppt/notesSlides/notesSlide1.xml":
          "<p:notes><a:p><a:r><a:t>speaker</a:t></a:r></a:p></p:notes>",
      }),
      "slide line speaker",
    ],
    ...["text", "spreadsheet", "presentation"].map(
      (kind) =>
        [
          [`${ODF}.${kind}`],
          archive({
            mimetype: `${ODF}.${kind}`,
            "content.xml":
              "<office:document-content><text:h>Head</text:h><text:p>nee<text:span>dle</text:span><text:s/>two<text:line-break/>three</text:p><table:table-cell><text:p>cell</text:p></table:table-cell></office:document-content>",
            "meta.xml": "<x>never</x>",
          }),
          "Head needle two three cell",
        ] as const,
    ),
    [
      ["application/pdf", "application/octet-stream; name=a.pdf", "application/x-pdf"],
      pdfOf(["Needle on page one", "page two"]),
      "Needle on page one page two",
    ],
  ];

describe("documents", () => {
  for (const [types, document, text] of DOCUMENTS) {
    for (const type of types) {
      test(type, async () => {
        const extract = await extracted(attached(type, document));
        assert.equal(extract.attachmentTexts.join(" ").replaceAll(/\s+/g, " ").trim(), text);
        assert.equal(extract.isParsed, true);
        assert.equal(extract.hasAttachment, true);
        assert.equal(extract.body, "");
      });
    }
  }

  test("every tenth prefix of a document is no failure, and marked", async () => {
    for (const [[type = ""], document] of DOCUMENTS) {
      for (
        let length = 1;
        length < document.length - 40;
        length += Math.ceil(document.length / 10)
      ) {
        const cut = attached(type, document.subarray(0, length));
        const { isParsed, attachments } = await extracted(cut);
        assert.equal(attachments.length, 1);
        // pdf.js repairs what it can.
        if (!type.endsWith("pdf")) assert.equal(isParsed, false);
      }
    }
  });

  test("several documents: a damaged one costs only its own text", async () => {
    const message = `Content-Type: multipart/mixed; boundary=b\n\n${pdfPart(pdfOf(["one"]))}${pdfPart(Buffer.from("%PDF-1.4\nrubbish"))}${pdfPart(pdfOf(["three"]))}--b--\n`;
    const { attachmentTexts, isParsed } = await extracted(message);
    assert.deepEqual(attachmentTexts, ["one", "three"]);
    assert.equal(isParsed, false);
  });

  test("a PDF with a password has no text, and is no failure", async () => {
    const document = readFileSync(new URL("./with-password.pdf", import.meta.url));
    const { attachmentTexts, isParsed } = await extracted(attached("application/pdf", document));
    assert.deepEqual([attachmentTexts, isParsed], [[], true]);
  });

  test("attachments = false: documents are not opened", async () => {
    const { attachmentTexts, attachments, isParsed } = await extracted(
      attached("application/pdf", Buffer.from("rubbish")),
      false,
    );
    assert.deepEqual([attachmentTexts, attachments, isParsed], [[], ["attachment.pdf"], true]);
  });
});

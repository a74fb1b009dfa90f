// The same messages read by postal-mime, a parser of its own origin, and composed by nodemailer: both must find the same
// fields, names and words.

import assert from "node:assert/strict";
import { test } from "node:test";
import MailComposer from "nodemailer/lib/mail-composer/index.js";
import PostalMime from "postal-mime";
import { extracted } from "../../../support/extracted.ts";

const TEXTS = [
  "plain words only",
  "Grüße aus Köln, naïve café",
  "日本語のメール 中文 한글",
  "Привет, мир! Ελληνικά עברית العربية",
  "emoji 🎉 and a very long line ".repeat(40),
  "= equals =3D signs =\n--b\n.\n..dots\nFrom here\n>From there",
  "",
];
const ENCODINGS = ["quoted-printable", "base64"] as const;

const wordsOf = (text: string) => new Set(text.match(/[\p{L}\p{N}]+/gu));

for (const textEncoding of ENCODINGS) {
  for (const text of TEXTS) {
    test(`${textEncoding}: ${JSON.stringify(text.slice(0, 40))}`, async () => {
      const composer = new MailComposer({
        from: { name: text.slice(0, 60), address: "a@example.com" },
        to: ["b@example.com", { name: text.slice(0, 30), address: "c@example.com" }],
        subject: text,
        messageId: "<id@example.com>",
        date: new Date(1_767_225_600_000),
        textEncoding,
        text,
        html: `<p>${text.replaceAll("<", "&lt;")} <b>extra</b></p>`,
        attachments: [
          {
            filename: `${text.slice(0, 30).replaceAll("\n", " ")}.txt`,
            content: text,
            contentType: "text/plain; charset=utf-8",
          },
          { filename: "x.png", content: "x", cid: "x@y" },
          { raw: "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner words\r\n" },
        ],
      });
      const message = await composer.compile().build();
      const [ours, theirs] = [await extracted(message), await PostalMime.parse(message)];
      assert.equal(ours.isParsed, true);
      assert.equal(ours.subject, (theirs.subject ?? "").replaceAll(/[\s\p{Cc}]+/gu, " ").trim());
      assert.equal(ours.messageId, "id@example.com");
      assert.equal(ours.date, Date.parse(theirs.date ?? ""));
      // postal-mime has no name for the message inside.
      const names = theirs.attachments.map(({ filename }) => filename);
      assert.deepEqual(new Set(ours.attachments), new Set(["message.eml", ...names]));
      const body = wordsOf(ours.body);
      // postal-mime writes the label of a field before the subject of the message inside.
      const labelled = (theirs.text ?? "").replace("Subject", "");
      const wanted = wordsOf(`${labelled} ${text} extra inner words`);
      for (const word of wanted) assert.ok(body.has(word), word);
      assert.deepEqual(wordsOf(ours.attachmentTexts.join(" ")), wordsOf(text));
    });
  }
}

// What a reader sees of a message: text, HTML, and parts that are files, with the place of each.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type MessageView, messageView } from "../../../../src/parts/archive/text/message-view.ts";
import { Octets } from "../../../../src/parts/archive/text/octets.ts";
import { TransferDecoder } from "../../../../src/parts/archive/text/transfer-decoder.ts";

function viewOf(...lines: readonly string[]) {
  const octets = Buffer.from(lines.join("\r\n"));
  const view = messageView(new Octets(octets), 0);
  const contents = view.parts.map(({ start, end, encoding }) => {
    const decoder = new TransferDecoder(encoding);
    return Buffer.concat([decoder.push(octets.subarray(start, end)), decoder.end()]).toString();
  });
  return { view, contents };
}

const names = (view: MessageView) => view.parts.map(({ number, name }) => `${number} ${name}`);

const MIXED = [
  "Subject: x",
  "Content-Type: multipart/mixed; boundary=a",
  "",
  "--a",
  "Content-Type: multipart/alternative; boundary=b",
  "",
  "--b",
  "Content-Type: text/plain; charset=utf-8",
  "Content-Transfer-Encoding: quoted-printable",
  "",
  "Gr=C3=BC=C3=9Fe",
  "--b",
  "Content-Type: text/html",
  "",
  "<p>Gr&uuml;&szlig;e <img src='cid:i@x'></p>",
  "--b--",
  "--a",
  "Content-Type: image/png; name=i.png",
  "Content-ID: <i@x>",
  "Content-Transfer-Encoding: base64",
  "",
  "aGVs",
  "bG8=",
  "--a",
  "Content-Type: message/rfc822",
  "",
  "Subject: inner",
  "Content-Type: multipart/mixed; boundary=c",
  "",
  "--c",
  "Content-Disposition: attachment; filename=deep.txt",
  "",
  "deep",
  "--c--",
  "--a",
  "Content-Type: text/plain",
  "Content-Disposition: attachment; filename*=utf-8''%E2%82%AC.txt",
  "",
  "money",
  "--a--",
];

describe("the view of a message", () => {
  test("has plain text, HTML as it was written, and numbered files", () => {
    const { view, contents } = viewOf(...MIXED);
    assert.equal(view.text, "Grüße");
    assert.equal(view.html, "<p>Gr&uuml;&szlig;e <img src='cid:i@x'></p>");
    assert.deepEqual(names(view), ["1 i.png", "2 message.eml", "3 €.txt"]);
    assert.deepEqual(
      view.parts.map(({ type, contentId }) => [type, contentId]),
      [
        ["image/png", "i@x"],
        ["message/rfc822", ""],
        ["text/plain", ""],
      ],
    );
    assert.equal(contents[0], "hello");
    assert.match(contents[1] ?? "", /^Subject: inner\r\n[^]*deep\r\n--c--$/);
    assert.equal(contents[2], "money");
    assert.deepEqual(
      view.parts.map(({ size }) => size),
      contents.map((content) => Buffer.byteLength(content)),
    );
    assert.equal(view.isWhole, true);
  });

  test("has the text of the HTML if there is no other", () => {
    const { view } = viewOf("Content-Type: text/html", "", "<p>one</p><p>two</p>");
    assert.match(view.text, /^one\s+two$/);
  });

  test("of a message without structure is its text", () => {
    assert.equal(viewOf("Subject: x", "", "plain").view.text, "plain");
    assert.deepEqual(viewOf("").view, { text: "", html: "", parts: [], isWhole: true });
    const { view } = viewOf("Content-Type: multipart/mixed; boundary=a", "", "no delimiter");
    assert.equal(view.text, "no delimiter");
  });

  test("is bounded, and says so", () => {
    const { view } = viewOf("Subject: x", "", "a".repeat(2_000_000));
    assert.equal(view.text.length, 1 << 20);
    assert.equal(view.isWhole, false);
    const part = ["--a", "Content-Disposition: attachment; filename=x", "", "y"];
    const many = Array.from({ length: 2000 }, () => part).flat();
    const flood = viewOf("Content-Type: multipart/mixed; boundary=a", "", ...many).view;
    assert.deepEqual([flood.parts.length, flood.isWhole], [1000, false]);
  });
});

test("a transfer encoding is undone whatever the pieces are", () => {
  const cases = [
    ["base64", "aGVs\r\nbG8gd29y\r\nbGQhIQ==\r\n", "hello world!!"],
    ["quoted-printable", "a=C3=A4 =\r\nb=3D\r\nc", "aä b=\r\nc"],
    ["quoted-printable", "=41".repeat(50_000), "A".repeat(50_000)],
    ["7bit", "a=3D\r\n", "a=3D\r\n"],
  ] as const;
  for (const [encoding, text, expected] of cases) {
    for (const length of [1, 2, 3, 7, 70_001]) {
      if (text.length / length > 5000) continue;
      const decoder = new TransferDecoder(encoding);
      const pieces: Buffer[] = [];
      for (let at = 0; at < text.length; at += length) {
        pieces.push(Buffer.from(decoder.push(Buffer.from(text.slice(at, at + length)))));
      }
      assert.equal(Buffer.concat([...pieces, decoder.end()]).toString(), expected);
    }
  }
});

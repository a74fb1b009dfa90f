import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FirstLine } from "../../../src/receive/content/first-line.ts";

function through(pieces: readonly string[]): string {
  const line = new FirstLine();
  let out = "";
  for (const piece of pieces)
    out += line.pass(Buffer.from(piece, "latin1"))?.toString("latin1") ?? "";
  return out + (line.end()?.toString("latin1") ?? "");
}

/** However the message is cut in two, and byte by byte. */
function cuts(text: string): (readonly string[])[] {
  const ends = Array.from({ length: Math.min(text.length, 40) + 1 }, (_, i) => i);
  return [[text], text.split(""), ...ends.map((at) => [text.slice(0, at), text.slice(at)])];
}

describe("a message passes as it is", () => {
  for (const text of [
    "From: a@b.test\r\n\r\nbody\r\n",
    "x:y\r\n",
    "X-Y \t : y\r\n",
    "\r\nbody without a header section\r\n",
    "\r\n",
    "From a@b.test Thu Jan  1 00:00:00 2026\r\nSubject: x\r\n\r\n",
    ">From a@b.test Thu Jan  1 00:00:00 2026\r\nSubject: x\r\n\r\n",
    "Subject: x\r\n folded\r\nno field\r\n",
    "",
    `${"a".repeat(3000)}: a long name\r\n\r\nbody\r\n`,
    `${"a".repeat(20_000)} ${"\t".repeat(5000)} : blanks\r\n`,
  ]) {
    test(`that begins ${JSON.stringify(text.slice(0, 30))}`, () => {
      for (const pieces of cuts(text)) assert.equal(through(pieces), text);
    });
  }
});

describe("an empty line goes in front of a message", () => {
  for (const text of [
    " id forged by a stranger\r\nSubject: x\r\n\r\n",
    "\tfor <victim@b.test>; today\r\n\r\n",
    "  \r\nSubject: x\r\n",
    " ",
    "no field at all\r\nSubject: x\r\n\r\n",
    "Sensor 7 reports: 21 degrees\r\n",
    "https//no.colon.here\r\n",
    "word\r\n",
    "word",
    "From\r\n: a@b.test\r\n",
    "from a@b.test\r\n",
    ">from a@b.test\r\n",
    ">>From a@b.test\r\n",
    "From\ta@b.test\r\n",
    ": no name\r\n",
    "\u00dcber: 8-bit name\r\n",
    "a\u0000b: NUL\r\n",
    "Subject\u007f: DEL\r\n",
    "From\t a@b.test\r\n",
    `${"a".repeat(3000)} a@b.test: x\r\n`,
  ]) {
    test(`that begins ${JSON.stringify(text)}`, () => {
      for (const pieces of cuts(text)) assert.equal(through(pieces), `\r\n${text}`);
    });
  }

  test("that goes on for ever with no colon, at once when no field name is so long", () => {
    const line = new FirstLine();
    let held = 0;
    let passed = 0;
    for (; passed === 0; held++) passed = line.pass(Buffer.from("x"))?.length ?? 0;
    assert.ok(held <= 32 * 1024);
    assert.equal(passed, held + 2);
    assert.equal(line.pass(Buffer.from("x"))?.length, 1);
    assert.equal(line.end(), undefined);
  });
});

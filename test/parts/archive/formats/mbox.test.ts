// mbox: what is written is read back, octet for octet, however the file is cut into pieces.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type FromLine,
  fromLineText,
  parseFromLine,
} from "../../../../src/parts/archive/formats/from-line.ts";
import { FromQuotes } from "../../../../src/parts/archive/formats/from-quotes.ts";
import { MboxReader, NoMbox } from "../../../../src/parts/archive/formats/mbox-reader.ts";
import { hostileContents } from "../../../support/hostile-messages.ts";

const FROM = "From a@b.example Thu Jan  1 00:00:00 2026\n";

interface Read {
  readonly line: FromLine;
  readonly at: number;
  readonly isCrlf: boolean;
  content: string;
}

function read(octets: Buffer, piece = octets.length): Read[] {
  const reader = new MboxReader();
  const messages: Read[] = [];
  const take = (events: ReturnType<MboxReader["push"]>): void => {
    for (const event of events) {
      if (event.kind === "from") messages.push({ ...event, content: "" });
      else {
        const last = messages.at(-1);
        assert.ok(last !== undefined);
        last.content += event.bytes.toString("latin1");
      }
    }
  };
  for (let at = 0; at < octets.length; at += piece)
    take(reader.push(octets.subarray(at, at + piece)));
  take(reader.end());
  return messages;
}

const contents = (text: string, piece?: number) =>
  read(Buffer.from(text, "latin1"), piece).map(({ content }) => content);

function quoted(content: Buffer, piece: number): Buffer {
  const quotes = new FromQuotes("add");
  const out: Buffer[] = [];
  for (let at = 0; at < content.length; at += piece) {
    out.push(...quotes.push(content.subarray(at, at + piece)));
  }
  return Buffer.concat([...out, quotes.end()]);
}

/** As the export writes it. */
function mboxOf(messages: readonly Buffer[], piece: number): Buffer {
  return Buffer.concat(
    messages.flatMap((content) => {
      const isUnended = content.length > 0 && content.at(-1) !== 0x0a;
      const line = { sender: "a@b.example", time: 0, folder: "INBOX", isUnended, keepsCrlf: true };
      const end = isUnended ? "\n\n" : "\n";
      return [Buffer.from(fromLineText(line)), quoted(content, piece), Buffer.from(end)];
    }),
  );
}

describe("round trip of hostile messages", () => {
  for (const piece of [1, 2, 3, 5, 7, 64, 1000, 1 << 20]) {
    test(`in pieces of ${piece} octets`, () => {
      const messages = hostileContents(piece < 64 ? 5000 : 1_000_000);
      const found = read(mboxOf(messages, piece), piece);
      assert.equal(found.length, messages.length);
      for (const [index, message] of messages.entries()) {
        assert.ok(Buffer.from(found[index]?.content ?? "", "latin1").equals(message), `${index}`);
      }
    });
  }
});

test("every cut of an mbox at one place gives the same messages", () => {
  const text = `${FROM}a\n\n>From x\n>>From y\nFrom z\n\n${FROM}b\r\n\r\n${FROM}\n${FROM}`;
  const whole = contents(text);
  assert.deepEqual(whole, ["a\n\nFrom x\n>From y\nFrom z\n", "b\r\n", "", ""]);
  for (let cut = 1; cut < text.length; cut++) {
    const reader = new MboxReader();
    const events = [
      ...reader.push(Buffer.from(text.slice(0, cut))),
      ...reader.push(Buffer.from(text.slice(cut))),
      ...reader.end(),
    ];
    const joined: string[] = [];
    for (const event of events) {
      if (event.kind === "from") joined.push("");
      else joined.push(`${joined.pop()}${event.bytes.toString()}`);
    }
    assert.deepEqual(joined, whole, `cut at ${cut}`);
  }
});

test("a From_ line counts only behind an empty line and with a date", () => {
  assert.deepEqual(contents(`${FROM}a\n${FROM}b\n`), [`a\n${FROM}b\n`]);
  assert.deepEqual(contents(`${FROM}a\n\nFrom me to you\nb\n`), ["a\n\nFrom me to you\nb\n"]);
  assert.deepEqual(contents(`${FROM}a\n\nFrom me Foo Jan  1 00:00:00 2026\n`).length, 1);
  const long = `From ${"x".repeat(2000)} Thu Jan  1 00:00:00 2026\n`;
  assert.deepEqual(contents(`${FROM}a\n\n${long}b\n`), [`a\n\n${long}b\n`]);
});

test("Content-Length hides no message", () => {
  const body = `Content-Length: 100000\n\na\n\n${FROM}Subject: b\n\n`;
  assert.equal(contents(FROM + body).length, 2);
});

test("the last message may lack its last line end, and its empty line", () => {
  assert.deepEqual(contents(`${FROM}a`), ["a"]);
  assert.deepEqual(contents(`${FROM}a\n`), ["a\n"]);
  assert.deepEqual(contents(`${FROM}a\n\n`), ["a\n"]);
  assert.deepEqual(contents(`${FROM}a\r\n\r\n`), ["a\r\n"]);
  assert.deepEqual(contents(FROM), [""]);
  assert.deepEqual(contents(FROM.trimEnd()), [""]);
  assert.deepEqual(contents(""), []);
});

test("offsets are those of the From_ lines in the file", () => {
  const text = `${FROM}one\n\n${FROM}>From two\n\n${FROM}three`;
  for (const piece of [1, 10, 1000]) {
    const offsets = read(Buffer.from(text), piece).map(({ at }) => at);
    assert.deepEqual(offsets, [0, text.indexOf(FROM, 1), text.lastIndexOf(FROM)]);
  }
});

test("a file that begins otherwise is no mbox", () => {
  for (const text of ["\n", "Subject: x\n", "Fro", "from a\n", "\0".repeat(5000)]) {
    assert.throws(() => contents(text), NoMbox, JSON.stringify(text.slice(0, 20)));
    assert.throws(() => contents(text, 1), NoMbox);
  }
});

describe("From_ lines of other programs", () => {
  const utc = Date.UTC(2026, 0, 2, 3, 4, 5);
  for (const [line, sender, time] of [
    ["From a@b.example Fri Jan  2 03:04:05 2026", "a@b.example", utc],
    ["From a@b.example  Fri Jan 02 03:04:05 2026\r\n", "a@b.example", utc],
    ["From 1599@xxx Fri Jan 02 04:04:05 +0100 2026", "1599@xxx", utc],
    ["From - Fri Jan 02 03:04:05 2026", "-", utc],
    ["From Fri Jan 02 03:04:05 2026", "", utc],
    ['From "a b"@c Fri Jan  2 03:04:05 2026', '"a b"@c', utc],
    ["From x Fri Jan  2 03:04:05 UTC 2026", "x", utc],
    ["From x Thu Jan  1 22:04:05 EST 2026", "x", utc],
    ["From x Fri Jan  2 03:04:05 2026 +0000", "x", utc],
    ["From x Fri Jan  2 03:04 2026 remote from host", "x", utc - 5000],
    ["From x Fri, 2 Jan 2026 03:04:05 +0000", "x", utc],
  ] as const) {
    test(line.trimEnd(), () => {
      const found = parseFromLine(line);
      assert.equal(found?.sender, sender);
      assert.equal(found.time, time);
    });
  }
});

test("a From_ line of ours says folder and ends in the place for more", () => {
  const line = {
    sender: "a@b.example",
    time: Date.UTC(2026, 10, 9, 8, 7, 6),
    folder: "Archiv/Übersicht 100%",
    isUnended: true,
    keepsCrlf: true,
  };
  const text = fromLineText(line);
  assert.match(
    text,
    /^From a@b\.example Mon Nov  9 08:07:06 2026 folder=[!-~]+ end=open crlf=kept\n$/,
  );
  assert.deepEqual(parseFromLine(text), line);
  const plain = fromLineText({ ...line, folder: "INBOX", isUnended: false, keepsCrlf: false });
  assert.equal(plain, "From a@b.example Mon Nov  9 08:07:06 2026\n");
  assert.match(fromLineText({ ...line, sender: " \n" }), /^From MAILER-DAEMON Mon/);
});

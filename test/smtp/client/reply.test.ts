import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  isLastOne,
  ProtocolError,
  ReplyParser,
  replyStatus,
  type Reply,
} from "../../../src/smtp/client/reply.ts";
import { saidLine, statusLine } from "../../../src/mail/status.ts";

function parse(...chunks: readonly string[]): Reply[] {
  const parser = new ReplyParser();
  const replies: Reply[] = [];
  for (const chunk of chunks) parser.push(Buffer.from(chunk), replies);
  return replies;
}

function asStatus(text: string, line = statusLine): string {
  const [reply] = parse(text);
  assert.ok(reply !== undefined);
  return line(replyStatus(reply));
}

describe("reply parser", () => {
  test("gives each reply of a piece, and a reply of many pieces once it is whole", () => {
    assert.deepEqual(parse("250 a\r\n354 b\r\n"), [
      { code: 250, lines: ["a"] },
      { code: 354, lines: ["b"] },
    ]);
    const text = "250-mx\r\n250-SIZE 10\r\n250 DSN\r\n";
    assert.deepEqual(parse(...text.split("")), [{ code: 250, lines: ["mx", "SIZE 10", "DSN"] }]);
  });

  test("takes a bare code and a bare LF", () => {
    assert.deepEqual(parse("250\r\n220 hi\n"), [
      { code: 250, lines: [""] },
      { code: 220, lines: ["hi"] },
    ]);
  });

  test("takes any blank behind the code, and none", () => {
    assert.deepEqual(parse("250\tok\r\n550\t5.1.1 no\r\n354 \r\n221\r\r\n"), [
      { code: 250, lines: ["ok"] },
      { code: 550, lines: ["5.1.1 no"] },
      { code: 354, lines: [""] },
      { code: 221, lines: [""] },
    ]);
    const text = "250-mx\r\n250-\tSIZE\r\n250\tDSN\r\n";
    assert.deepEqual(parse(...text.split("")), [{ code: 250, lines: ["mx", "\tSIZE", "DSN"] }]);
    assert.deepEqual(parse("250-mx\r\n250\r\n"), [{ code: 250, lines: ["mx", ""] }]);
    assert.equal(asStatus("250\t2.0.0 Ok\r\n"), "250 2.0.0 Ok");
  });

  test("is pending in the middle of a line and in the middle of a reply", () => {
    const parser = new ReplyParser();
    const replies: Reply[] = [];
    parser.push(Buffer.from("250-a\r\n"), replies);
    assert.equal(parser.pending, true);
    parser.push(Buffer.from("250 b\r\n"), replies);
    assert.equal(parser.pending, false);
    parser.push(Buffer.from("2"), replies);
    assert.equal(parser.pending, true);
  });

  const hostile: Readonly<Record<string, readonly string[]>> = {
    "text that is no reply": ["hello there\r\n"],
    "an empty line": ["\r\n"],
    "a code below 200": ["199 x\r\n"],
    "a code above 599": ["600 x\r\n"],
    "a code of four digits": ["2500 x\r\n"],
    "a line without an end": ["250 ", "x".repeat(3000)],
    "a line that is too long": [`250 ${"x".repeat(3000)}\r\n`],
    "too many lines": ["250-x\r\n".repeat(101)],
    "too many bytes": [`250-${"x".repeat(2000)}\r\n`.repeat(40)],
  };
  for (const [what, chunks] of Object.entries(hostile)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parse(...chunks), ProtocolError);
    });
  }
});

describe("a reply with different codes", () => {
  test("of one class has the last line's", () => {
    assert.equal(asStatus("250-a\r\n251 b\r\n"), "251 2.0.0 a b");
    assert.equal(asStatus("550-5.7.1 a\r\n554 5.6.0 b\r\n"), "554 5.6.0 a b");
    assert.equal(asStatus("450-a\r\n451-b\r\n421 4.3.2 c\r\n"), "421 4.3.2 a b c");
  });

  test("of different classes is an error whose text holds the last line, and the last reply", () => {
    for (const [text, last] of [
      ["250-a\r\n550 5.1.1 b\r\n", "550 5.1.1 b"],
      ["550-a\r\n250 b\r\n", "250 b"],
      ["250-a\r\n550-b\r\n250 c\r\n", "250 c"],
      ["354-a\r\n250 b\r\n", "250 b"],
    ] as const) {
      const [reply] = parse(text);
      assert.ok(reply !== undefined && isLastOne(reply));
      const said = asStatus(text);
      assert.match(said, /^451 4\.5\.0 protocol error: /);
      assert.ok(said.includes(`"${last}"`), said);
    }
  });
});

describe("a refusal beyond the bounds", () => {
  const line = `550-5.7.1 ${"x".repeat(500)}\r\n`;
  for (const [what, chunks] of [
    ["in lines", ["550-5.7.1 x\r\n".repeat(101)]],
    ["in octets", Array.from({ length: 200 }, () => line)],
  ] as const) {
    test(`${what} is one all the same, and the last reply; little of it is held`, () => {
      const [reply] = parse(...chunks);
      assert.ok(reply !== undefined && isLastOne(reply));
      assert.equal(reply.code, 550);
      assert.ok(reply.lines.join("").length <= 8 * 1024);
      assert.match(statusLine(replyStatus(reply)), /^550 5\.7\.1 x/);
    });
  }

  test("is held only in its beginning and its last line, if it has an end", () => {
    const [reply] = parse(`550-${"x".repeat(1000)}\r\n`.repeat(60), "550 5.7.1 the end\r\n");
    assert.ok(reply !== undefined && !isLastOne(reply));
    assert.ok(reply.lines.join("").length < 9 * 1024);
    assert.equal(reply.lines.at(-1), "5.7.1 the end");
  });
});

describe("status of a reply", () => {
  test("has the enhanced code of the text, if its class agrees", () => {
    assert.equal(asStatus("250 2.1.5 fine\r\n"), "250 2.1.5 fine");
    assert.equal(asStatus("550 5.7.1\r\n"), "550 5.7.1 (no text)");
    assert.equal(asStatus("550 2.1.5 liar\r\n"), "550 5.0.0 2.1.5 liar");
    assert.equal(asStatus("451 later\r\n"), "451 4.0.0 later");
    assert.equal(asStatus("550 5.1.1000 x\r\n"), "550 5.0.0 5.1.1000 x");
    assert.equal(asStatus("550 5.1.1no\r\n"), "550 5.0.0 5.1.1no");
  });

  test("is told as it came where it has no enhanced code of its own", () => {
    for (const text of ["451 later", "550 4.2.1 liar", "550 5.7.1 no", "250 2.1.5 fine"])
      assert.equal(asStatus(`${text}\r\n`, saidLine), text);
  });

  test("joins the lines of the text without their codes", () => {
    assert.equal(asStatus("550-5.7.1 go\r\n550 5.7.1 away\r\n"), "550 5.7.1 go away");
  });

  test("has no control characters, no direction marks and no broken text", () => {
    assert.equal(
      asStatus("550 5.1.1 a\u0000\u001B[31m\u202Eb\u2028c\rd\r\n"),
      "550 5.1.1 a [31m b c d",
    );
    const parser = new ReplyParser();
    const replies: Reply[] = [];
    parser.push(Buffer.from([...Buffer.from("550 "), 0xff, 0xfe, 0x0d, 0x0a]), replies);
    assert.ok(replies[0] !== undefined);
    assert.equal(replyStatus(replies[0]).text, "\uFFFD\uFFFD");
  });

  test("has a text of bounded length", () => {
    const long = `550-${"x".repeat(1000)}\r\n`.repeat(9);
    assert.equal(asStatus(`${long}550 x\r\n`).length, "550 5.0.0 ".length + 1024);
  });
});

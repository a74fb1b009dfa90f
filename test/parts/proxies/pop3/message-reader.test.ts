import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MessageReader } from "../../../../src/parts/proxies/pop3/message-reader.ts";

/** What the reader makes of a message in these pieces. */
function read(pieces: readonly string[]): {
  raw: string;
  message: string;
  last: string;
  rest: string;
} {
  const reader = new MessageReader();
  let raw = "";
  let message = "";
  for (const [at, piece] of pieces.entries()) {
    const found = reader.read(Buffer.from(piece, "latin1"));
    raw += found.raw.toString("latin1");
    message += found.message.map((part) => part.toString("latin1")).join("");
    if (found.end === undefined) continue;
    const rest = found.end.rest.toString("latin1") + pieces.slice(at + 1).join("");
    return { raw, message, last: found.end.line.toString("latin1"), rest };
  }
  return { raw, message, last: "", rest: "" };
}

describe("a message as POP3 sends it", () => {
  const cases = [
    { wire: "a\r\nb\r\n.\r\n", message: "a\r\nb\r\n" },
    { wire: ".\r\n", message: "" },
    { wire: "..\r\n.\r\n", message: ".\r\n" },
    { wire: "...\r\n..x\r\ny\r\n.\r\n", message: "..\r\n.x\r\ny\r\n" },
    { wire: "a.\r\n.b\r\n\r\n.\r\n", message: "a.\r\nb\r\n\r\n" },
    { wire: "a\r\n.\rb\r\n.\r\n", message: "a\r\n\rb\r\n" },
    { wire: "a\n.\n", message: "a\n" },
    { wire: "\xff\0\r\n.\r\n", message: "\xff\0\r\n" },
  ];

  test("is the same, however it is cut into pieces", () => {
    for (const { wire, message } of cases) {
      const whole = `${wire}+OK next`;
      for (let first = 0; first <= whole.length; first++) {
        for (let second = first; second <= whole.length; second++) {
          const pieces = [whole.slice(0, first), whole.slice(first, second), whole.slice(second)];
          const found = read(pieces);
          assert.equal(found.message, message, JSON.stringify(pieces));
          assert.equal(found.raw + found.last, wire, JSON.stringify(pieces));
          assert.equal(found.rest, "+OK next", JSON.stringify(pieces));
        }
      }
      assert.equal(read(whole.split("")).message, message);
    }
  });

  test("the last line is held back", () => {
    const reader = new MessageReader();
    assert.equal(reader.read(Buffer.from("a\r\n.\r")).raw.toString(), "a\r\n");
    assert.equal(reader.read(Buffer.from("\n")).end?.line.toString(), ".\r\n");
  });
});

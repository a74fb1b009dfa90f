import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DotStuffer } from "../../../src/smtp/wire/dot-stuffing.ts";

/** The message as it goes on the wire, cut at the given places first. */
function wire(message: string, cuts: readonly number[] = []): string {
  const bytes = Buffer.from(message, "latin1");
  const stuffer = new DotStuffer();
  const places = [0, ...cuts, bytes.length];
  const pieces = places
    .slice(1)
    .map((end, index) => stuffer.stuff(bytes.subarray(places[index], end)));
  return Buffer.concat([...pieces, stuffer.end()]).toString("latin1");
}

/** What a server that follows RFC 5321 4.5.2 to the letter makes of it: the message, and what comes after. */
function received(bytes: string): { message: string; rest: string } {
  let message = "";
  let at = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n", at);
    assert.ok(end >= 0, "the end of the message is missing");
    const text = bytes.slice(at, end);
    at = end + 2;
    if (text === ".") return { message, rest: bytes.slice(at) };
    message += `${text.startsWith(".") ? text.slice(1) : text}\r\n`;
  }
}

const CASES: readonly (readonly [what: string, message: string, expected: string])[] = [
  ["nothing", "", ".\r\n"],
  ["a plain message", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"],
  ["a message without a last line end", "a", "a\r\n.\r\n"],
  ["a dot at the very beginning", ".a\r\n", "..a\r\n.\r\n"],
  ["a line of one dot", "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"],
  ["nothing but dots", ".\r\n..\r\n.\r\n", "..\r\n...\r\n..\r\n.\r\n"],
  ["dots within lines", "a.b\r\nc..\r\n", "a.b\r\nc..\r\n.\r\n"],
  ["a dot as the last byte", "a\r\n.", "a\r\n..\r\n.\r\n"],
  ["a lone dot", ".", "..\r\n.\r\n"],
  ["a message that ends in CR", "a\r", "a\r\r\n.\r\n"],
];

describe("dot stuffing", () => {
  for (const [what, message, expected] of CASES) {
    test(`${what}, in one piece and cut anywhere`, () => {
      assert.equal(wire(message), expected);
      for (let cut = 0; cut <= message.length; cut++) {
        assert.equal(wire(message, [cut]), expected, `cut at ${cut}`);
      }
      assert.equal(
        wire(
          message,
          Array.from(message, (_, index) => index),
        ),
        expected,
        "byte by byte",
      );
    });
  }

  test("a message without a dot to stuff is not copied", () => {
    const bytes = Buffer.from("a.b\r\nc.\r\n");
    assert.equal(new DotStuffer().stuff(bytes), bytes);
  });

  test("random messages arrive as they were, wherever they are cut", () => {
    const random = generator(20_261_122);
    for (let round = 0; round < 300; round++) {
      const lines = Array.from({ length: random(8) }, () => line(random));
      const message = lines.map((text) => `${text}\r\n`).join("");
      const expected = wire(message);
      assert.deepEqual(received(expected), { message, rest: "" });
      for (let first = 0; first <= message.length; first++) {
        const second = first + random(message.length - first + 1);
        assert.equal(
          wire(message, [first, second]),
          expected,
          JSON.stringify({ message, first, second }),
        );
      }
    }
  });
});

function line(random: (limit: number) => number): string {
  return Array.from({ length: random(4) }, () => "..ab"[random(4)]).join("");
}

/** Numbers from 0 to below `limit`, the same ones for the same seed. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * limit);
  };
}

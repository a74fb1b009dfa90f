import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BareNewlines, MessageReader } from "../../../src/smtp/server/message-reader.ts";
import { seeded } from "../../support/random.ts";

interface Reading {
  content: string;
  rest: string;
  unfit: string | undefined;
  ended: boolean;
}

function readInPieces(
  wire: string,
  cuts: readonly number[],
  sizeMax = 1e6,
  lineMax = 1000,
  bareNewlines: BareNewlines = "reject",
): Reading {
  const bytes = Buffer.from(wire, "latin1");
  const reader = new MessageReader(sizeMax, lineMax, bareNewlines);
  let content = "";
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const chunk = bytes.subarray(from, to);
    const end = reader.read(chunk, (piece) => (content += piece.toString("latin1")));
    if (end >= 0) {
      return {
        content,
        rest: bytes.subarray(from + end).toString("latin1"),
        unfit: reader.unfit,
        ended: true,
      };
    }
    from = to;
  }
  return { content, rest: "", unfit: reader.unfit, ended: false };
}

/** The same reading at every way to cut the stream in up to three pieces, and byte by byte. */
function readEveryWay(
  wire: string,
  sizeMax?: number,
  lineMax?: number,
  bareNewlines?: BareNewlines,
): Reading {
  const whole = readInPieces(wire, [], sizeMax, lineMax, bareNewlines);
  const ways = [Array.from(wire, (_, index) => index + 1)];
  for (let a = 0; a <= wire.length; a++) for (let b = a; b <= wire.length; b++) ways.push([a, b]);
  for (const cuts of ways) {
    const reading = readInPieces(wire, cuts, sizeMax, lineMax, bareNewlines);
    assert.equal(reading.ended, whole.ended, `cut at ${cuts.join()}`);
    assert.equal(reading.unfit, whole.unfit, `cut at ${cuts.join()}`);
    if (whole.unfit === undefined) assert.equal(reading.content, whole.content);
  }
  return whole;
}

describe("the message reader, at every segmentation", () => {
  const fit: [name: string, wire: string, content: string][] = [
    ["ends an empty message at a first dot", ".\r\n", ""],
    ["keeps every byte of a plain message", "A: b\r\n\r\nhello\r\n.\r\n", "A: b\r\n\r\nhello\r\n"],
    ["takes one dot off a stuffed line", "..\r\n...x\r\n.\r\n", ".\r\n..x\r\n"],
    ["takes the dot off a line that was not stuffed", ".b\r\n.\r\n", "b\r\n"],
    ["keeps bytes over 127 and NUL", "\x00\xff\x80\r\n.\r\n", "\x00\xff\x80\r\n"],
    ["keeps dots inside a line", "a.b.\r\n.\r\n", "a.b.\r\n"],
  ];
  for (const [name, wire, content] of fit) {
    it(name, () => {
      assert.deepEqual(readEveryWay(wire), { content, rest: "", unfit: undefined, ended: true });
    });
  }

  it("leaves what stands behind the end to the next command", () => {
    assert.equal(readInPieces("x\r\n.\r\nQUIT\r\n", []).rest, "QUIT\r\n");
  });

  for (const end of [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r\n.\r",
    "\r.\r\n",
    "\r\n\x00.\r\n",
  ]) {
    it(`does not end a message at ${JSON.stringify(end)}`, () => {
      assert.equal(readEveryWay(`x${end}MAIL FROM:<a@b.c>`).ended, false);
    });
  }

  for (const wire of [
    "a\nb\r\n.\r\n",
    "a\rb\r\n.\r\n",
    "a\r\r\n.\r\n",
    ".\rx\r\n.\r\n",
    ".\n\r\n.\r\n",
    "\n\r\n.\r\n",
  ]) {
    it(`finds ${JSON.stringify(wire)} unfit, and its end all the same`, () => {
      const reading = readEveryWay(wire);
      assert.equal(reading.unfit, "bare-newline");
      assert.equal(reading.ended, true);
    });
  }

  it("finds a line over the limit unfit", () => {
    assert.equal(readEveryWay("12345\r\n.\r\n", 100, 6).unfit, undefined);
    assert.equal(readEveryWay("123456\r\n.\r\n", 100, 6).unfit, "line-too-long");
  });

  it("counts the size without stuffing and finds one byte too many unfit", () => {
    assert.equal(readEveryWay("..2345\r\n.\r\n", 7).unfit, undefined);
    assert.equal(readEveryWay("..2345\r\n.\r\n", 6).unfit, "too-big");
  });
});

describe("the message reader that normalizes, at every segmentation", () => {
  const mended: [wire: string, content: string][] = [
    ["a\nb\r\n.\r\n", "a\r\nb\r\n"],
    ["a\rb\r\n.\r\n", "a\r\nb\r\n"],
    ["a\r\r\n.\r\n", "a\r\n\r\n"],
    ["a\r\r\rb\r\n.\r\n", "a\r\n\r\n\r\nb\r\n"],
    ["a\n\nb\n\r\n.\r\n", "a\r\n\r\nb\r\n\r\n"],
    ["a\n\rb\r\n.\r\n", "a\r\n\r\nb\r\n"],
    [".\rx\r\n.\r\n", "\r\nx\r\n"],
    [".\nx\r\n.\r\n", "\r\nx\r\n"],
    ["\n\r\n.\r\n", "\r\n\r\n"],
    ["plain\r\n.\r\n", "plain\r\n"],
  ];
  for (const [wire, content] of mended) {
    it(`makes ${JSON.stringify(content)} of ${JSON.stringify(wire)}`, () => {
      const reading = readEveryWay(wire, undefined, undefined, "normalize");
      assert.deepEqual(reading, { content, rest: "", unfit: undefined, ended: true });
    });
  }

  for (const end of ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n"]) {
    it(`does not end a message at ${JSON.stringify(end)}, and reads on`, () => {
      const reading = readEveryWay(
        `x${end}MAIL FROM:<a@b.c>\r\n.\r\n`,
        undefined,
        undefined,
        "normalize",
      );
      assert.match(reading.content, /MAIL FROM:<a@b\.c>\r\n$/);
      assert.doesNotMatch(reading.content, /[^\r]\n|\r[^\n]/);
    });
  }
});

describe("the message reader, in big pieces", () => {
  it("hands on one piece for each, however many dots and bare newlines there are in it", () => {
    for (const [wire, content] of [
      ["..\r\n", ".\r\n"],
      [".x\ny", "x\r\ny"],
    ] as const) {
      const reader = new MessageReader(1e6, 1000, "normalize");
      const pieces: string[] = [];
      reader.read(Buffer.from(`\r\n${wire}`.repeat(10_000)), (piece) => {
        pieces.push(piece.toString("latin1"));
      });
      assert.deepEqual(pieces, [`\r\n${content}`.repeat(10_000)]);
    }
  });

  const parts = [
    "\r\n",
    "\r\n",
    "\r\n",
    "\r",
    "\n",
    ".",
    "..",
    "x",
    "\xff\x00",
    "a.b ",
    "y".repeat(40),
  ] as const;
  const lines = ["\r\n", "\r\n", ".", "x", "\xff\x00", "a.b ", "y".repeat(40)] as const;

  for (const bareNewlines of ["reject", "normalize"] as const) {
    it(`reads what it reads byte by byte, when it is to ${bareNewlines} bare newlines`, () => {
      const random = seeded(8689);
      let fit = 0;
      for (let round = 0; round < 3000; round++) {
        const from = random.oneIn(2) ? parts : lines;
        const text = Array.from({ length: random.below(40) }, () => random.pick(from)).join("");
        const wire = `${text}\r\n.\r\nQUIT\r\n`;
        const limits = [random.pick([50, 1e6]), random.pick([30, 60, 1000]), bareNewlines] as const;
        const cut = random.below(wire.length);
        const slow = readInPieces(
          wire,
          Array.from(wire, (_, index) => index + 1),
          ...limits,
        );
        const fast = readInPieces(wire, [cut], ...limits);
        assert.equal(fast.ended, slow.ended, wire);
        // Of two things that are wrong, either may be found first.
        assert.equal(fast.unfit === undefined, slow.unfit === undefined, wire);
        if (slow.unfit !== undefined) continue;
        assert.equal(fast.content, slow.content);
        fit++;
      }
      assert.ok(fit > 300 && fit < 2700, `${fit} of 3000 were fit`);
    });
  }
});

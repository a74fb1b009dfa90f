// The progress line: on a terminal only, in 79 columns.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ProgressBar, progressLine } from "../../src/base/progress-bar.ts";

const G = 2 ** 30;

describe("the line", () => {
  for (const [state, elapsed, line] of [
    [
      { messages: 1000, octets: G, total: 4 * G },
      10_000,
      "[#####---------------] 25%  1.0G of 4.0G  1000 messages  100/s  30s left",
    ],
    [
      { messages: 1, octets: 0, total: 4 * G },
      1000,
      `[${"-".repeat(20)}] 0%  0 of 4.0G  1 message  1/s`,
    ],
    [
      { messages: 5, octets: 9, total: 8 },
      1000,
      `[${"#".repeat(20)}] 100%  9 of 8  5 messages  5/s  0s left`,
    ],
    [{ messages: 5, octets: 2048, total: undefined }, 0, "2.0K  5 messages  5000/s"],
    [{ messages: 0, octets: 0, total: 0 }, 1000, "0  0 messages  0/s"],
  ] as const) {
    test(line, () => assert.equal(progressLine(state, elapsed), line));
  }

  test("fits, whatever the numbers are", () => {
    const state = { messages: 123_456_789, octets: 1023 * G, total: 99_999 * G };
    assert.ok(progressLine(state, 1e9).length <= 79);
  });
});

class Screen {
  text = "";
  now = 0;
  readonly bar: ProgressBar;

  constructor(isTTY: boolean) {
    const write = (text: string): boolean => {
      this.text += text;
      return true;
    };
    this.bar = new ProgressBar({ monotonic: () => this.now }, { isTTY, write });
  }
}

const STATE = { messages: 1, octets: 1, total: 2 };

test("nothing is written to a file", () => {
  const out = new Screen(false);
  out.now += 1000;
  out.bar.show(STATE);
  out.bar.clear();
  assert.equal(out.text, "");
});

test("a terminal gets a line from time to time, and loses it at the end", () => {
  const out = new Screen(true);
  for (let index = 0; index < 10; index++) {
    out.bar.show(STATE);
    out.now += 50;
  }
  assert.equal(out.text.split("\r").length - 1, 2);
  out.bar.clear();
  assert.ok(out.text.endsWith("\r\u001b[K"));
});

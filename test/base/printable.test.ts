import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../src/observe/log.ts";
import { jsonLine, printable, printableLines } from "../../src/base/printable.ts";
import { manualClock } from "../support/clock.ts";

/** C0, DEL, C1, NEL, separators of lines and paragraphs, what turns text round or cannot be seen, half a character. */
const HIDDEN = [
  "\u0000",
  "\u0007",
  "\n",
  "\r",
  "\u001b[2J",
  "\u007f",
  "\u0085",
  "\u009b2J",
  "\u00ad",
  "\u061c",
  "\u180e",
  "\u200b",
  "\u200d",
  "\u200e",
  "\u2028",
  "\u2029",
  "\u202e",
  "\u2066",
  "\ufeff",
  "\u{e0041}",
  "\u{1d173}",
  "\ud800",
  "\udc00",
];
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test("JSON has no character that a reader could obey, and is the same JSON", () => {
  for (const text of HIDDEN) {
    const value = { [`key${text}`]: [`a${text}b`, { deep: text }] };
    const line = jsonLine(value);
    assert.doesNotMatch(line, FORBIDDEN, line);
    assert.deepEqual(JSON.parse(line), value);
  }
});

test("people see what is there", () => {
  assert.equal(printable("a\u202eb"), String.raw`a\u202eb`);
  assert.equal(printable("\u001b[2J\u009b\r\n"), String.raw`\u001b[2J\u009b\u000d\u000a`);
  assert.equal(printable("\u{e0041}\ud800"), String.raw`\udb40\udc41\ud800`);
  for (const text of HIDDEN) assert.doesNotMatch(printable(`a${text}b`), FORBIDDEN);
  assert.equal(printableLines("one\n\u0085two\n"), "one\n\\u0085two\n");
});

test("everything else stays as it is", () => {
  for (const text of [
    "plain",
    "müller@bücher.example",
    "日本語 👍",
    "a\\u202eb",
    '"quoted" \\'.slice(1),
  ]) {
    assert.equal(printable(text), text);
    assert.equal(jsonLine({ text }), JSON.stringify({ text }));
  }
  assert.equal(printable("a\tb"), "a b");
});

test("a line of the log is one line, whatever a peer has sent", () => {
  const lines: string[] = [];
  const clock = manualClock();
  const log = createLog(clock, { write: (line) => lines.push(line) });
  const fields = { client: "192.0.2.1", why: HIDDEN.join("") };
  log.event("session.ended", fields);
  const [line = ""] = lines;
  assert.equal(lines.length, 1);
  assert.doesNotMatch(line.slice(0, -1), FORBIDDEN);
  const time = new Date(clock.now()).toISOString();
  assert.deepEqual(JSON.parse(line), { time, event: "session.ended", ...fields });
});

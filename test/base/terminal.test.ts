// Text for people: how it is folded, and when it has colours. test/cli/printing.test.ts tests the printing.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WriteStream } from "node:tty";
import { folded, paint, warn } from "../../src/base/terminal.ts";

const a = (count: number) => "a".repeat(count);

describe("folded", () => {
  const table: readonly (readonly [what: string, text: string, indent: number, lines: string[]])[] =
    [
      ["an empty text", "", 2, ["  "]],
      ["a short text", "a b", 0, ["a b"]],
      ["a text of 80 columns", `${a(40)} ${a(39)}`, 0, [`${a(40)} ${a(39)}`]],
      ["a text of 81 columns", `${a(40)} ${a(40)}`, 0, [a(40), a(40)]],
      ["a text of 80 columns with its indent", `${a(36)} ${a(39)}`, 4, [`    ${a(36)} ${a(39)}`]],
      [
        "a text of 81 columns with its indent",
        `${a(37)} ${a(39)}`,
        4,
        [`    ${a(37)}`, `    ${a(39)}`],
      ],
      ["a long word at the beginning", `${a(100)} b`, 2, [`  ${a(100)}`, "  b"]],
      ["a long word", `b ${a(100)} c`, 2, ["  b", `  ${a(100)}`, "  c"]],
      ["a line end of a stranger", "a\r\nb", 0, ["a\\u000d\\u000ab"]],
      ["an escape of a stranger", "a\u001b[2Jb", 0, ["a\\u001b[2Jb"]],
      ["a tab", "a\tb", 0, ["a b"]],
    ];
  for (const [what, text, indent, lines] of table) {
    it(`folds ${what}`, () => assert.deepEqual(folded(text, indent), lines));
  }
});

/** Sets variables of the environment until the end of the test. */
function environment(t: TestContext, set: Readonly<Record<string, string>>): void {
  const names = ["NO_COLOR", "FORCE_COLOR", "NODE_DISABLE_COLORS", "TERM", "COLORTERM", "CI"];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  Object.assign(process.env, set);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}

/** Gives stdout these properties until the end of the test. */
function stdout(t: TestContext, properties: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(properties)) {
    const before = Object.getOwnPropertyDescriptor(process.stdout, name);
    Object.defineProperty(process.stdout, name, { value, configurable: true });
    t.after(() => {
      if (before === undefined) Reflect.deleteProperty(process.stdout, name);
      else Object.defineProperty(process.stdout, name, before);
    });
  }
}

describe("paint", () => {
  const table: readonly (readonly [
    what: string,
    isTTY: boolean,
    set: Readonly<Record<string, string>>,
    shown: string,
  ])[] = [
    ["a terminal", true, { TERM: "xterm-256color" }, "\u001b[31mno\u001b[39m"],
    ["a terminal without colours", true, { TERM: "dumb" }, "no"],
    ["a terminal with NO_COLOR", true, { TERM: "xterm-256color", NO_COLOR: "1" }, "no"],
    ["a file", false, { TERM: "xterm-256color" }, "no"],
  ];
  for (const [what, isTTY, set, shown] of table) {
    it(`writes ${JSON.stringify(shown)} to ${what}`, (t) => {
      environment(t, set);
      stdout(t, { isTTY, getColorDepth: () => WriteStream.prototype.getColorDepth(set) });
      assert.equal(paint("red", "no"), shown);
    });
  }
});

describe("warn", () => {
  const table: readonly (readonly [text: string, printed: string])[] = [
    ["", "\n"],
    ["a\nb", "a\nb\n"],
    ["a\u001b[2Jb\r\nc\u202ed", "a\\u001b[2Jb\\u000d\nc\\u202ed\n"],
  ];
  for (const [text, printed] of table) {
    it(`prints ${JSON.stringify(text)} on stderr, safe to be shown`, (t) => {
      const write = t.mock.method(process.stderr, "write", () => true);
      warn(text);
      const said = write.mock.calls.map((call) => call.arguments[0]);
      write.mock.restore();
      assert.deepEqual(said, [printed]);
    });
  }
});

// The log: one line an event, and what an error is in it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLog, describeError } from "../../src/observe/log.ts";
import { manualClock } from "../support/clock.ts";

describe("a line of the log", () => {
  const START = '{"time":"2026-01-01T00:00:00.000Z","event":"relay.warning"';
  const table: readonly (readonly [fields: object, line: string, source: string | undefined])[] = [
    [{ what: "a" }, `${START},"what":"a"}\n`, undefined],
    [{ id: "0000000001", what: "a" }, `${START},"id":"0000000001","what":"a"}\n`, "0000000001"],
    [{ client: "192.0.2.1" }, `${START},"client":"192.0.2.1"}\n`, "192.0.2.1"],
    [
      { client: "192.0.2.1", id: "0000000001" },
      `${START},"client":"192.0.2.1","id":"0000000001"}\n`,
      "0000000001",
    ],
    [{ what: "a\n{}\u2028\u202e" }, `${START},"what":"a\\n{}\\u2028\\u202e"}\n`, undefined],
  ];
  for (const [fields, line, source] of table) {
    it(`of ${JSON.stringify(fields)} is about ${source ?? "the relay"}`, () => {
      const written: unknown[] = [];
      const log = createLog(manualClock(), { write: (...given) => written.push(...given) });
      log.event("relay.warning", JSON.parse(JSON.stringify(fields)));
      assert.deepEqual(written, [line, source]);
    });
  }
});

describe("describeError", () => {
  const cause = new TypeError("inner", { cause: "a text" });
  const table: readonly (readonly [error: unknown, text: string])[] = [
    [new Error("outer"), "Error: outer"],
    [new RangeError(""), "RangeError: "],
    [new Error("outer", { cause }), "Error: outer (because TypeError: inner (because a text))"],
    [new Error("outer", { cause: undefined }), "Error: outer"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [null, "null"],
    [{ message: "x" }, "[object Object]"],
  ];
  for (const [error, text] of table) {
    it(`says ${JSON.stringify(text)}`, () => assert.equal(describeError(error), text));
  }
});

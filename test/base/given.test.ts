import assert from "node:assert/strict";
import { it } from "node:test";
import { given } from "../../src/base/given.ts";

it("what is undefined is no field", () => {
  const port: number | undefined = undefined;
  const found: { host: string; port?: number } = given({ host: "mx.example", port });
  assert.deepEqual(Object.keys(found), ["host"]);
});

it("what is empty, zero, false or null is a field, and the order stays", () => {
  const found = given({ text: "", none: undefined, count: 0, isSafe: false, error: null });
  assert.deepEqual(Object.entries(found), [
    ["text", ""],
    ["count", 0],
    ["isSafe", false],
    ["error", null],
  ]);
});

// Why a file cannot be read, in words.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cannotRead } from "../../src/base/file-errors.ts";

const failed = (code: unknown) => Object.assign(new Error("open '/etc/x'"), { code });

describe("cannotRead", () => {
  const table: readonly (readonly [error: unknown, why: string])[] = [
    [failed("ENOENT"), "there is no such file"],
    [failed("EACCES"), "permission denied"],
    [failed("EISDIR"), "it is a directory"],
    [failed("EIO"), "EIO"],
    [failed(5), "open '/etc/x'"],
    [new Error("too large"), "too large"],
    ["a text", "a text"],
    [undefined, "undefined"],
  ];
  for (const [error, why] of table) {
    it(`says "${why}"`, () => {
      assert.equal(cannotRead("/etc/x", error), `cannot read /etc/x: ${why}`);
    });
  }
});

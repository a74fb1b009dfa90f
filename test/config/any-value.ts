// Whatever stands behind the equals sign of an option, the check ends, and names lines of the file. There are some
// thousand files to check, so several test files share them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { builtIn } from "../../src/built-in.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { CERTIFICATE, COMMENTED, PRIVATE_KEY, write } from "./configuration.ts";

/** The example with everything in it that is commented out. */
const WHOLE = readFileSync(new URL("../../etc/routers.toml", import.meta.url), "utf8")
  .replaceAll(COMMENTED, "")
  .replace("tls/fullchain.pem", CERTIFICATE)
  .replace("tls/key.pem", PRIVATE_KEY);

/** Tests every fourth line of the example, beginning with line `share`: 0 to 3. */
export function testAnyValue(share: number): void {
  describe("no value stops the check, of the option", () => {
    const values = [
      "1",
      "-1",
      "1.5",
      "inf",
      "nan",
      "true",
      '""',
      '"\\u0000"',
      '"+"',
      '"!"',
      '"__proto__"',
    ];
    values.push("[]", "[[]]", "[{}]", "[1]", "{}", "{ __proto__ = 1 }", "1979-05-27", '"../.."');
    const lines = WHOLE.split("\n");
    for (const [index, line] of lines.entries()) {
      const key = /^([a-z_]+) = .*[^[]$/.exec(line)?.[1];
      if (key === undefined || index % 4 !== share) continue;
      test(`${key} in line ${index + 1}`, async () => {
        for (const value of values) {
          const text = lines.with(index, `${key} = ${value}`).join("\n");
          const result = await loadConfiguration(write("routers.toml", text), builtIn);
          if (!("problems" in result)) continue;
          assert.notDeepEqual(result.problems, [], text);
          for (const { line: at } of result.problems) assert.ok(at >= 1 && at <= lines.length);
        }
      });
    }
  });
}

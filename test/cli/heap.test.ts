// In a process of its own: the flags are those of the whole process.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const HEAP = new URL("../../src/cli/heap.ts", import.meta.url).href;

test("what is young has its room from the start, and does not grow with the work", () => {
  const program = `
    import { getHeapSpaceStatistics } from "node:v8";
    import { keepHeapLean } from ${JSON.stringify(HEAP)};
    const young = () => getHeapSpaceStatistics().find((one) => one.space_name === "new_space").space_size;
    keepHeapLean();
    const sizes = [young()];
    const alive = [];
    for (let made = 0; made < 200_000; made++) {
      alive[made % 5000] = Array.from({ length: 100 }, () => ({ made }));
    }
    sizes.push(young());
    console.log(JSON.stringify(sizes));
  `;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  const [first = 0, last = 0]: number[] = JSON.parse(output);
  const MIB = 2 ** 20;
  assert.ok(first >= 15 * MIB && first <= 20 * MIB, output);
  assert.ok(last <= 20 * MIB, output);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzAddresses } from "./addresses.ts";

test("no address of a hundred thousand makes a stranger's mail leave for another domain", async () => {
  const tally = await fuzzAddresses(1, (n) => n < 100_000);
  for (const [fate, count] of Object.entries(tally)) {
    assert.ok(count > 5000, `only ${count} were ${fate}: the addresses test nothing`);
  }
});

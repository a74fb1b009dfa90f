import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzSessions } from "./sessions.ts";

test("two thousand hostile clients, in every state, neither stop the server nor stay", async () => {
  const tally = await fuzzSessions(1, (n) => n < 2000);
  for (const [state, count] of Object.entries(tally))
    assert.ok(count > 100, `${count} in ${state}`);
});

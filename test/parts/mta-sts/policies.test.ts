// What is remembered of policies has a bound, in number and in octets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldPolicies } from "../../../src/parts/mta-sts/policies.ts";

function held(domain: string, patterns: number) {
  const mx = Array.from({ length: patterns }, (_, index) => `mx${index}.${"x".repeat(200)}.test`);
  const policy = { domain, id: "1", fetchedAt: 0, mode: "enforce", mx, maxAge: 60 } as const;
  return { policy, fetchedAt: 0 };
}

test("heavy policies push out the one that was not used for longest, and what is pushed out is told", () => {
  const policies = new HeldPolicies();
  policies.set(held("first.test", 1));
  policies.set(held("used.test", 1));
  const gone: string[] = [];
  for (let count = 0; count < 2000; count++) {
    policies.use("used.test");
    gone.push(...policies.set(held(`d${count}.test`, 100)));
  }
  assert.equal(gone[0], "first.test");
  assert.equal(policies.get("first.test"), undefined);
  assert.ok(policies.get("used.test"));
  // 100 patterns of some 260 octets each, in 16 MiB.
  assert.ok(policies.size > 400 && policies.size < 800, `${policies.size}`);
  assert.equal(policies.size + gone.length, 2002);
});

test("light ones are no more than ten thousand", () => {
  const policies = new HeldPolicies();
  for (let count = 0; count < 10_100; count++) policies.set(held(`d${count}.test`, 1));
  assert.equal(policies.size, 10_000);
  for (const { policy } of policies.all) policies.delete(policy.domain);
  assert.equal(policies.size, 0);
});

// How long a policy of MTA-STS holds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endOf, type KeptPolicy, NO_POLICIES } from "../../src/tls/sts-policies.ts";

const policy: Omit<KeptPolicy, "fetchedAt" | "maxAge"> = {
  domain: "example.net",
  id: "1",
  mode: "enforce",
  mx: ["mx.example.net"],
};

describe("the end of a policy", () => {
  const table: readonly (readonly [fetchedAt: number, maxAge: number, end: number])[] = [
    [0, 0, 0],
    [0, 1, 1000],
    [1_767_225_600_000, 0, 1_767_225_600_000],
    [1_767_225_600_000, 86_400, 1_767_312_000_000],
    [1_767_225_600_001, 31_557_600, 1_798_783_200_001],
  ];
  for (const [fetchedAt, maxAge, end] of table) {
    it(`fetched at ${fetchedAt} for ${maxAge} s is ${end}`, () => {
      assert.equal(endOf({ ...policy, fetchedAt, maxAge }), end);
    });
  }
});

describe("without the part that fetches policies", () => {
  for (const domain of ["example.net", "", "__proto__"]) {
    it(`no policy holds for ${JSON.stringify(domain)}`, async () => {
      assert.equal(await NO_POLICIES.policyOf(domain), undefined);
    });
  }
});

// The counts of all domains and days have a bound in octets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger } from "../../../src/parts/tls-reports/ledger.ts";
import { DAY } from "../../../src/parts/tls-reports/report.ts";

const MIB = 1024 * 1024;

/** A session under a policy of its own that is as long as a policy may be. */
function heavy(domain: string, number: number) {
  const lines = Array.from({ length: 40 }, (_, line) => `${number} ${line} ${"x".repeat(990)}`);
  const policy = { type: "sts", domain, lines, mx: lines } as const;
  const failure = { result: "validation-failure", reason: "y".repeat(200) } as const;
  return { policy, failure };
}

test("domains with heavy policies: counted as far as there is room, and no further", () => {
  const ledger = new Ledger("/nowhere", () => 0);
  let opened = 0;
  for (let day = 0; day < 3; day++) {
    for (let count = 0; count < 500; count++) {
      const domain = `d${count}.test`;
      const domainDay = ledger.open(day * DAY, domain);
      if (domainDay === undefined) continue;
      opened++;
      for (let number = 0; number < 5; number++)
        ledger.count(day * DAY, domainDay, heavy(domain, number));
    }
  }
  const sum = [...ledger.domainDays()].reduce(
    (octets, { domainDay }) => octets + domainDay.tally.octets,
    0,
  );
  assert.ok(sum < 17 * MIB, `${sum} octets`);
  assert.ok(opened > 50 && opened < 1500, `${opened} domains`);
  // Each one that is removed makes room for another.
  for (const { day, domain } of ledger.domainDays()) ledger.remove(day, domain);
  assert.ok(ledger.open(0, "later.test"));
});

test("without room what is known is still counted", () => {
  const ledger = new Ledger("/nowhere", () => 0);
  const known = ledger.open(0, "known.test");
  assert.ok(known);
  const light = {
    policy: { type: "no-policy-found", domain: "known.test", lines: [], mx: [] },
  } as const;
  ledger.count(0, known, light);
  for (let count = 0; count < 500; count++) {
    const domainDay = ledger.open(0, `d${count}.test`);
    if (domainDay !== undefined) ledger.count(0, domainDay, heavy("d.test", count));
  }
  ledger.count(0, known, light);
  assert.equal(known.tally.counts[0]?.successful, 2);
  ledger.count(0, known, heavy("known.test", 1));
  assert.equal(known.tally.counts.length, 1);
});

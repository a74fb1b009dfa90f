// Wrong configurations, each one change away from the right one.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { problemsOf, RIGHT } from "./configuration.ts";

export const LAST_ROUTER = `domains = "+ours"\ntransport = "gmail"\n`;
export const relayRule = (text: string) => `[[gate.relay]]\nsender_domains = "*"\n${text}\n`;

/** The right configuration with one change: a replacement of a text in it, or lines added at its end. */
type Change = readonly [what: string, by: string] | string;

export function changed(change: Change): string {
  if (typeof change === "string") return RIGHT + change;
  const [what, by] = change;
  assert.equal(RIGHT.split(what).length, 2, `${what} must be in the file once`);
  return RIGHT.replace(what, () => by);
}

/** By group and name: a change, and the lines that `relayctl check` prints of it. */
export function testCases(
  cases: Readonly<Record<string, Readonly<Record<string, readonly [Change, ...string[]]>>>>,
): void {
  for (const [what, table] of Object.entries(cases)) {
    describe(what, () => {
      for (const [how, [change, ...lines]] of Object.entries(table)) {
        test(how, async () => assert.deepEqual(await problemsOf(changed(change)), lines));
      }
    });
  }
}

// How often a message may have been passed on.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { statusLine } from "../../../src/mail/status.ts";
import { hopsScanner } from "../../../src/receive/content/hops.ts";

const MESSAGE = {
  client: { address: "192.0.2.1", helo: "client.test" },
  sender: null,
  recipients: [],
  isLocal: true,
  isRelayed: false,
};

describe("a message", () => {
  const LOOPS = "550 5.4.6 Too many hops, this message loops";
  const table: readonly (readonly [hops: number | undefined, most: number, found: string])[] = [
    [undefined, 0, "pass"],
    [0, 0, "pass"],
    [1, 0, LOOPS],
    [30, 30, "pass"],
    [31, 30, LOOPS],
    [10_000, 30, LOOPS],
  ];
  for (const [hops, most, found] of table) {
    it(`of ${hops ?? "unknown"} hops, where ${most} may be: ${found}`, async () => {
      const scan = hopsScanner(most).begin(MESSAGE);
      assert.equal(scan?.mayGo?.(), true);
      if (hops !== undefined) scan.header?.({ hops, held: "unwanted" });
      const finding = await scan.end();
      assert.equal(finding.kind === "refuse" ? statusLine(finding.status) : finding.kind, found);
    });
  }
});

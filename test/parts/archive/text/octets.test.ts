// The window on a file: what is found and read does not depend on where the windows lie.

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Octets } from "../../../../src/parts/archive/text/octets.ts";

const WINDOW = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), "unseen-octets-"));
const path = join(folder, "file");
after(() => rmSync(folder, { recursive: true }));

function withOctets(content: string, use: (octets: Octets) => void): void {
  writeFileSync(path, content, "latin1");
  const file = openSync(path, "r");
  use(new Octets({ file, length: content.length }));
  closeSync(file);
}

test("a pattern is found at every place around the end of a window, from every start", () => {
  for (const at of [
    0,
    1,
    WINDOW - 4,
    WINDOW - 3,
    WINDOW - 2,
    WINDOW - 1,
    WINDOW,
    WINDOW + 1,
    3 * WINDOW - 2,
  ]) {
    const content = `${"-".repeat(at)}\n--${"-".repeat(WINDOW)}`;
    withOctets(content, (octets) => {
      for (const start of [0, at - 5, at - 1, at].filter((one) => one >= 0)) {
        assert.equal(octets.indexOf("\n--", start), at, `${at} from ${start}`);
      }
      assert.equal(octets.indexOf("\n--", at + 1), -1);
      assert.equal(octets.indexOf("x", 0), -1);
    });
  }
});

test("any range reads as it stands, forwards and backwards", () => {
  const content = Array.from({ length: 400_000 }, (_none, at) => `${at % 977}\xe9`).join("");
  withOctets(content, (octets) => {
    for (const start of [0, 1_500_000, WINDOW - 1, 3, content.length - 2, 900_000]) {
      for (const length of [0, 1, 100, WINDOW + 5]) {
        assert.equal(octets.text(start, start + length), content.slice(start, start + length));
        assert.equal(
          octets.bytes(start, start + length).toString("latin1"),
          content.slice(start, start + length),
        );
      }
    }
  });
});

test("a file that becomes shorter reads as zeros", () => {
  withOctets("x".repeat(2 * WINDOW), (octets) => {
    truncateSync(path, 10);
    assert.equal(octets.text(0, 12), `${"x".repeat(10)}\0\0`);
    assert.equal(octets.indexOf("y", 0), -1);
  });
});

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Chain } from "../../../../src/parts/archive/chain/chain.ts";
import { ChainReader } from "../../../../src/parts/archive/chain/reader.ts";
import { manualClock } from "../../../support/clock.ts";
import { Directory, independently, linesOf } from "./chains.ts";

const DAY = 86_400_000;
const DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"];

/** Three lines on each of three days. */
async function chainOfDays(directory: string): Promise<void> {
  const clock = manualClock();
  const chain = new Chain(directory, clock);
  for (const day of [1, 2, 3]) {
    for (const line of [1, 2, 3]) {
      await chain.append([{ word: "file", fields: [`${day}.${line}`, "100%", "ä"] }]);
    }
    clock.advance(DAY);
  }
  await chain.close();
}

/** The broken places, "DAY:LINE". */
async function brokenIn(directory: string): Promise<string[]> {
  return (await linesOf(directory))
    .filter(({ state }) => state === "broken")
    .map(({ day, line }) => `${day}:${line}`);
}

describe("a chain that was changed", () => {
  it("names the line of any changed octet, and no other line before it", async () => {
    using directory = new Directory();
    await chainOfDays(directory.path);
    for (const day of DAYS) {
      const file = join(directory.path, day);
      const bytes = readFileSync(file);
      let line = 1;
      for (let at = 0; at < bytes.length; at++) {
        const value = bytes[at] ?? 0;
        for (const change of [1, 0x80]) {
          const changed = Buffer.from(bytes);
          changed[at] = value ^ change;
          writeFileSync(file, changed);
          const broken = await brokenIn(directory.path);
          assert.equal(broken[0], `${day}:${line}`, `octet ${at} of ${day} ^ ${change}`);
          assert.ok(broken.length <= 2, broken.join(" "));
        }
        if (value === 10) line++;
      }
      writeFileSync(file, bytes);
    }
    assert.deepEqual(await brokenIn(directory.path), []);
  });

  it("names the place where a line was taken out, added, doubled or moved", async () => {
    using directory = new Directory();
    await chainOfDays(directory.path);
    const file = join(directory.path, "2026-01-02");
    const before = readFileSync(file, "latin1");
    const [one = "", two = "", three = ""] = before.split(/(?<=\n)/);
    const forged = `${"ab".repeat(32)} 2026-01-02T00:00:00.000Z file x y z\n`;
    const changes: readonly (readonly [string, string])[] = [
      [two + three, "2026-01-02:1"],
      [one + three, "2026-01-02:2"],
      [one + two, "2026-01-03:1"],
      [one + forged + two + three, "2026-01-02:2"],
      [one + one + two + three, "2026-01-02:2"],
      [one + three + two, "2026-01-02:2"],
      [`${one}\n${two}${three}`, "2026-01-02:2"],
      [`${one}${"x".repeat(300_000)}\n${two}${three}`, "2026-01-02:2"],
      ["", "2026-01-03:1"],
      [before.slice(0, -1), "2026-01-02:3"],
    ];
    for (const [text, place] of changes) {
      writeFileSync(file, text, "latin1");
      assert.equal((await brokenIn(directory.path))[0], place);
      assert.throws(() => independently(directory.path));
    }
  });

  it("names a day that is gone, but cannot see that the end is gone", async () => {
    using directory = new Directory();
    for (const [index, day] of DAYS.entries()) {
      await chainOfDays(directory.path);
      rmSync(join(directory.path, day));
      const next = DAYS[index + 1];
      assert.deepEqual(await brokenIn(directory.path), next === undefined ? [] : [`${next}:1`]);
      for (const each of DAYS) rmSync(join(directory.path, each), { force: true });
    }
  });

  it("goes on with its writer after damage at its end", async () => {
    using directory = new Directory();
    for (const damage of ["x\n", `${"f".repeat(64)} x y\n`, `${"x".repeat(200_000)}\n`, "\n\n"]) {
      await chainOfDays(directory.path);
      const file = join(directory.path, "2026-01-03");
      writeFileSync(file, readFileSync(file, "latin1") + damage);
      const chain = new Chain(directory.path, manualClock());
      await chain.append([{ word: "file", fields: ["a"] }]);
      await chain.append([{ word: "file", fields: ["b"] }]);
      await chain.close();
      const lines = await linesOf(directory.path);
      assert.deepEqual(
        lines.slice(-2).map(({ state }) => state),
        ["whole", "whole"],
      );
      assert.ok(lines.some(({ state }) => state === "broken"));
      for (const each of DAYS) rmSync(join(directory.path, each), { force: true });
    }
  });
});

it("a reader reads on where it has ended", async () => {
  using directory = new Directory();
  const clock = manualClock();
  const chain = new Chain(directory.path, clock);
  const reader = new ChainReader(directory.path);
  const read = async () =>
    (await Array.fromAsync(reader.read())).flat().map(({ fields, state }) => [fields[0], state]);
  assert.deepEqual(await read(), []);
  for (const number of ["1", "2", "3"]) {
    await chain.append([{ word: "file", fields: [number] }]);
    assert.deepEqual(await read(), [[number, "whole"]]);
    assert.deepEqual(await read(), []);
    if (number === "2") clock.advance(DAY);
  }
  await chain.close();
});

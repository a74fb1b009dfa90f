// The programs of docs/archive.md, on a chain.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { Chain } from "../../../../src/parts/archive/chain/chain.ts";
import { manualClock } from "../../../support/clock.ts";
import { Directory, linesOf } from "./chains.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../../../docs/archive.md"), "utf8");
const has = (program: string) => spawnSync(program, ["--version"]).status === 0;

function programIn(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "ms").exec(PAGE)?.[1] ?? "";
}

async function chainIn(directory: string): Promise<void> {
  const clock = manualClock();
  const chain = new Chain(directory, clock);
  for (const fields of [["a b"], ["%", ""], ["ü\n"], ["4"]]) {
    await chain.append([{ word: "file", fields }]);
    clock.advance(43_200_000);
  }
  await chain.close();
}

it(
  "the Python program finds a chain right, and names a broken line",
  { skip: !has("python3") },
  async () => {
    using directory = new Directory();
    await chainIn(directory.path);
    const run = () =>
      spawnSync("python3", ["-c", programIn("python"), directory.path], { encoding: "utf8" });
    const last = (await linesOf(directory.path)).at(-1)?.hash;
    assert.deepEqual([run().status, run().stdout], [0, `${last}\n`]);
    const file = join(directory.path, "2026-01-02");
    writeFileSync(file, readFileSync(file, "latin1").replace("file 4", "file 5"));
    assert.deepEqual([run().status, run().stderr], [1, `${file}:2 is broken\n`]);
  },
);

it("sha256sum prints the hash of a line", { skip: !has("sha256sum") }, async () => {
  using directory = new Directory();
  await chainIn(directory.path);
  const script = programIn("sh").replace(/FILE=\S+/, `FILE=${join(directory.path, "2026-01-01")}`);
  const { stdout } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  assert.equal(stdout.slice(0, 64), (await linesOf(directory.path))[1]?.hash);
});

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { routerDrivers } from "../../routers/index.ts";
import { transportDrivers } from "../../transports/index.ts";

const TABLES = { routers: routerDrivers, transports: transportDrivers } as const;

for (const [folder, drivers] of Object.entries(TABLES)) {
  const directory = new URL(`../../${folder}/`, import.meta.url);
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".ts") && name !== "index.ts")
    .map((name) => name.slice(0, -".ts".length));

  test(`every driver of ${folder}/ is in its table, under the name of its file`, () => {
    assert.deepEqual([...drivers.keys()].toSorted(), files.toSorted());
    for (const [name, driver] of drivers) assert.equal(driver.name, name);
  });

  test(`every driver of ${folder}/ is named in its README, and no other`, () => {
    const page = readFileSync(new URL("README.md", directory), "utf8");
    const rows = page.matchAll(/^\| \[([a-z-]+)\]\(\1\.ts\) \|/gm);
    const linked = Array.from(rows, ([, name = ""]) => name);
    assert.deepEqual(linked.toSorted(), files.toSorted());
  });

  test(`every driver of ${folder}/ has a test of its own`, () => {
    const tests = readdirSync(new URL(`../${folder}/`, import.meta.url));
    for (const name of files) {
      assert.ok(
        tests.some((file) => file.startsWith(name)),
        `no test of ${name}`,
      );
    }
  });
}

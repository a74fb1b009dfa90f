import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { LogOutput } from "../../src/cli/log-output.ts";

suite("the log's way out", () => {
  const directory = mkdtempSync(join(tmpdir(), "unseen-log-"));
  after(() => rmSync(directory, { recursive: true }));

  test("lines come whole and in order, over many turns of the event loop", async () => {
    const file = join(directory, "order");
    const fd = openSync(file, "w");
    const output = new LogOutput(fd);
    const wanted: string[] = [];
    for (let index = 0; index < 2000; index++) {
      const line = `${index} ${"é".repeat(index % 50)}\n`;
      wanted.push(line);
      output.write(line);
      if (index % 100 === 0) await new Promise(setImmediate);
    }
    await output.flush();
    assert.equal(readFileSync(file, "utf8"), wanted.join(""));
    closeSync(fd);
  });

  test("flushNow writes what still waits", () => {
    const file = join(directory, "now");
    const fd = openSync(file, "w");
    const output = new LogOutput(fd);
    output.write("last words\n");
    output.flushNow();
    assert.equal(readFileSync(file, "utf8"), "last words\n");
    closeSync(fd);
  });

  test("a log that cannot be written is no error", async () => {
    const fd = openSync("/dev/full", "w");
    const output = new LogOutput(fd);
    output.write("lost\n");
    await output.flush();
    output.write("lost too\n");
    output.flushNow();
    await output.flush();
    closeSync(fd);
  });
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { LogOutput } from "../../src/cli/log-output.ts";
import { errorCode } from "../../src/base/error-code.ts";

/** A pipe that nobody reads from until `readUntil`, which gives all that was written when `written` resolves. */
function stoppedPipe(directory: string) {
  const fifo = join(directory, "pipe");
  rmSync(fifo, { force: true });
  execFileSync("mkfifo", [fifo]);
  const reading = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writing = openSync(fifo, constants.O_WRONLY);
  const buffer = Buffer.alloc(65_536);
  const read = (): number => {
    try {
      return readSync(reading, buffer);
    } catch (error) {
      assert.equal(errorCode(error), "EAGAIN");
      return 0;
    }
  };
  return {
    writing,
    async readUntil(written: Promise<void>): Promise<string> {
      const over = new AbortController();
      void written.then(() => over.abort());
      const pieces: string[] = [];
      for (let length = read(); length > 0 || !over.signal.aborted; length = read()) {
        pieces.push(buffer.toString("latin1", 0, length));
        await new Promise(setImmediate);
      }
      return pieces.join("");
    },
    [Symbol.dispose]() {
      closeSync(writing);
      closeSync(reading);
    },
  };
}

function longLine(what: string): string {
  return `${what} ${"x".repeat(1000)}\n`;
}

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

  test("a file loses no line of a burst that is far larger than what may wait for a reader", async () => {
    const file = join(directory, "burst");
    const fd = openSync(file, "w");
    const output = new LogOutput(fd);
    for (let count = 0; count < 40_000; count++) output.write(`${"x".repeat(999)}\n`, "a");
    await output.flush();
    assert.equal(readFileSync(file).length, 40_000_000);
    closeSync(fd);
  });

  test("a reader that has stopped gets what may wait, and one message pushes out no other's", async () => {
    using pipe = stoppedPipe(directory);
    const output = new LogOutput(pipe.writing);
    for (let count = 0; count < 30_000; count++) output.write(longLine("loud"), "loud");
    for (let count = 0; count < 100; count++) output.write(longLine("quiet"), `quiet${count}`);
    for (let count = 0; count < 100; count++) output.write(longLine("none"));
    const lines = (await pipe.readUntil(output.flush())).split("\n");
    const count = (what: string) => lines.filter((one) => one.startsWith(what)).length;
    assert.deepEqual([count("quiet"), count("none")], [100, 100]);
    assert.ok(count("loud") > 5000, `${count("loud")} lines`);
    assert.ok(
      lines.every((one) => one === "" || one.length > 1000),
      "lines are whole",
    );
  });

  test("the end does not wait for a reader that has stopped", async () => {
    using pipe = stoppedPipe(directory);
    const output = new LogOutput(pipe.writing);
    for (let count = 0; count < 1000; count++) output.write(longLine("waits"));
    await output.flush(1);
    const written = output.flush().then(() => true);
    assert.equal(
      await Promise.race([written, Promise.resolve(false)]),
      false,
      "it has not taken everything",
    );
    const lines = (await pipe.readUntil(output.flush())).split("\n");
    assert.equal(lines.length, 1001, "a reader that goes on has every line");
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

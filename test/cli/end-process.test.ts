import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

describe("a process that ends", () => {
  const directory = mkdtempSync(join(tmpdir(), "unseen-end-"));
  after(() => {
    // Ends who still waits for a writer.
    closeSync(openSync(pipe, "r+"));
    rmSync(directory, { recursive: true });
  });
  // Whoever opens it waits for a writer: as hard to end as a thread whose disk does not answer.
  const pipe = join(directory, "pipe");
  const said = join(directory, "said");
  execFileSync("mkfifo", [pipe, said]);

  const module = JSON.stringify(new URL("../../src/cli/end-process.ts", import.meta.url).href);
  const run = (body: string) => {
    const script = `import { endBySignal, isPoolBusy, Threads } from ${module};
      import { open, readFile } from "node:fs/promises";
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      process.on("SIGTERM", () => console.log("caught"));
      const pipe = ${JSON.stringify(pipe)};
      const threads = new Threads();
      ${body}
      if (!(await threads.end(50))) endBySignal("SIGTERM");
      process.exit(3);`;
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      ["--input-type=module", "--eval", script],
      { encoding: "utf8", timeout: 60_000, killSignal: "SIGKILL" },
    );
    assert.equal(`${stdout}${stderr}`, "");
    return { status, signal };
  };

  test("has its exit code when no thread hangs", () => {
    assert.deepEqual(run(""), { status: 3, signal: null });
  });

  test("ends workers that wait", () => {
    const body = `const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
      await once(worker, "online");`;
    assert.deepEqual(run(`${body} worker.unref();`), { status: 3, signal: null });
  });

  test("does not wait for a thread of the pool that hangs", () => {
    assert.deepEqual(run(`void open(pipe, "r");`), { status: null, signal: "SIGTERM" });
  });

  test("does not wait for a worker that hangs", () => {
    // A program that runs shows that the worker waits for it.
    const body = `const worker = new Worker(
        \`import { execFileSync } from "node:child_process";
        execFileSync("sh", ["-c", "echo > ${said}; exec cat ${pipe}"], { stdio: "ignore" });\`,
        { eval: true },
      );
      await readFile("${said}");
      worker.unref();`;
    assert.deepEqual(run(body), { status: null, signal: "SIGTERM" });
  });

  test("knows at once that the pool is busy", () => {
    const body = `void open(pipe, "r");
      if (isPoolBusy()) endBySignal("SIGKILL");`;
    assert.deepEqual(run(body), { status: null, signal: "SIGKILL" });
  });
});

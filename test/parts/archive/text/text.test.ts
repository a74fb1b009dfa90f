// The text processes: what they read, and what a message costs that kills its process. The processes are real.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import type { Extract } from "../../../../src/parts/archive/text/extract.ts";
import {
  Extractor,
  type ExtractorOptions,
  UnreadableMessage,
} from "../../../../src/parts/archive/text/text.ts";

const folder = mkdtempSync(join(tmpdir(), "unseen-text-"));
const opened: Extractor[] = [];
after(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

function extractor(options: Partial<ExtractorOptions> = {}): Extractor {
  const made = new Extractor({ attachments: true, processes: 1, ...options });
  opened.push(made);
  return made;
}

let files = 0;
function file(content: string): string {
  const path = join(folder, `message${++files}`);
  writeFileSync(path, Buffer.from(content, "latin1"));
  return path;
}

async function extractOf(from: Extractor, path: string): Promise<Extract> {
  const extract = await from.extract(path, "walk");
  if (extract === "gone") throw new Error(`${path} is gone`);
  return extract;
}

/** Processes that do as the path of a message says. */
const HOSTILE = {
  module: new URL("./hostile-process.ts", import.meta.url),
  args: [],
};

describe("files", () => {
  test("many messages through two processes, each answered with its own", async () => {
    const made = extractor({ processes: 2 });
    const paths = Array.from({ length: 300 }, (_none, at) =>
      file(`Subject: subject ${at}\n\nbody ${at}\n`),
    );
    const extracts = await Promise.all(paths.map((path) => extractOf(made, path)));
    for (const [at, { subject, body }] of extracts.entries()) {
      assert.deepEqual([subject, body], [`subject ${at}`, `body ${at}\n`]);
    }
    assert.ok(made.pids.length <= 2);
  });

  test("what is no regular file is gone: a link, a folder, a FIFO, nothing", async () => {
    const made = extractor();
    const link = join(folder, "link");
    symlinkSync(file("Subject: s\n\n"), link);
    const directory = join(folder, "directory");
    mkdirSync(directory);
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    for (const path of [
      link,
      directory,
      fifo,
      "/dev/null",
      join(folder, "nothing"),
      join(link, "x"),
    ]) {
      assert.equal(await made.extract(path, "delivery"), "gone", path);
    }
  });

  test("a file that cannot be read now is an error with its code", async () => {
    const path = join(folder, "x".repeat(300));
    await assert.rejects(extractor().extract(path, "walk"), (error) => {
      return error instanceof UnreadableMessage && error.code === "ENAMETOOLONG";
    });
  });

  test("a file of 60 MB is hashed whole, and its text is bounded", async () => {
    const path = file("Subject: s\n\nneedle\n");
    truncateSync(path, 60_000_000);
    const { size, sha256, subject, body, isParsed } = await extractOf(extractor(), path);
    const [wanted = ""] = execFileSync("sha256sum", [path]).toString().split(" ");
    assert.deepEqual([size, sha256, subject, isParsed], [60_000_000, wanted, "s", false]);
    assert.match(body, /^needle/);
    assert.ok(body.length <= 2 << 20);
    rmSync(path);
  });

  test("the content hash of a large file leaves out the delivery headers", async () => {
    const headers = `Envelope-to: ${"a@example.com,\n ".repeat(18_000)}b@example.com\n`;
    for (const length of [10, 300_000, 5_000_000]) {
      const message = `Subject: s\n\n${"x".repeat(length)}`;
      const { contentSha256 } = await extractOf(extractor(), file(headers + message));
      assert.equal(contentSha256, hash("sha256", message));
    }
  });

  test("parts and names far inside a large file are found", async () => {
    const large = `--b\nContent-Type: application/zip; name=one.zip\nContent-Transfer-Encoding: base64\n\n${`${"A".repeat(76)}\n`.repeat(60_000)}`;
    const path = file(
      `Content-Type: multipart/mixed; boundary=b\n\n${large.repeat(3)}--b\n\nneedle\n--b\nContent-Type: application/zip; name=last.zip\n\nx\n--b--\n`,
    );
    const { body, attachments, isParsed } = await extractOf(extractor(), path);
    assert.deepEqual([body, isParsed], ["needle", true]);
    assert.deepEqual(attachments, ["one.zip", "one.zip", "one.zip", "last.zip"]);
  });
});

describe("a message that ends its process", () => {
  for (const fate of ["dies", "spins", "grows", "allocates", "throws"]) {
    test(`${fate}: only its own text is lost`, async () => {
      const made = extractor({ program: HOSTILE, limits: { cpu: 300 } });
      const paths = Array.from({ length: 20 }, (_none, at) =>
        file(`Subject: subject ${at}\n\nbody ${at}\n`),
      );
      const bad = join(folder, `${fate}-always`);
      writeFileSync(bad, "Subject: bad\n\nraw text\n");
      const extracts = await Promise.all(
        [...paths, bad, ...paths].map((path) => extractOf(made, path)),
      );
      for (const [at, { subject, body, isParsed }] of extracts.entries()) {
        if (at === 20) assert.deepEqual([subject, body, isParsed], ["bad", "raw text\n", false]);
        else assert.deepEqual([subject, isParsed], [`subject ${at > 20 ? at - 21 : at}`, true]);
      }
    });
  }

  test("while it reads a document: all but that text is there", async () => {
    const made = extractor({ program: HOSTILE });
    const path = join(folder, "dies-partly");
    writeFileSync(path, "Content-Type: text/html\n\n<p>body</p>\n");
    const { body, isParsed } = await extractOf(made, path);
    assert.deepEqual([body, isParsed], ["body", false]);
  });

  test("by the memory that it holds, below what the kernel refuses", async () => {
    const made = extractor({ program: HOSTILE, limits: { memory: 130 << 20 } });
    const path = join(folder, "swells-always");
    writeFileSync(path, "Subject: s\n\nbody\n");
    const { subject, isParsed } = await extractOf(made, path);
    assert.deepEqual([subject, isParsed], ["s", false]);
  });

  test("and the process after it too: an error, and all others go on", async () => {
    const made = extractor({ program: HOSTILE });
    const path = join(folder, "dies-plainly-always");
    writeFileSync(path, "Subject: s\n\nbody\n");
    const rejected = assert.rejects(made.extract(path, "delivery"), UnreadableMessage);
    assert.equal((await extractOf(made, file("Subject: t\n\n"))).subject, "t");
    await rejected;
  });

  test("a process that hangs costs its message; the others go on", async () => {
    const made = extractor({ program: HOSTILE, limits: { time: 1500 } });
    const path = join(folder, "hangs-always");
    writeFileSync(path, "Subject: s\n\nbody\n");
    const rejected = assert.rejects(made.extract(path, "delivery"), { code: "ETIMEDOUT" });
    assert.equal((await extractOf(made, file("Subject: t\n\n"))).subject, "t");
    await rejected;
  });

  test("processes that do not start are an error, not a wait", async () => {
    const program = { module: new URL("./no-such-file.ts", import.meta.url), args: [] };
    await assert.rejects(extractor({ program }).extract(file("x"), "walk"), /no text process/);
  });
});

describe("processes", () => {
  test("deliveries are read before walks", async () => {
    const made = extractor();
    await extractOf(made, file("Subject: s\n\n"));
    const order: string[] = [];
    const walks = Array.from({ length: 200 }, async () => {
      await made.extract(file("Subject: w\n\n"), "walk");
      order.push("walk");
    });
    await made.extract(file("Subject: d\n\n"), "delivery");
    order.push("delivery");
    await Promise.all(walks);
    assert.ok(order.indexOf("delivery") < 100, String(order.indexOf("delivery")));
  });

  test("an idle process ends, and another starts when it is needed", async () => {
    const made = extractor({ idle: 1 });
    await extractOf(made, file("Subject: s\n\n"));
    const [pid] = made.pids;
    while (made.pids.length > 0) await new Promise(setImmediate);
    assert.equal((await extractOf(made, file("Subject: t\n\n"))).subject, "t");
    assert.notEqual(made.pids[0], pid);
  });

  test("a signal ends the wait; close rejects what waits, and leaves no process", async () => {
    const made = extractor({ program: HOSTILE });
    const path = join(folder, "hangs-for-close");
    writeFileSync(path, "x");
    const signal = new AbortController();
    const aborted = assert.rejects(made.extract(path, "walk", signal.signal), /enough/);
    const closed = assert.rejects(made.extract(path, "walk"), /closed/);
    signal.abort(new Error("enough"));
    await aborted;
    const { pids } = made;
    made.close();
    await closed;
    for (const pid of pids) while (isRunning(pid)) await new Promise(setImmediate);
    await assert.rejects(made.extract(path, "walk"), /closed/);
  });
});

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return false;
  }
}

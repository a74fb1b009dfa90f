import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { Chain, type ChainFiles, type NewLine } from "../../../../src/parts/archive/chain/chain.ts";
import { manualClock } from "../../../support/clock.ts";
import { Directory, independently, linesOf } from "./chains.ts";

const DAY = 86_400_000;

function numbered(...numbers: readonly number[]): NewLine[] {
  return numbers.map((number) => ({ word: "file", fields: [`n${number}`] }));
}

/** The numbers in the chain, in their order. */
function numbersIn(directory: string): number[] {
  return independently(directory).flatMap((text) => {
    const [, number] = / file n(\d+)$/.exec(text) ?? [];
    return number === undefined ? [] : [Number(number)];
  });
}

describe("a chain", () => {
  it("goes on over days and processes, as an independent program sees it", async () => {
    using directory = new Directory();
    const clock = manualClock();
    for (const day of [1, 2, 3]) {
      const chain = new Chain(directory.path, clock);
      await chain.append(numbered(day * 10, day * 10 + 1));
      await chain.append(numbered(day * 10 + 2));
      await chain.close();
      clock.advance(DAY);
    }
    assert.deepEqual(readdirSync(directory.path), ["2026-01-01", "2026-01-02", "2026-01-03"]);
    assert.deepEqual(numbersIn(directory.path), [10, 11, 12, 20, 21, 22, 30, 31, 32]);
    assert.ok((await linesOf(directory.path)).every(({ state }) => state === "whole"));
  });

  it("changes the day while it is open", async () => {
    using directory = new Directory();
    const clock = manualClock();
    const chain = new Chain(directory.path, clock);
    await chain.append(numbered(1));
    clock.advance(DAY);
    await chain.append(numbered(2));
    await chain.close();
    assert.deepEqual(readdirSync(directory.path), ["2026-01-01", "2026-01-02"]);
    assert.deepEqual(numbersIn(directory.path), [1, 2]);
  });

  it("never writes behind: with the clock set back, the later day goes on", async () => {
    using directory = new Directory();
    const clock = manualClock();
    const chain = new Chain(directory.path, clock);
    clock.step(5 * DAY);
    await chain.append(numbered(1));
    clock.step(-5 * DAY);
    await chain.append(numbered(2));
    await chain.close();
    const later = new Chain(directory.path, manualClock(0));
    await later.append(numbered(3));
    await later.close();
    assert.deepEqual(readdirSync(directory.path), ["2026-01-06"]);
    assert.deepEqual(numbersIn(directory.path), [1, 2, 3]);
  });

  it("keeps the order of calls, and one sync serves many", async () => {
    using directory = new Directory();
    let syncs = 0;
    const files: ChainFiles = {
      async open(path) {
        const file = await open(path, "a+");
        const datasync = file.datasync.bind(file);
        file.datasync = () => {
          syncs++;
          return datasync();
        };
        return file;
      },
    };
    const chain = new Chain(directory.path, manualClock(), files);
    const numbers = Array.from({ length: 200 }, (_, number) => number);
    await Promise.all(numbers.map((number) => chain.append(numbered(number))));
    await chain.close();
    assert.deepEqual(numbersIn(directory.path), numbers);
    assert.ok(syncs <= 3, `${syncs} syncs`);
  });

  it("lets no field forge a line or a field", async () => {
    using directory = new Directory();
    const fields = [
      "",
      "%",
      "%41",
      "a b",
      "a\nfile x",
      "\r",
      "\0",
      "ü",
      "\u2028",
      "名",
      "🙂",
      "=",
      "-",
    ];
    const chain = new Chain(directory.path, manualClock());
    await chain.append([{ word: "file", fields }]);
    await chain.close();
    const lines = await linesOf(directory.path);
    assert.equal(lines.length, 1);
    assert.deepEqual(lines[0]?.fields, fields);
    assert.match(readFileSync(join(directory.path, "2026-01-01"), "latin1"), /^[ -~]+\n$/);
  });

  it("refuses a line that is too long, and harms no other call", async () => {
    using directory = new Directory();
    const chain = new Chain(directory.path, manualClock());
    const [long, other] = await Promise.allSettled([
      chain.append([{ word: "file", fields: ["ü".repeat(20_000)] }]),
      chain.append(numbered(1)),
    ]);
    await chain.close();
    assert.equal(long.status, "rejected");
    assert.equal(other.status, "fulfilled");
    assert.deepEqual(numbersIn(directory.path), [1]);
  });

  it("takes up the chain anew after another program has changed its file", async () => {
    using directory = new Directory();
    const chain = new Chain(directory.path, manualClock());
    const file = join(directory.path, "2026-01-01");
    await chain.append(numbered(1));
    const copy = readFileSync(file);
    await chain.append(numbered(2));
    rmSync(file);
    writeFileSync(file, copy);
    await chain.append(numbered(3));
    rmSync(file);
    await chain.append(numbered(4));
    await chain.close();
    assert.deepEqual(numbersIn(directory.path), [4]);
  });
});

describe("the first line after a torn one", () => {
  it("follows the last whole line, wherever the write was cut", async () => {
    using directory = new Directory();
    const file = join(directory.path, "2026-01-01");
    const chain = new Chain(directory.path, manualClock());
    await chain.append(numbered(1));
    const { length } = readFileSync(file);
    await chain.append(numbered(2));
    await chain.close();
    const whole = readFileSync(file);
    for (let size = 0; size < whole.length; size++) {
      writeFileSync(file, whole.subarray(0, size));
      const isTorn = size !== 0 && size !== length;
      const found = (await linesOf(directory.path)).map(({ state }) => state);
      assert.equal(found.includes("torn"), isTorn, `cut at ${size}`);
      assert.ok(!found.includes("broken"), `cut at ${size}`);
      const next = new Chain(directory.path, manualClock(Date.UTC(2026, 0, 2)));
      await next.append(numbered(3));
      await next.close();
      assert.deepEqual(numbersIn(directory.path), size < length ? [3] : [1, 3]);
      const healed = await linesOf(directory.path);
      assert.ok(healed.every(({ state }) => state === "whole"));
      const torn = healed.filter(({ word }) => word === "torn");
      const cut = size < length ? size : size - length;
      assert.deepEqual(
        torn.map(({ fields }) => fields),
        isTorn ? [[String(cut)]] : [],
      );
      rmSync(join(directory.path, "2026-01-02"), { force: true });
    }
  });

  it("takes blocks of NUL as torn, as a power cut leaves them", async () => {
    using directory = new Directory();
    const chain = new Chain(directory.path, manualClock());
    await chain.append(numbered(1));
    await chain.close();
    appendFileSync(join(directory.path, "2026-01-01"), Buffer.alloc(4096));
    assert.deepEqual(
      (await linesOf(directory.path)).map(({ state }) => state),
      ["whole", "torn"],
    );
    const next = new Chain(directory.path, manualClock());
    await next.append(numbered(2));
    await next.close();
    assert.deepEqual(numbersIn(directory.path), [1, 2]);
  });

  it("never removes an acknowledged line whose line end was changed", async () => {
    using directory = new Directory();
    const file = join(directory.path, "2026-01-01");
    for (const changed of ["\0", "\r", " ", "0", "\u008a"]) {
      rmSync(file, { force: true });
      const chain = new Chain(directory.path, manualClock());
      await chain.append(numbered(1));
      await chain.append(numbered(2));
      await chain.close();
      const bytes = readFileSync(file, "latin1");
      writeFileSync(file, bytes.slice(0, -1) + changed, "latin1");
      assert.equal((await linesOf(directory.path)).at(-1)?.state, "broken");
      const next = new Chain(directory.path, manualClock());
      await next.append(numbered(3));
      await next.close();
      assert.ok(readFileSync(file, "latin1").startsWith(bytes.slice(0, -1)));
      assert.deepEqual(
        (await linesOf(directory.path)).map(({ state }) => state),
        ["whole", "broken", "whole"],
      );
    }
  });
});

describe("a batch that fails", () => {
  it("leaves nothing, and the next one follows", async () => {
    using directory = new Directory();
    let failing: "append" | "sync" | "truncate" | undefined;
    const files: ChainFiles = {
      async open(path) {
        const file = await open(path, "a+");
        return {
          async appendFile(text) {
            if (failing === undefined || failing === "sync") return file.appendFile(text);
            await file.appendFile(Buffer.from(text).subarray(0, 100));
            throw Object.assign(new Error("full"), { code: "ENOSPC" });
          },
          async datasync() {
            if (failing === "sync") throw Object.assign(new Error("bad"), { code: "EIO" });
            await file.datasync();
          },
          async truncate(size) {
            if (failing === "truncate") throw new Error("no truncate");
            await file.truncate(size);
          },
          stat: file.stat.bind(file),
          close: () => file.close(),
        };
      },
    };
    const chain = new Chain(directory.path, manualClock(), files);
    await chain.append(numbered(1));
    for (const way of ["append", "sync", "truncate"] as const) {
      failing = way;
      await assert.rejects(chain.append(numbered(99)));
      failing = undefined;
      await chain.append(numbered(2));
    }
    await chain.close();
    assert.deepEqual(numbersIn(directory.path), [1, 2, 2, 2]);
  });
});

const WRITER = `
import { Chain } from ${JSON.stringify(new URL("../../../../src/parts/archive/chain/chain.ts", import.meta.url).href)};
const chain = new Chain(process.argv[1], { now: () => Date.UTC(2026, 0, 1) });
for (let number = Number(process.argv[2]); ; number += 3) {
  const numbers = [number, number + 1, number + 2];
  await chain.append(numbers.map((n) => ({ word: "file", fields: ["n" + n] })));
  process.stdout.write(number + 2 + "\\n");
}
`;

it("a writer that is killed loses nothing that it has acknowledged", async () => {
  using directory = new Directory();
  let last = 0;
  for (let round = 0; round < 5; round++) {
    const first = last + 1000;
    const writer = spawn(process.execPath, [
      "--input-type=module",
      "-e",
      WRITER,
      directory.path,
      String(first),
    ]);
    let acknowledged = first;
    for await (const line of createInterface(writer.stdout)) {
      acknowledged = Number(line);
      if (acknowledged > first + 20 * (round + 1)) writer.kill("SIGKILL");
    }
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, "exit");
    const chain = new Chain(directory.path, manualClock());
    await chain.append(numbered(last));
    await chain.close();
    const numbers = new Set(numbersIn(directory.path));
    for (let number = first; number <= acknowledged; number++) assert.ok(numbers.has(number));
    assert.ok((await linesOf(directory.path)).every(({ state }) => state === "whole"));
    last = Math.max(...numbers);
  }
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { NewCopies } from "../../../src/parts/archive/new-copies.ts";
import { manualClock } from "../../support/clock.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-copies-"));
after(() => rmSync(directory, { recursive: true }));

/** A listener that keeps what it is told. `answer` is written to each order. */
async function listening(name: string, answer = '{"end":"whole"}\n') {
  const socket = join(directory, name);
  const told: string[][] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let order = "";
      for await (const piece of request) order += String(piece);
      const paths: unknown = JSON.parse(order).paths;
      assert.ok(Array.isArray(paths));
      told.push(paths.map(String));
      response.end(answer);
      server.emit("told");
    })();
  });
  server.listen(socket);
  await once(server, "listening");
  return { socket, told, server };
}

describe("new copies are told to the archive", () => {
  test("in batches, in their order", async () => {
    const clock = manualClock();
    const { socket, told, server } = await listening("a.sock");
    const copies = new NewCopies(clock, socket);
    const paths = Array.from({ length: 2500 }, (_, n) => `/mail/${n}`);
    for (const path of paths) copies.add(path);
    clock.advance(100);
    while (told.length < 3) await once(server, "told");
    assert.deepEqual(told.flat(), paths);
    assert.deepEqual(
      told.map(({ length }) => length),
      [1000, 1000, 500],
    );
    server.close();
  });

  test("or dropped, if nobody listens", async () => {
    const clock = manualClock();
    const socket = join(directory, "b.sock");
    const copies = new NewCopies(clock, socket);
    copies.add("/mail/lost");
    clock.advance(100);
    await new Promise((resolve) => void setTimeout(resolve, 50));
    copies.add("/mail/lost too");
    assert.equal(clock.pending, 0, "no attempt while nobody listens");
    const { told, server } = await listening("b.sock");
    clock.advance(2000);
    copies.add("/mail/3");
    clock.advance(100);
    await once(server, "told");
    assert.deepEqual(told, [["/mail/3"]]);
    server.close();
  });

  test("and no more than 10 000 wait", async () => {
    const clock = manualClock();
    const { socket, told, server } = await listening("c.sock");
    const copies = new NewCopies(clock, socket);
    for (let n = 0; n < 12_000; n++) copies.add(`/mail/${n}`);
    clock.advance(100);
    while (told.flat().length < 10_000) await once(server, "told");
    copies.add("/mail/next");
    clock.advance(100);
    while (told.flat().length < 10_001) await once(server, "told");
    assert.equal(told.flat().at(-1), "/mail/next");
    server.close();
  });
});

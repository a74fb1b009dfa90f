import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { CommandError, EXIT } from "../../../../src/contract/exit.ts";
import { Archive } from "../../../../src/parts/archive/service/archive.ts";
import { type AnyOperation, operation } from "../../../../src/parts/archive/service/operation.ts";
import { ask } from "../../../../src/parts/archive/service/service.ts";
import { requireArchive } from "../../../../src/parts/archive/service/settings.ts";
import { serveArchive } from "../../../../src/parts/archive/service/socket.ts";
import type { Configuration } from "../../../../src/config/configuration.ts";
import { loadConfiguration } from "../../../../src/config/load.ts";
import { RIGHT } from "../../../config/configuration.ts";
import { builtIn } from "../../../../src/built-in.ts";
import { Place } from "../../../support/program.ts";

const events: object[] = [];
const means = {
  clock: systemClock,
  log: { event: (name: string, fields: object) => void events.push({ name, ...fields }) },
};

const own = (run: AnyOperation["answer"], access: AnyOperation["access"] = "read") =>
  operation({ verb: "own", access, read: (order) => order, run });

async function* count(_: Archive, order: unknown): AsyncGenerator<object> {
  for (let n = 0; n < Number(order); n++) yield { n };
}

async function collected(values: AsyncIterable<object>): Promise<object[]> {
  return Array.fromAsync(values);
}

describe("an operation of the archive", () => {
  let place: Place;
  let configuration: Configuration;
  let running: AsyncDisposableStack;

  beforeEach(async () => {
    place = new Place();
    running = new AsyncDisposableStack();
    events.length = 0;
    const table = `[archive]\nstate = "state"\ndirectory = "mail"\n`;
    const text = RIGHT.replace("[relay]\n", `[relay]\nspool_directory = "${place.directory}"\n`);
    const loaded = await loadConfiguration(place.write("routers.toml", `${text}${table}`), builtIn);
    assert.ok("configuration" in loaded, JSON.stringify(loaded));
    configuration = loaded.configuration;
  });
  afterEach(async () => {
    await running.disposeAsync();
    place[Symbol.dispose]();
  });

  const settings = () => requireArchive(configuration);
  async function serving(served: AnyOperation): Promise<Archive> {
    const archive = running.use(Archive.forWriting(settings(), means));
    const server = await serveArchive(archive, new Map([[served.verb, served]]));
    running.defer(() => server.close());
    return archive;
  }

  test("gives the same values from the archive's process and without it", async () => {
    const asked = own(count);
    const alone = await collected(ask(configuration, asked, Object(3), means));
    await serving(asked);
    assert.deepEqual(await collected(ask(configuration, asked, Object(3), means)), alone);
    assert.deepEqual(alone, [{ n: 0 }, { n: 1 }, { n: 2 }]);
  });

  test("that refuses ends with its text and exit code, after the values before it", async () => {
    const asked = own(async function* refusing() {
      yield { first: true };
      throw new CommandError("there is no such message", EXIT.notDone);
    });
    await serving(asked);
    const seen: object[] = [];
    const reading = async () => {
      for await (const value of ask(configuration, asked, {}, means)) seen.push(value);
    };
    await assert.rejects(reading, { message: "there is no such message", exitCode: 1 });
    assert.deepEqual([seen, events], [[{ first: true }], []]);
  });

  test("that fails ends only its own answer, and the log has the error", async () => {
    const asked = own(async function* failing(_, order) {
      if (order !== null && typeof order === "object" && "fail" in order) throw new Error("broken");
      yield { fine: true };
    });
    await serving(asked);
    const failing = collected(ask(configuration, asked, { fail: true }, means));
    await assert.rejects(failing, { exitCode: EXIT.software });
    assert.match(JSON.stringify(events), /relay\.error.*broken/);
    assert.deepEqual(await collected(ask(configuration, asked, {}, means)), [{ fine: true }]);
  });

  test("ends when its reader is gone", async () => {
    const ended = Promise.withResolvers<void>();
    const asked = own(async function* endless(_, _order, signal) {
      try {
        for (let n = 0; ; n++) {
          yield { n, fill: "x".repeat(1000) };
          if (signal.aborted) return;
        }
      } finally {
        ended.resolve();
      }
    });
    await serving(asked);
    for await (const value of ask(configuration, asked, {}, means)) {
      assert.ok("n" in value);
      break;
    }
    await ended.promise;
  });

  test("waits for a reader that is slow", async () => {
    let made = 0;
    const asked = own(async function* many() {
      for (; made < 1000; made++) yield { fill: "x".repeat(100_000) };
    });
    await serving(asked);
    const values = ask(configuration, asked, {}, means);
    await values.next();
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.ok(made < 500, `${made} of 1000 values of 100 kB were made for a reader of one`);
    await values.return();
  });

  test("unknown to the archive's process is wrong usage", async () => {
    await serving(own(count));
    const asked = { ...own(count), verb: "else" };
    await assert.rejects(collected(ask(configuration, asked, {}, means)), { exitCode: 64 });
  });

  test("whose answer is cut off is unavailable", async () => {
    const broken: Server = createServer((socket) =>
      socket.once("data", () => socket.end('HTTP/1.1 200 OK\r\n\r\n{"value":{"n":1}}\n')),
    );
    broken.listen(join(place.directory, "archive.sock"));
    await once(broken, "listening");
    running.defer(() => void broken.close());
    const reading = collected(ask(configuration, own(count), {}, means));
    await assert.rejects(reading, { exitCode: EXIT.unavailable });
  });

  test("that writes is refused while another process holds the archive and does not answer", async () => {
    running.use(Archive.forWriting(settings(), means));
    const writing = collected(ask(configuration, own(count, "write"), Object(1), means));
    await assert.rejects(writing, { exitCode: EXIT.unavailable });
    const reading = collected(ask(configuration, own(count), Object(1), means));
    assert.deepEqual(await reading, [{ n: 0 }]);
  });

  test("that writes leaves the archive free for the next one", async () => {
    const asked = own(count, "write");
    for (let turn = 0; turn < 2; turn++) {
      assert.equal((await collected(ask(configuration, asked, Object(2), means))).length, 2);
    }
  });
});

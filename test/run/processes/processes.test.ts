import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import type { Configuration } from "../../../src/config/configuration.ts";
import { loadConfiguration } from "../../../src/config/load.ts";
import type { EventName, Events } from "../../../src/observe/events.ts";
import { PartProcesses } from "../../../src/run/processes/processes.ts";
import { manualClock } from "../../support/clock.ts";
import { RIGHT, write } from "../../config/configuration.ts";
import { echo, withEcho } from "./echo.ts";

const MODULE = fileURLToPath(new URL("echo.ts", import.meta.url));

async function configured(name: string, greeting?: string, port = 0): Promise<Configuration> {
  const table = `[echo]\naddress = "127.0.0.1:${port}"\ngreeting = "${greeting}"\n`;
  const file = write(name, greeting === undefined ? RIGHT : `${RIGHT}${table}`);
  const loaded = await loadConfiguration(file, withEcho);
  assert.ok("configuration" in loaded, JSON.stringify(loaded));
  return loaded.configuration;
}

/** Starts the part's process as the relay does, and says when it serves. */
const PARENT = `import { fork } from "node:child_process";
const child = fork(process.argv[2], process.argv.slice(3));
child.on("message", () => process.send({ pid: child.pid }));
`;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function begun(configuration: Configuration, { clock = systemClock, module = MODULE } = {}) {
  const events: [EventName, object][] = [];
  let told = Promise.withResolvers<void>();
  const log = {
    event<Name extends EventName>(name: Name, fields: Events[Name]) {
      events.push([name, fields]);
      told.resolve();
      told = Promise.withResolvers();
    },
  };
  const program = () => ({ module, args: [configuration.file] });
  const processes = new PartProcesses([echo], { clock, log, program });
  await processes.bind(configuration);
  await processes.follow(configuration, 1000);
  return {
    processes,
    events,
    port: () => Number(processes.addresses[0]?.split(":").at(-1)),
    /** The fields of the `count` first events of this name. */
    async happened(name: EventName, count = 1) {
      for (;;) {
        const found = events.filter(([one]) => one === name).map(([, fields]) => fields);
        if (found.length >= count) return found;
        await told.promise;
      }
    },
    [Symbol.asyncDispose]: () => processes.close(2000),
  };
}

class Client implements Disposable {
  readonly socket: Socket;
  #text = "";

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1").setEncoding("utf8");
    this.socket.on("data", (text: string) => (this.#text += text)).on("error", () => undefined);
  }

  async line(): Promise<string> {
    while (!this.#text.includes("\n")) {
      if (this.socket.readableEnded) return "";
      await Promise.race([
        once(this.socket, "data"),
        once(this.socket, "end"),
        once(this.socket, "close"),
      ]);
    }
    const [line = "", ...rest] = this.#text.split("\n");
    this.#text = rest.join("\n");
    return line;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

describe("the process of a part", () => {
  test("serves whoever connects to its address, also those who came before it was there", async () => {
    await using part = await begun(await configured("serves.toml", "hello"));
    using early = new Client(part.port());
    assert.match(await early.line(), /^hello \d+$/);
    const [started] = await part.happened("part.started");
    using late = new Client(part.port());
    assert.deepEqual(await late.line(), `hello ${Object(started).pid}`);
    late.socket.write("one\n");
    assert.equal(await late.line(), "one");
    early.socket.write("two\n");
    assert.equal(await early.line(), "two");
    assert.notEqual(Object(started).pid, process.pid);
  });

  test("is started again when it dies, at the same port", async () => {
    await using part = await begun(await configured("dies.toml", "hello"));
    const port = part.port();
    using client = new Client(port);
    const first = await client.line();
    client.socket.write("die\n");
    assert.deepEqual(await part.happened("part.ended"), [
      { part: "echo", how: "exit 3", seconds: 1 },
    ]);
    using between = new Client(port);
    const second = await between.line();
    assert.match(second, /^hello \d+$/);
    assert.notEqual(second, first);
    assert.equal((await part.happened("part.started", 2)).length, 2);
  });

  test("that cannot serve ends, and is started again", async () => {
    await using part = await begun(await configured("unable.toml", "unable"));
    await part.happened("part.ended", 2);
    assert.ok(!part.events.some(([name]) => name === "part.started"));
  });

  test("that dies at once is started again after longer and longer times, up to a minute", async () => {
    const clock = manualClock();
    const module = write("dies.mjs", "process.exit(7)");
    await using part = await begun(await configured("circle.toml", "hello"), { clock, module });
    const pauses = [1, 2, 4, 8, 16, 32, 60, 60];
    for (const [index, seconds] of pauses.entries()) {
      const ended = await part.happened("part.ended", index + 1);
      assert.deepEqual(ended.at(-1), { part: "echo", how: "exit 7", seconds });
      clock.advance(seconds * 1000 - 1);
      assert.equal(clock.pending, 1);
      clock.advance(1);
    }
  });

  test("that has served for a minute is started again after a second", async () => {
    const clock = manualClock();
    await using part = await begun(await configured("minute.toml", "hello"), { clock });
    for (const count of [1, 2]) {
      using client = new Client(part.port());
      await client.line();
      clock.advance(60_000);
      client.socket.write("die\n");
      const ended = await part.happened("part.ended", count);
      assert.deepEqual(ended.at(-1), { part: "echo", how: "exit 3", seconds: 1 });
      clock.advance(1000);
    }
  });

  test("ends when the relay is killed", async () => {
    const configuration = await configured("orphan.toml", "hello");
    const parent = fork(write("parent.mjs", PARENT), [MODULE, configuration.file]);
    const [{ pid }] = await once(parent, "message");
    parent.kill("SIGKILL");
    while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
  });

  test("ends with the relay, in good order; one that does not end is killed", async () => {
    const part = await begun(await configured("ends.toml", "hello"));
    using client = new Client(part.port());
    await client.line();
    await part.processes.close(5000);
    assert.equal(await client.line(), "bye");
    assert.deepEqual(
      part.events.filter(([name]) => name === "part.ended"),
      [],
    );
    const deaf = await begun(await configured("deaf.toml", "hello"));
    using other = new Client(deaf.port());
    await other.line();
    other.socket.write("deaf\n");
    assert.equal(await other.line(), "deaf");
    await deaf.processes.close(100);
    assert.equal(await other.line(), "");
  });

  test("does not keep the relay from its end if it cannot be started", async () => {
    const { execPath } = process;
    process.execPath = `${execPath}-is-not-there`;
    try {
      await using part = await begun(await configured("missing.toml", "hello"));
      await part.processes.close(5000);
    } finally {
      process.execPath = execPath;
    }
  });
});

describe("a reload", () => {
  test("leaves a process alone whose tables say the same", async () => {
    const configuration = await configured("same.toml", "hello");
    await using part = await begun(configuration);
    using client = new Client(part.port());
    await client.line();
    await part.processes.bind(configuration);
    await part.processes.follow(configuration, 1000);
    client.socket.write("still\n");
    assert.equal(await client.line(), "still");
  });

  test("starts it anew with other tables, and ends it without", async () => {
    const first = await configured("reload.toml", "hello");
    await using part = await begun(first);
    using client = new Client(part.port());
    assert.match(await client.line(), /^hello/);
    const next = await configured("reload.toml", "welcome");
    await part.processes.bind(next);
    await part.processes.follow(next, 1000);
    assert.equal(await client.line(), "bye");
    using again = new Client(part.port());
    assert.match(await again.line(), /^welcome/);
    await part.processes.follow(await configured("reload.toml"), 1000);
    assert.deepEqual(part.processes.addresses, []);
  });

  test("whose port cannot be bound changes nothing", async () => {
    await using part = await begun(await configured("first.toml", "hello"));
    const taken = part.port();
    const before = part.processes.addresses;
    await assert.rejects(part.processes.bind(await configured("taken.toml", "hello", taken)), {
      code: "EADDRINUSE",
    });
    assert.deepEqual(part.processes.addresses, before);
    using client = new Client(taken);
    assert.match(await client.line(), /^hello/);
  });
});

test("without a program there are no processes: parts are served by others", async () => {
  const configuration = await configured("none.toml", "hello");
  const log = { event: () => undefined };
  const processes = new PartProcesses([echo], { clock: systemClock, log });
  await processes.bind(configuration);
  await processes.follow(configuration, 0);
  assert.deepEqual(processes.addresses, []);
  await processes.close(0);
});

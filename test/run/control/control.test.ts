// The control socket itself: who may open it, what it answers, and that a relay does not depend on it.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test, type TestContext } from "node:test";
import { openControl } from "../../../src/run/control/control.ts";
import {
  askForHosts,
  askPart,
  askRelay,
  NoRelay,
  playClient,
} from "../../../src/run/control/client.ts";
import type { SettleServices } from "../../../src/settle/settle.ts";
import type { Change } from "../../../src/spool/spool.ts";
import { believed, manualClock } from "../../support/clock.ts";
import { outboxOf } from "../../support/outbox.ts";
import { recordingLog } from "../../support/services.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-control-"));
after(() => rmSync(directory, { recursive: true }));

const done = (ids: readonly string[]): Change[] => ids.map((id) => ({ id, result: "done" }));

function services() {
  const log = recordingLog();
  const calls: string[] = [];
  const spool = {
    change: (_: string, ids: readonly string[]) => Promise.resolve(done(ids)),
    claim: (ids: readonly string[]) => Promise.resolve({ changes: done(ids), messages: [] }),
    settle: () => Promise.resolve(),
  };
  const settle: SettleServices = {
    hostname: "mx.example.com",
    retry: [],
    replies: [],
    warnAfter: [],
    elapsed: believed,
    returnSizeLimit: 1000,
    outbox: outboxOf(() => "0000000009", log),
    log,
  };
  const holds = {
    hold: () => Promise.resolve(),
    release: () => Promise.resolve(3),
  };
  return {
    log,
    calls,
    spool,
    holds,
    settle,
    clock: manualClock(),
    wake: () => void calls.push("wake"),
    reload: () => Promise.resolve({ listeners: [], kept: [] }),
    hosts: () => Promise.resolve({ lists: [] }),
    play: (socket: Socket, address: string) => void socket.end(`220 hello ${address}\r\n`),
  };
}

/** Closed when the test ends, however it ends: an open socket would keep the file from ending. */
async function openFor(t: TestContext, ...given: Parameters<typeof openControl>): Promise<void> {
  const control = await openControl(...given);
  t.after(() => control.close());
}

function post(socketPath: string, body: string, path = "/queue"): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: "POST" }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** The first line of the answer to a request that asks for another protocol. */
function upgraded(socketPath: string, target: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () =>
      socket.write(
        `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: smtp\r\n\r\n`,
      ),
    );
    socket.once("data", (data) => resolve(String(data).split("\r\n")[0]));
    socket.once("error", reject);
  });
}

suite("the control socket", () => {
  test("only its owner can open it", async (t) => {
    const path = join(directory, "mode.sock");
    await openFor(t, path, services());
    assert.equal((statSync(path).mode & 0o777).toString(8), "600");
  });

  test("retry wakes the queue and is logged", async (t) => {
    const path = join(directory, "retry.sock");
    const parts = services();
    await openFor(t, path, parts);
    const answer = await askRelay(path, { action: "retry", ids: ["0000000001"] });
    assert.deepEqual(answer, { changes: done(["0000000001"]), released: 0 });
    assert.deepEqual(parts.calls, ["wake"]);
    assert.deepEqual(parts.log.named("queue.changed"), [{ action: "retry", ids: ["0000000001"] }]);
  });

  test("what is no request changes nothing", async (t) => {
    const path = join(directory, "rubbish.sock");
    const parts = services();
    await openFor(t, path, parts);
    const rubbish = [
      "",
      "{",
      "[]",
      '{"action":"remove"}',
      '{"action":"remove","ids":[1]}',
      '{"action":"retry","ids":["a"],"only":"example.org"}',
      '{"action":"retry","ids":["a"],"only":{"localPart":"alice"}}',
      '{"action":"burn","ids":[]}',
      '{"action":"hold"}',
      '{"action":"release","domain":"not a domain"}',
    ];
    for (const body of rubbish) assert.equal(await post(path, body), 400, body);
    assert.equal(await post(path, '{"action":"remove","ids":["a"]}', "/other"), 400);
    assert.equal(await post(path, `{"ids":"${"x".repeat(9_000_000)}"}`), 400);
    assert.deepEqual(parts.log.events, []);
  });

  test("the order of a part reaches it, and what it answers comes back", async (t) => {
    const path = join(directory, "part.sock");
    const parts = services();
    const orders = new Map([
      ["/kitchen/cook", async (order: unknown) => ({ cooked: order })],
      ["/kitchen/burn", () => Promise.reject(new Error("it burns"))],
    ]);
    await openFor(t, path, { ...parts, partOrder: (wanted: string) => orders.get(wanted) });
    assert.deepEqual(await askPart(path, "kitchen/cook", { soup: 1 }), { cooked: { soup: 1 } });
    assert.deepEqual(await askPart(path, "kitchen/burn", {}), { error: "Error: it burns" });
    assert.equal(await post(path, "{", "/kitchen/cook"), 400);
    assert.equal(await post(path, "{}", "/kitchen/wash"), 400);
    assert.deepEqual(parts.log.named("relay.error").length, 1);
  });

  test("plays only clients with an address, and only by its own path", async (t) => {
    const path = join(directory, "play.sock");
    await openFor(t, path, services());
    const { socket, beginning } = await playClient(path, "2001:db8::1");
    const said = beginning.length > 0 ? beginning : (await once(socket, "data"))[0];
    assert.equal(String(said), "220 hello 2001:db8::1\r\n");
    socket.destroy();
    for (const target of [
      "/session?client=localhost",
      "/session",
      "/other?client=192.0.2.1",
      "//",
    ]) {
      assert.equal(await upgraded(path, target), "HTTP/1.1 400 Bad Request", target);
    }
    assert.equal(await post(path, "", "/session?client=192.0.2.1"), 400);
  });

  test("gives the host lists that are asked for", async (t) => {
    const path = join(directory, "hosts.sock");
    const asked: unknown[] = [];
    const hosts = async (order: unknown) => {
      asked.push(order);
      return { lists: [] };
    };
    await openFor(t, path, { ...services(), hosts });
    assert.deepEqual(await askForHosts(path, { refresh: true, name: "google" }), { lists: [] });
    assert.equal(await post(path, '{"refresh":false}', "/hosts"), 200);
    for (const body of ["", "{}", '{"refresh":1}', '{"refresh":true,"name":3}']) {
      assert.equal(await post(path, body, "/hosts"), 400, body);
    }
    assert.deepEqual(asked, [{ refresh: true, name: "google" }, { refresh: false }]);
  });

  test("a spool that fails is an answer", async (t) => {
    const path = join(directory, "fails.sock");
    const parts = services();
    await openFor(t, path, {
      ...parts,
      spool: { ...parts.spool, change: () => Promise.reject(new Error("disk gone")) },
    });
    const answer = await askRelay(path, { action: "remove", ids: ["a"] });
    assert.deepEqual(answer, { error: "Error: disk gone" });
  });

  test("without a relay the client says so", async () => {
    const path = join(directory, "nobody.sock");
    await assert.rejects(askRelay(path, { action: "remove", ids: [] }), NoRelay);
  });

  test("a path that is too long is a warning, and no reason not to start", async (t) => {
    const parts = services();
    await openFor(t, join(directory, "x".repeat(120)), parts);
    assert.match(JSON.stringify(parts.log.named("relay.warning")), /at most 107 bytes/);
  });

  test("a file in its place is left alone", async (t) => {
    const path = join(directory, "precious");
    writeFileSync(path, "precious");
    const parts = services();
    await openFor(t, path, parts);
    assert.equal(readFileSync(path, "utf8"), "precious");
    assert.equal(parts.log.named("relay.warning").length, 1);
  });

  test("a socket on which another process answers is left to it", async (t) => {
    const path = join(directory, "taken.sock");
    await openFor(t, path, services());
    const parts = services();
    await openFor(t, path, parts);
    assert.match(JSON.stringify(parts.log.named("relay.warning")), /another process answers/);
    assert.deepEqual(await askRelay(path, { action: "remove", ids: ["a"] }), {
      changes: done(["a"]),
      released: 0,
    });
  });
});

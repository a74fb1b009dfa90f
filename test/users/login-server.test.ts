// Logins that another process of the relay has judged, over users.sock.

import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { type LoginRequest, Logins } from "../../src/users/logins.ts";
import { usersSocket } from "../../src/users/login-protocol.ts";
import { serveLogins } from "../../src/users/login-server.ts";
import { passwordFieldOf } from "../../src/users/passwd-file.ts";
import { SharedLogins } from "../../src/users/shared-logins.ts";
import { Place } from "../support/program.ts";

const HASH = await passwordFieldOf("geheim");
const USERS = `alice@example.com:${HASH}::::::unseen_role=admin unseen_totp=ABC unseen_change=1\n`;
const ALICE: LoginRequest = {
  client: "2001:db8::1",
  user: "alice@example.com",
  password: "geheim",
  by: "web",
};

/** A relay's side, with waits that are over at once. */
async function serve() {
  const place = new Place();
  const logged: string[] = [];
  const log = {
    event: (name: string, fields: object) => void logged.push(`${name} ${JSON.stringify(fields)}`),
  };
  const waits: number[] = [];
  const clock: typeof systemClock = {
    ...systemClock,
    after(delay, callback) {
      waits.push(delay);
      return systemClock.after(0, callback);
    },
  };
  const logins = new Logins({ clock, log });
  const file = place.write("users", USERS);
  logins.follow(file);
  const path = usersSocket(place.directory);
  const server = await serveLogins(path, logins, log);
  const own: string[] = [];
  const ownLog = { event: (name: string) => void own.push(name) };
  const web = new SharedLogins(file, path, { clock, log: ownLog });
  return {
    path,
    place,
    logins,
    logged,
    waits,
    /** The side of the other process, and what it logs. */
    web,
    own,
    close: () => server.close(),
    async [Symbol.asyncDispose]() {
      await server.close();
      place[Symbol.dispose]();
    },
  };
}

/** The status of an answer to any octets. */
async function post(socketPath: string, path: string, body: string, method = "POST") {
  const asked = request({ socketPath, path, method, agent: false });
  asked.on("error", () => undefined);
  asked.end(body);
  const [response]: { statusCode?: number; resume?: () => void }[] = await once(asked, "response");
  response?.resume?.();
  return response?.statusCode;
}

describe("logins over users.sock", () => {
  test("are judged by the relay, and the user is read from the file", async () => {
    await using relay = await serve();
    assert.equal(statSync(relay.path).mode & 0o777, 0o600);
    const right = await relay.web.login({ ...ALICE, user: "ALICE@example.com" });
    assert.ok(right.kind === "right");
    const { address, role, totp, mustChange } = right.user;
    assert.deepEqual(
      [address, role, totp, mustChange],
      ["alice@example.com", "admin", "ABC", true],
    );
    const wrong = await relay.web.login({ ...ALICE, password: "falsch" });
    assert.deepEqual(wrong, { kind: "wrong" });
    assert.match(relay.logged.join("\n"), /^login\.accepted .*"by":"web"/);
    assert.ok(!relay.logged.join("\n").includes("falsch"));
    assert.deepEqual(relay.own, []);
  });

  test("share one limiter with submission, in both directions", async () => {
    await using relay = await serve();
    const bad = { ...ALICE, password: "falsch" };
    for (let count = 0; count < 2; count++) {
      await relay.web.login(bad);
      await relay.logins.login({ ...bad, by: "submission" });
    }
    assert.deepEqual(relay.waits, []);
    await relay.web.login(bad);
    await relay.logins.login({ ...bad, by: "submission" });
    assert.equal(relay.waits.length, 2);
    assert.ok(relay.waits.every((wait) => wait >= 900));
    assert.equal((await relay.web.login(ALICE)).kind, "right");
  });

  test("a client with many guesses hears when it may come again", async () => {
    await using relay = await serve();
    const results = await Promise.all(
      Array.from({ length: 40 }, () => relay.web.login({ ...ALICE, password: "falsch" })),
    );
    const [later] = results.filter(({ kind }) => kind === "later");
    assert.ok(later?.kind === "later" && later.retryAfter >= 1000, JSON.stringify(later));
  });

  for (const [name, path, body] of [
    ["another verb", "/queue", JSON.stringify(ALICE)],
    ["no JSON", "/login", "{"],
    ["no object", "/login", "[1]"],
    ["a client that is no address", "/login", JSON.stringify({ ...ALICE, client: "::g" })],
    ["another protocol", "/login", JSON.stringify({ ...ALICE, by: "submission" })],
    ["no password", "/login", JSON.stringify({ ...ALICE, password: 1 })],
    ["no user", "/login", JSON.stringify({ ...ALICE, user: null })],
    ["too much", "/login", JSON.stringify({ ...ALICE, password: "x".repeat(20_000) })],
  ] as const) {
    test(`${name} is refused, and judges nothing`, async () => {
      await using relay = await serve();
      assert.equal(await post(relay.path, path, body), 400);
      assert.deepEqual(relay.logged, []);
      assert.equal((await relay.web.login(ALICE)).kind, "right");
    });
  }

  test("without a relay the other process judges them itself, with the same limits", async () => {
    const relay = await serve();
    await relay.close();
    for (let count = 0; count < 4; count++) {
      assert.equal((await relay.web.login({ ...ALICE, password: "falsch" })).kind, "wrong");
    }
    assert.deepEqual(relay.waits, []);
    assert.equal((await relay.web.login(ALICE)).kind, "right");
    assert.equal(relay.waits.length, 1);
    assert.equal(relay.logged.length, 0);
    assert.equal(relay.own.length, 5);
    relay.place[Symbol.dispose]();
  });

  for (const [name, answer] of [
    ["says nothing and breaks off", ""],
    ["says something else", 'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"kind":"maybe"}'],
    ["has an error", "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}"],
  ] as const) {
    test(`a relay that ${name} judges nothing, and nobody logs in`, async () => {
      using place = new Place();
      const logged: string[] = [];
      const log = { event: (event: string) => void logged.push(event) };
      const path = usersSocket(place.directory);
      const server = createServer((socket) => socket.once("data", () => socket.end(answer)));
      await once(server.listen(path), "listening");
      const web = new SharedLogins(place.write("users", USERS), path, { clock: systemClock, log });
      assert.deepEqual(await web.login(ALICE), { kind: "later", retryAfter: 5000 });
      assert.deepEqual(logged, ["relay.error"]);
      server.close();
    });
  }

  test("a relay that stops cuts off an order that never ends", async () => {
    const relay = await serve();
    const half = connect(relay.path);
    half.on("error", () => undefined);
    half.write("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
    await once(half, "connect");
    await relay[Symbol.asyncDispose]();
    half.destroy();
  });

  test("a file in the place of the socket stays, and the log says so", async () => {
    using place = new Place();
    place.write("users.sock", "mine");
    const logged: string[] = [];
    const log = { event: (name: string) => void logged.push(name) };
    const server = await serveLogins(
      join(place.directory, "users.sock"),
      new Logins({ clock: systemClock, log }),
      log,
    );
    assert.deepEqual(logged, ["relay.warning"]);
    await server.close();
  });
});

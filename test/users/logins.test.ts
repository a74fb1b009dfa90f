import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import { LoginTurns } from "../../src/users/login-turns.ts";
import { Logins } from "../../src/users/logins.ts";
import { passwordFieldOf } from "../../src/users/passwd-file.ts";
import { Place } from "../support/program.ts";

const HASH = await passwordFieldOf("geheim");
const USERS = `# users\nAlice@example.com:${HASH}::::::unseen_role=auditor\nbob@example.com:{PLAIN}geheim\n`;

/** Every wait is over at once. */
const impatient: Clock = {
  ...systemClock,
  after: (_, callback) => systemClock.after(0, callback),
};

function loginsOf(file: string) {
  const logged: string[] = [];
  const log = {
    event: (name: string, fields: object) => void logged.push(`${name} ${JSON.stringify(fields)}`),
  };
  const logins = new Logins({ clock: impatient, log });
  logins.follow(file);
  const login = async (user: string, password: string, client = "192.0.2.1") =>
    (await logins.login({ user, password, client, by: "submission" })).kind;
  return { logins, login, logged };
}

describe("logins", () => {
  test("by the users file, with the name in any case", async () => {
    using place = new Place();
    const { login, logged } = loginsOf(place.write("users", USERS));
    assert.equal(await login("ALICE@EXAMPLE.COM", "geheim"), "right");
    for (const [user, password] of [
      ["alice@example.com", "geheim "],
      ["alice@example.com", "Geheim"],
      ["alice@example.com", ""],
      ["bob@example.com", "geheim"],
      ["carol@example.com", "geheim"],
      ["", ""],
      ["x".repeat(255), "geheim"],
      ["alice@example.com", "x".repeat(100_000)],
    ] as const) {
      assert.equal(await login(user, password, `192.0.2.${password.length}`), "wrong", user);
    }
    assert.ok(!logged.join("\n").includes("geheim"));
    assert.match(logged[0] ?? "", /^login.accepted .*"client":"192.0.2.1"/);
    assert.match(logged[1] ?? "", /^login.failed .*alice@example.com.*wrong password/);
  });
  test("a changed file counts at the next login", async () => {
    using place = new Place();
    const file = place.write("users", "");
    let passed = 0;
    const clock = { ...impatient, monotonic: () => (passed += 1000) };
    const logins = new Logins({ clock, log: { event: () => undefined } });
    logins.follow(file);
    const alice = { user: "alice@example.com", password: "geheim", client: "192.0.2.1" } as const;
    assert.equal((await logins.login({ ...alice, by: "submission" })).kind, "wrong");
    writeFileSync(file, USERS);
    assert.equal((await logins.login({ ...alice, by: "submission" })).kind, "right");
  });
  test("without a file there is no user; an unreadable one refuses nobody for good", async () => {
    using place = new Place();
    const file = place.write("users", USERS);
    rmSync(file);
    assert.equal(await loginsOf(file).login("alice@example.com", "geheim"), "wrong");
    mkdirSync(file);
    const { login, logged } = loginsOf(file);
    assert.equal(await login("alice@example.com", "geheim"), "later");
    assert.match(logged.join("\n"), /relay.error/);
  });
  test("a client with many guesses is put off, and the right password of others passes", async () => {
    using place = new Place();
    const { login, logged } = loginsOf(place.write("users", USERS));
    const guesses = Array.from({ length: 30 }, () => login("alice@example.com", "wrong"));
    const kinds = new Set(await Promise.all(guesses));
    assert.deepEqual(kinds, new Set(["wrong", "later"]));
    assert.ok(logged.some((line) => line.startsWith("login.put_off")));
    assert.equal(await login("alice@example.com", "geheim", "198.51.100.1"), "right");
  });
});

describe("turns of logins", () => {
  test("run one at a time; known clients first; too many strangers get none", async () => {
    const turns = new LoginTurns();
    const done: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = turns.take("suspect", () => gate.promise);
    const strangers = Array.from({ length: 70 }, () =>
      turns.take("suspect", async () => done.push("stranger")),
    );
    const known = turns.take("known", async () => done.push("known"));
    gate.resolve();
    await first;
    await known;
    const results = await Promise.all(strangers);
    assert.equal(results.filter((result) => result === undefined).length, 6);
    assert.equal(done[0], "known");
    assert.equal(done.length, 65);
    await turns.take("suspect", async () => done.push("last"));
    assert.equal(done.at(-1), "last");
  });
  test("a judge that fails gives its turn back", async () => {
    const turns = new LoginTurns();
    await assert.rejects(turns.take("suspect", () => Promise.reject(new Error("x"))));
    assert.equal(await turns.take("clean", async () => 1), 1);
  });
});

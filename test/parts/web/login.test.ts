// Logging in, with and without a second factor, and changing both.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Secret, TOTP } from "otpauth";
import { readUsers } from "../../../src/users/users.ts";
import { type Jar, TestSite } from "./site.ts";

const PASSWORD = "correct horse battery";
const SECRET = new Secret({ size: 20 }).base32;
const PEOPLE = {
  "alice@example.com": { password: PASSWORD },
  "fay@example.com": { password: PASSWORD, totp: SECRET },
  "new@example.com": { password: PASSWORD, mustChange: true },
  "carl@example.com": { password: PASSWORD },
  "dora@example.com": { password: PASSWORD },
} as const;

const codeOf = (secret: string, steps = 0) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({
    timestamp: Date.now() + steps * 30_000,
  });

describe("a login", () => {
  let site: TestSite;
  before(async () => {
    site = await TestSite.open(PEOPLE, []);
  });
  after(() => site[Symbol.asyncDispose]());

  test("says the same for a wrong password and for an unknown user", async () => {
    const texts = await Promise.all(
      ["alice@example.com", "nobody@example.com"].map(async (user) => {
        const answer = await site.ask("/login", { form: { user, password: "wrong" } });
        return [answer.status, (await answer.text()).replaceAll(user, "USER")];
      }),
    );
    assert.equal(texts[0]?.[0], 401);
    assert.deepEqual(texts[0], texts[1]);
  });

  test("gives a cookie that scripts cannot read and other sites cannot send", async () => {
    const form = { user: " ALICE@example.com ", password: PASSWORD };
    const answer = await site.ask("/login", { form });
    const [cookie = ""] = answer.headers.getSetCookie();
    assert.match(cookie, /^unseen=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  test("leads to the page that was asked for, and never to another site", async () => {
    const cases = [
      ["/mail?q=x", "/mail?q=x"],
      ["//evil.example/", "/mail"],
      ["/\\evil.example", "/mail"],
      ["https://evil.example/", "/mail"],
      ["javascript:alert(1)", "/mail"],
      ["/x\r\nset-cookie: a=b", "/mail"],
    ];
    for (const [next = "", to] of cases) {
      const form = { user: "alice@example.com", password: PASSWORD, next };
      assert.deepEqual(
        [next, (await site.ask("/login", { form })).headers.get("location")],
        [next, to],
      );
    }
  });

  test("answers programs in JSON", async () => {
    const headers = { accept: "application/json" };
    const right = await site.ask("/login", {
      headers,
      form: { user: "alice@example.com", password: PASSWORD },
    });
    assert.deepEqual([right.status, await right.json()], [200, { user: "alice@example.com" }]);
    const wrong = await site.ask("/login", {
      headers,
      form: { user: "alice@example.com", password: "x" },
    });
    assert.equal(wrong.status, 401);
  });

  test("with a second factor needs a code, each of which serves once", async () => {
    const user = "fay@example.com";
    const jar: Jar = new Map();
    const first = await site.ask("/login", { jar, form: { user, password: PASSWORD } });
    assert.equal(first.headers.get("location"), "/login/code?next=%2Fmail");
    assert.equal((await site.ask("/mail", { jar })).status, 303);
    assert.equal((await site.ask("/login/code", { jar })).status, 200);
    assert.equal((await site.ask("/login/code", { jar, form: { code: "000000" } })).status, 401);
    const code = codeOf(SECRET);
    assert.equal((await site.ask("/login/code", { jar, form: { code } })).status, 303);
    assert.equal((await site.ask("/mail", { jar })).status, 200);
    const again = await site.ask("/login", { form: { user, password: PASSWORD, code } });
    assert.equal(again.status, 401);
    const next = codeOf(SECRET, 1);
    const spaced = `${next.slice(0, 3)} ${next.slice(3)}`;
    assert.equal(
      (await site.ask("/login", { form: { user, password: PASSWORD, code: spaced } })).status,
      303,
    );
  });

  test("with many wrong codes is put off, whatever the session", async () => {
    const user = "fay@example.com";
    const statuses: number[] = [];
    for (let turn = 0; turn < 7; turn++) {
      const form = { user, password: PASSWORD, code: String(100_000 + turn) };
      statuses.push((await site.ask("/login", { form })).status);
    }
    assert.deepEqual(statuses.slice(-1), [429]);
    assert.equal(
      (await site.ask("/login", { form: { user, password: PASSWORD, code: codeOf(SECRET, 1) } }))
        .status,
      429,
    );
  });

  test("of somebody with a one-time password leads to a new one, and to nothing before", async () => {
    const jar = await site.login("new@example.com", PASSWORD);
    assert.equal((await site.ask("/mail", { jar })).headers.get("location"), "/account");
    assert.equal((await site.ask("/api/mail", { jar })).status, 403);
    const short = { password: PASSWORD, next: "short" };
    assert.equal((await site.ask("/account/password", { jar, form: short })).status, 400);
    const same = { password: PASSWORD, next: PASSWORD };
    assert.equal((await site.ask("/account/password", { jar, form: same })).status, 400);
    const wrong = { password: "not the present one", next: "a password of my own" };
    assert.equal((await site.ask("/account/password", { jar, form: wrong })).status, 400);
    const right = { password: PASSWORD, next: "a password of my own" };
    assert.equal((await site.ask("/account/password", { jar, form: right })).status, 200);
    assert.equal((await site.ask("/mail", { jar })).status, 200);
    assert.equal((await readUsers(site.usersFile)).find("new@example.com")?.mustChange, false);
  });

  test("elsewhere ends when the password changes", async () => {
    const [one, other] = [
      await site.login("carl@example.com", PASSWORD),
      await site.login("carl@example.com", PASSWORD),
    ];
    const form = { password: PASSWORD, next: "a password of my own" };
    assert.equal((await site.ask("/account/password", { jar: one, form })).status, 200);
    assert.equal((await site.ask("/mail", { jar: one })).status, 200);
    assert.equal((await site.ask("/mail", { jar: other })).status, 303);
    await site.login("carl@example.com", "a password of my own");
  });

  test("gets a second factor and loses it, each time with the password", async () => {
    const jar = await site.login("dora@example.com", PASSWORD);
    const page = await (await site.ask("/account/second-factor", { jar, form: {} })).text();
    const secret = /name="secret" value="([A-Z2-7]{32})"/.exec(page)?.[1] ?? "";
    const code = codeOf(secret);
    const on = "/account/second-factor/on";
    assert.equal(
      (await site.ask(on, { jar, form: { secret, code: "123", password: PASSWORD } })).status,
      400,
    );
    assert.equal(
      (await site.ask(on, { jar, form: { secret, code, password: "wrong" } })).status,
      400,
    );
    assert.equal((await readUsers(site.usersFile)).find("dora@example.com")?.totp, undefined);
    assert.equal(
      (await site.ask(on, { jar, form: { secret, code, password: PASSWORD } })).status,
      200,
    );
    assert.equal((await readUsers(site.usersFile)).find("dora@example.com")?.totp, secret);
    const off = "/account/second-factor/off";
    assert.equal((await site.ask(off, { jar, form: { password: "wrong" } })).status, 400);
    assert.equal((await site.ask(off, { jar, form: { password: PASSWORD } })).status, 200);
    assert.equal((await readUsers(site.usersFile)).find("dora@example.com")?.totp, undefined);
  });

  test("of a client with many wrong passwords is put off with a time", async () => {
    const headers = { "x-forwarded-for": "192.0.2.66" };
    const form = { user: "alice@example.com", password: "wrong" };
    const late = await Promise.any(
      Array.from({ length: 20 }, async () => {
        const answer = await site.ask("/login", { headers, form });
        assert.equal(answer.status, 429);
        return answer;
      }),
    );
    assert.ok(Number(late.headers.get("retry-after")) > 0);
    const elsewhere = { "x-forwarded-for": "192.0.2.67" };
    const right = { user: "alice@example.com", password: PASSWORD };
    assert.equal((await site.ask("/login", { headers: elsewhere, form: right })).status, 303);
  });
});

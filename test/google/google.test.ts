import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { GoogleApi, GoogleError } from "../../src/google/google.ts";
import { hurriedClock, PEM, type Script, startScript, writeKeyFile } from "./script.ts";

const SCOPE = "https://www.googleapis.com/auth/gmail.readonly";
const SUBJECT = "alice@example.com";

async function opened(t: TestContext, script: Partial<Script>, deadline?: number) {
  const google = await startScript(t, script);
  const clock = hurriedClock();
  const access = { keyFile: google.keyFile, subject: SUBJECT, scopes: [SCOPE] };
  const api = await GoogleApi.open(access, { clock, random: () => 1, deadline });
  return { google, clock, get: (path = "x") => api.get(new URL(path, google.base)) };
}

async function failure(work: Promise<unknown>): Promise<GoogleError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof GoogleError) return error;
    throw error;
  }
  throw new Error("it has not failed");
}

const rate = (reason: string) => ({
  status: 403,
  body: { error: { code: 403, message: "slow down", errors: [{ reason }] } },
});

const refused = async (t: TestContext, script: Partial<Script>) => {
  const { google, get } = await opened(t, script);
  const error = await failure(get());
  assert.equal(error.kind, "refused");
  assert.ok(google.bearers.length <= 1 && google.claims.length === 1);
  assert.ok(!error.message.includes("\n"));
  return error;
};

const apiSays = (status: number, reason: string, message: string) => ({
  answers: [{ status, body: { error: { code: status, message, errors: [{ reason }] } } }],
});

const tokenHostSays = (status: number, error: string, text: string) => ({
  tokens: [{ status, body: { error, error_description: text } }],
});

const hostile = (secret: string) => `bad\r\n\u001b[31m ${secret} ${PEM} ${"x".repeat(100_000)}`;

const wrong = async (keyFile: string) => {
  const error = await failure(
    GoogleApi.open({ keyFile, scopes: [SCOPE] }, { clock: hurriedClock() }),
  );
  assert.equal(error.kind, "key");
  assert.ok(error.message.includes(keyFile));
  assert.ok(!error.message.includes(PEM.slice(40, 60)) && !error.message.includes("\n"));
  return error.message;
};

const tell =
  (status: number, secret: () => string) => (response: import("node:http").ServerResponse) => {
    response.writeHead(status).end(JSON.stringify({ error: { message: hostile(secret()) } }));
  };

describe("a request", () => {
  test("brings a token for the scope and the subject, from the token_uri of the key file", async (t) => {
    const { google, get } = await opened(t, { answers: [{ body: { a: 1 } }] });
    assert.deepEqual(await get(), { a: 1 });
    assert.deepEqual(await get(), { a: 1 });
    const [{ iat, exp, ...claims } = {}, ...more] = google.claims;
    assert.deepEqual(claims, {
      iss: "relay@project.iam.example",
      scope: SCOPE,
      aud: `${google.base}token`,
      sub: SUBJECT,
    });
    assert.ok(Number(exp) - Number(iat) <= 3600);
    assert.equal(more.length, 0);
    assert.deepEqual(google.bearers, ["Bearer token-1", "Bearer token-1"]);
  });

  test("asks for one new token if the first is not accepted", async (t) => {
    const expired = { status: 401, body: { error: { code: 401, message: "Invalid Credentials" } } };
    const { google, get } = await opened(t, { answers: [expired, { body: { a: 1 } }] });
    assert.deepEqual(await get(), { a: 1 });
    assert.deepEqual(google.bearers, ["Bearer token-1", "Bearer token-2"]);
  });

  test("is refused if the new token is not accepted either", async (t) => {
    const { google, get } = await opened(t, { answers: [{ status: 401, body: {} }] });
    const error = await failure(get());
    assert.deepEqual([error.kind, error.status], ["refused", 401]);
    assert.equal(google.bearers.length, 2);
  });

  test("shares a new token with requests of the same time", async (t) => {
    const { google, get } = await opened(t, { answers: [{ body: {} }] });
    await Promise.all([get(), get(), get()]);
    assert.equal(google.claims.length, 1);
  });

  test("uses a token no longer than it lasts", async (t) => {
    const short = { body: { access_token: "short", expires_in: 90 } };
    const { google, clock, get } = await opened(t, { tokens: [short] });
    await get();
    clock.advance(29_000);
    await get();
    assert.equal(google.claims.length, 1);
    clock.advance(2000);
    await get();
    assert.equal(google.claims.length, 2);
  });
});

describe("an error that may pass", () => {
  const detail = {
    status: 403,
    body: { error: { code: 403, details: [{ "@type": "x" }, { reason: "RATE_LIMIT_EXCEEDED" }] } },
  };
  const good = { body: { a: 1 } };
  for (const [name, bad] of Object.entries({
    "500": { status: 500, body: "<html>oops</html>" },
    "503 in JSON": { status: 503, body: { error: { code: 503 } } },
    "429": { status: 429, body: {} },
    "403 rateLimitExceeded": rate("rateLimitExceeded"),
    "403 userRateLimitExceeded": rate("userRateLimitExceeded"),
    "403 quotaExceeded": rate("quotaExceeded"),
    "403 with details": detail,
    "200 with HTML": { headers: { "content-type": "text/html" }, body: "<html>sign in</html>" },
    "200 with nothing": { body: "" },
    "200 with half of the JSON": { body: '{"users":[{"primary' },
    "200 with a list": { body: [] },
    "200 with null": { body: "null" },
    "200 with a deep list": { body: "[".repeat(1_000_000) },
    "a body that is cut": (response: import("node:http").ServerResponse) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write('{"a":2}');
      setImmediate(() => response.destroy());
    },
    "a connection that is lost": (response: import("node:http").ServerResponse) => {
      response.destroy();
    },
  })) {
    test(`${name}: the request is tried again`, async (t) => {
      const { google, clock, get } = await opened(t, { answers: [bad, bad, good] });
      assert.deepEqual(await get(), { a: 1 });
      assert.equal(google.bearers.length, 3);
      assert.deepEqual(clock.waits, [1000, 2000]);
    });

    test(`${name}: the request fails after a minute`, async (t) => {
      const { clock, get } = await opened(t, { answers: [bad] }, 60_000);
      const error = await failure(get());
      assert.equal(error.kind, "unreachable");
      const passed = clock.waits.reduce((sum, wait) => sum + wait, 0);
      assert.ok(passed > 20_000 && passed <= 60_000, String(passed));
    });
  }

  test("of the host of tokens is one as well", async (t) => {
    const bad = { status: 503, body: "<html>" };
    const without = { body: { expires_in: 3600 } };
    const token = { body: { access_token: "third", expires_in: 3600 } };
    const { google, get } = await opened(t, { tokens: [bad, token], answers: [good] });
    assert.deepEqual(await get(), { a: 1 });
    assert.deepEqual(google.bearers, ["Bearer third"]);
    const other = await opened(t, { tokens: [without], answers: [good] });
    assert.equal((await failure(other.get())).kind, "unreachable");
  });

  test("waits as long as Retry-After says, in seconds or as a date", async (t) => {
    const { clock, get } = await opened(t, {
      answers: [
        { status: 429, headers: { "retry-after": "7" }, body: {} },
        { status: 503, headers: { "retry-after": "Thu, 01 Jan 2026 00:00:16 GMT" }, body: {} },
        good,
      ],
    });
    assert.deepEqual(await get(), { a: 1 });
    assert.deepEqual(clock.waits, [7000, 9000]);
  });

  test("waits until the time in Gmail's text", async (t) => {
    const message = "User-rate limit exceeded.  Retry after 2026-01-01T00:00:11.000Z";
    const { clock, get } = await opened(t, {
      answers: [{ status: 429, body: { error: { code: 429, message } } }, good],
    });
    assert.deepEqual(await get(), { a: 1 });
    assert.deepEqual(clock.waits, [11_000]);
  });

  test("ends at once if the wait is longer than the time that is left", async (t) => {
    const { clock, get } = await opened(
      t,
      { answers: [{ status: 429, headers: { "retry-after": "86400" }, body: {} }] },
      60_000,
    );
    const error = await failure(get());
    assert.equal(error.status, 429);
    assert.match(error.message, /; it asks to wait 86400 s$/);
    assert.deepEqual(clock.waits, []);
  });

  test("without a deadline, the tries go on while other requests succeed", async (t) => {
    const busy = { status: 429, body: {} };
    const { clock, get } = await opened(t, {
      answers: [...Array.from({ length: 30 }, (_, at) => (at % 5 === 4 ? good : busy)), busy],
    });
    for (let times = 0; times < 6; times++) assert.deepEqual(await get(), { a: 1 });
    const before = clock.monotonic();
    assert.equal((await failure(get())).kind, "unreachable");
    assert.ok(clock.monotonic() - before <= 90_000);
  });
});

describe("a refusal", () => {
  test("holds Google's text and the setting to change", async (t) => {
    for (const [script, text, setting] of [
      [
        tokenHostSays(401, "unauthorized_client", "Client is unauthorized"),
        "Client is unauthorized",
        /authorize client 1234 for \S+gmail\.readonly/,
      ],
      [
        tokenHostSays(400, "invalid_grant", "Invalid email or User ID"),
        "Invalid email",
        /alice@example\.com must be/,
      ],
      [
        tokenHostSays(400, "invalid_grant", "Invalid JWT Signature."),
        "Invalid JWT Signature",
        /make a new key/,
      ],
      [
        tokenHostSays(400, "invalid_grant", "Token must be a short-lived token"),
        "short-lived",
        /clock/,
      ],
      [
        tokenHostSays(400, "invalid_grant", "Invalid grant: account not found"),
        "account not found",
        /relay@project\.iam\.example is gone/,
      ],
      [
        apiSays(403, "accessNotConfigured", "Gmail API has not been used"),
        "has not been used",
        /APIs & Services/,
      ],
      [
        apiSays(403, "insufficientPermissions", "Insufficient Permission"),
        "Insufficient",
        /Domain-wide delegation/,
      ],
      [
        apiSays(400, "failedPrecondition", "Mail service not enabled"),
        "not enabled",
        /turn on Gmail/,
      ],
      [
        apiSays(403, "forbidden", "Not Authorized to access this resource/api"),
        "Not Authorized",
        /admin role/,
      ],
      [apiSays(404, "domainNotFound", "Domain not found"), "Domain not found", /customer/],
    ] as const) {
      const { message } = await refused(t, script);
      assert.match(message, setting);
      assert.ok(message.includes(text), message);
    }
  });

  test("has Google's status and reason", async (t) => {
    const error = await refused(t, apiSays(404, "notFound", "Requested entity was not found."));
    assert.deepEqual([error.status, error.reason], [404, "notFound"]);
  });

  test("of a page that leads elsewhere sends no token there", async (t) => {
    const there = await startScript(t, {});
    await refused(t, { answers: [{ status: 302, headers: { location: there.base }, body: "" }] });
    assert.deepEqual(there.requests, []);
  });

  test("shows no secret that the host sends back, and one line", async (t) => {
    const statement = await opened(t, {
      tokens: [tell(400, () => statement.google.statements[0] ?? "")],
    });
    const token = await opened(t, { answers: [tell(403, () => "token-1")] });
    for (const { google: asked, get } of [statement, token]) {
      const { message: shown } = await failure(get());
      assert.ok(shown.length < 700, shown);
      assert.doesNotMatch(shown, /\p{Cc}|PRIVATE|token-1/u);
      assert.ok(!shown.includes(PEM.slice(40, 60)));
      for (const one of asked.statements) assert.ok(!shown.includes(one.slice(20, 60)));
    }
  });

  test("an answer without end is not read to its end", async (t) => {
    const { get } = await opened(t, {
      answers: [
        (response) => {
          const more = () => {
            while (!response.destroyed && response.write(" ".repeat(65_536)));
            if (!response.destroyed) response.once("drain", more);
          };
          more();
        },
      ],
    });
    const error = await failure(get());
    assert.match(error.message, /more than 4194304 octets/);
  });
});

describe("a key file", () => {
  test("that is missing or damaged is one clear line", async (t) => {
    assert.match(await wrong("/nowhere/key.json"), /no such file/);
    assert.match(await wrong(writeKeyFile(t, { type: "authorized_user" })), /type/);
    assert.match(await wrong(writeKeyFile(t, { private_key: PEM.slice(0, 200) })), /private_key/);
    assert.match(await wrong(writeKeyFile(t, { private_key: 7 })), /private_key/);
    assert.match(await wrong(writeKeyFile(t, { client_email: "" })), /client_email/);
    assert.match(
      await wrong(writeKeyFile(t, { token_uri: "http://tokens.example/" })),
      /token_uri/,
    );
    assert.match(await wrong(import.meta.filename), /no key file in JSON/);
  });

  test("does not send its tokens over plain HTTP", async (t) => {
    const google = await startScript(t, {});
    const access = { keyFile: google.keyFile, scopes: [SCOPE] };
    const api = await GoogleApi.open(access, { clock: hurriedClock() });
    assert.equal((await failure(api.get(new URL("http://api.example/x")))).kind, "key");
  });
});

test("an aborted signal ends waits at once", async (t) => {
  const google = await startScript(t, { answers: [{ status: 503, body: "" }] });
  const stop = new AbortController();
  const clock = { ...hurriedClock(), after: () => ({ cancel: () => undefined }) };
  const access = { keyFile: google.keyFile, scopes: [SCOPE] };
  const api = await GoogleApi.open(access, { clock, signal: stop.signal });
  const asked = api.get(new URL(google.base));
  setTimeout(() => stop.abort(new Error("the relay stops")), 50);
  await assert.rejects(asked, { message: "the relay stops" });
});

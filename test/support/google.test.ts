// The fake Google refuses what Google refuses: other tests rely on it.

import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { type FakeGoogle, startGoogle } from "./google.ts";
import { ALL_SCOPES } from "./google-token.ts";

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Asks for a token with claims that are right, and these changes. */
async function ask(google: FakeGoogle, changes: object = {}, key?: string): Promise<Response> {
  const file = JSON.parse(google.keyFile());
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: file.client_email,
    aud: file.token_uri,
    scope: ALL_SCOPES.join(" "),
    iat: now,
    exp: now + 3600,
    ...changes,
  };
  const signed = `${encoded({ alg: "RS256", typ: "JWT" })}.${encoded(claims)}`;
  const signature = createSign("RSA-SHA256")
    .update(signed)
    .sign(key ?? file.private_key, "base64url");
  const grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  const body = new URLSearchParams({ grant_type: grant, assertion: `${signed}.${signature}` });
  return fetch(file.token_uri, { method: "POST", body });
}

async function get(google: FakeGoogle, path: string, token?: string): Promise<Response> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return fetch(`${google.base}/admin/directory/v1/${path}`, { headers });
}

async function tokenOf(google: FakeGoogle, changes: object = {}): Promise<string> {
  const { access_token: token } = JSON.parse(await (await ask(google, changes)).text());
  return token;
}

test("a token is given for a request that is right in everything, and for no other", async () => {
  await using google = await startGoogle();
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const now = Math.floor(Date.now() / 1000);
  assert.equal((await ask(google)).status, 200);
  assert.equal((await ask(google, { sub: "admin@example.com" })).status, 200);
  assert.equal((await ask(google, {}, privateKey)).status, 400);
  for (const wrong of [
    { iss: "other@fake-project.iam.gserviceaccount.com" },
    { aud: "https://oauth2.googleapis.com/token" },
    { exp: now - 10 },
    { exp: now + 7200 },
    { iat: now + 600, exp: now + 900 },
    { sub: "alice@example.com" },
  ]) {
    assert.equal((await ask(google, wrong)).status, 400, JSON.stringify(wrong));
  }
  google.tokens.scopes = [ALL_SCOPES[0] ?? ""];
  assert.equal((await ask(google, { sub: "admin@example.com" })).status, 401);
});

test("pages lead to each other, and need a token with the scope, a role and a customer", async () => {
  await using google = await startGoogle();
  google.users = ["a", "b", "c"].map((name) => ({ primaryEmail: `${name}@example.com` }));
  google.pageSize = 2;
  const token = await tokenOf(google);
  const first = JSON.parse(
    await (await get(google, "users?customer=my_customer&maxResults=500", token)).text(),
  );
  assert.deepEqual([first.users.length, first.nextPageToken], [2, "at-2"]);
  const path = "users?customer=C01fake&maxResults=500&pageToken=at-2";
  const last = JSON.parse(await (await get(google, path, token)).text());
  assert.deepEqual([last.users.length, last.nextPageToken], [1, undefined]);
  assert.equal((await get(google, "users?customer=C02")).status, 401);
  assert.equal((await get(google, "users?customer=C02", token)).status, 400);
  const narrow = await tokenOf(google, { scope: ALL_SCOPES[1] });
  assert.equal((await get(google, "users?customer=my_customer", narrow)).status, 403);
  assert.equal((await get(google, "groups?customer=my_customer", narrow)).status, 200);
  google.tokens.hasRole = false;
  assert.equal((await get(google, "users?customer=my_customer", token)).status, 403);
  google.tokens.revoke();
  assert.equal((await get(google, "users?customer=my_customer", token)).status, 401);
});

test("it misbehaves on order", async () => {
  await using google = await startGoogle();
  google.users = [{ primaryEmail: "a@example.com" }];
  const token = await tokenOf(google);
  const users = () => get(google, "users?customer=my_customer", token);
  google.fault(
    "/users",
    { status: 429, retryAfter: "7" },
    "html",
    "cut",
    "reset",
    "nothing",
    "more pages",
  );
  const busy = await users();
  assert.deepEqual([busy.status, busy.headers.get("retry-after")], [429, "7"]);
  assert.match(await (await users()).text(), /^<html>/);
  await assert.rejects(async () => (await users()).text());
  await assert.rejects(users());
  assert.equal(await (await users()).text(), "{}");
  assert.match(await (await users()).text(), /"nextPageToken":"page-1"/);
  assert.match(await (await users()).text(), /a@example\.com/);
  google.always("/users", { status: 503 });
  assert.deepEqual([(await users()).status, (await users()).status], [503, 503]);
});

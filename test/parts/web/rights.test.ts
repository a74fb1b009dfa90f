// Who sees what: without a login nothing, a user the own mail, an auditor all mail with a reason that is written down.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Jar, TestSite } from "./site.ts";

const PASSWORD = "correct horse battery";
const PEOPLE = {
  "alice@example.com": { password: PASSWORD },
  "bob@example.com": { password: PASSWORD },
  "eve@example.com": { password: PASSWORD, role: "auditor" },
} as const;
const MESSAGES = [
  {
    id: 11,
    account: "alice@example.com",
    subject: "for alice",
    text: "hello alice",
    html: "<p>hello</p>",
    parts: [{ name: "a.pdf", type: "application/pdf", octets: Buffer.from("%PDF") }],
  },
  {
    id: 12,
    account: "bob@example.com",
    subject: "for bob",
    text: "hello bob",
    parts: [{ name: "b.pdf", type: "application/pdf", octets: Buffer.from("%PDF") }],
  },
];

/** Every address that shows something of message `id`. */
const addresses = (id: number) =>
  ["", "/html", "/raw", "/source", "/attachments/1"].map((end) => `/mail/${id}${end}`);
const apiAddresses = (id: number) =>
  ["", "/raw", "/attachments/1"].map((end) => `/api/mail/${id}${end}`);

describe("rights", () => {
  let site: TestSite;
  before(async () => {
    site = await TestSite.open(PEOPLE, MESSAGES);
  });
  after(() => site[Symbol.asyncDispose]());

  test("nobody sees anything without a login", async () => {
    for (const path of ["/", "/mail", "/mail?q=x", ...addresses(11), "/account", "/reason"]) {
      const answer = await site.ask(path);
      assert.deepEqual([path, answer.status], [path, 303]);
      assert.match(answer.headers.get("location") ?? "", /^\/(login|mail)/, path);
    }
    for (const path of ["/api/mail", ...apiAddresses(11), "/api/else"]) {
      assert.deepEqual([path, (await site.ask(path)).status], [path, 401]);
    }
    assert.equal(
      (await site.ask("/mail", { jar: new Map([["unseen", "x".repeat(43)]]) })).status,
      303,
    );
  });

  test("a user sees the own mail, whatever the address", async () => {
    const jar = await site.login("alice@example.com", PASSWORD);
    for (const path of [...addresses(11), ...apiAddresses(11)]) {
      assert.deepEqual([path, (await site.ask(path, { jar })).status], [path, 200]);
    }
    for (const id of [12, 13, 0, -1]) {
      for (const path of [...addresses(id), ...apiAddresses(id)]) {
        const answer = await site.ask(path, { jar });
        assert.deepEqual([path, answer.status], [path, 404]);
        assert.doesNotMatch(await answer.text(), /bob/, path);
      }
    }
    const { messages } = JSON.parse(await (await site.ask("/api/mail?q=for", { jar })).text());
    assert.deepEqual(
      messages.map(({ id }: { id: number }) => id),
      [11],
    );
    assert.doesNotMatch(await (await site.ask("/mail?q=account:bob", { jar })).text(), /for bob/);
    assert.equal((await site.ask("/reason", { jar })).status, 404);
    assert.equal((await site.ask("/reason", { jar, form: { reason: "curious" } })).status, 404);
    assert.equal((await site.ask("/mail/12", { jar })).status, 404);
  });

  test("an auditor sees other people's mail after a reason, and each look is written down first", async () => {
    const jar = await site.login("eve@example.com", PASSWORD);
    assert.equal((await site.ask("/mail/11", { jar })).status, 403);
    assert.equal((await site.ask("/api/mail/11", { jar })).status, 403);
    assert.equal((await site.ask("/mail?q=for&reason=because", { jar })).status, 200);
    assert.equal((await site.ask("/mail/11?reason=because", { jar })).status, 403);
    for (const reason of ["", "   "]) {
      assert.equal((await site.ask("/reason", { jar, form: { reason } })).status, 400);
    }
    assert.equal((await site.ask("/reason", { jar, form: { reason: "case 17" } })).status, 303);
    site.asked.length = 0;
    assert.equal((await site.ask("/api/mail?q=for", { jar })).status, 200);
    assert.equal((await site.ask("/mail/11", { jar })).status, 200);
    assert.equal((await site.ask("/mail/11/attachments/1", { jar })).status, 200);
    const notes = site.asked.filter(({ verb }) => verb === "audit").map(({ order }) => order);
    const by = { by: "eve@example.com" };
    assert.deepEqual(notes, [
      { act: "search", ...by, fields: { query: "for", reason: "case 17" } },
      { act: "view", ...by, fields: { id: 11, account: "alice@example.com", reason: "case 17" } },
      { act: "download", ...by, fields: { id: 11, attachment: 1, reason: "case 17" } },
    ]);
    assert.ok(
      site.asked.findIndex(({ verb }) => verb === "audit") <
        site.asked.findIndex(({ verb }) => verb === "search"),
    );
  });

  test("a reason belongs to one session", async () => {
    const first = await site.login("eve@example.com", PASSWORD);
    await site.ask("/reason", { jar: first, form: { reason: "case 18" } });
    const second = await site.login("eve@example.com", PASSWORD);
    assert.equal((await site.ask("/mail/11", { jar: first })).status, 200);
    assert.equal((await site.ask("/mail/11", { jar: second })).status, 403);
  });

  test("a logout ends the session for everybody who has its cookie", async () => {
    const jar = await site.login("alice@example.com", PASSWORD);
    const stolen: Jar = new Map(jar);
    assert.equal((await site.ask("/mail", { jar: stolen })).status, 200);
    await site.ask("/logout", { jar, form: {} });
    assert.equal((await site.ask("/mail", { jar: stolen })).status, 303);
  });

  test("a form of another site changes nothing", async () => {
    const jar = await site.login("eve@example.com", PASSWORD);
    const forged = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: site.url.replace("http:", "https:") },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ];
    for (const headers of forged) {
      const answer = await site.ask("/reason", { jar, form: { reason: "x" }, headers });
      assert.deepEqual([headers, answer.status], [headers, 403]);
    }
    assert.equal((await site.ask("/mail/11", { jar })).status, 403);
  });
});

// relayctl archive search and show, on real files.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { IndexedPlace } from "./indexed-place.ts";

const DAY = 86_400_000;

const mail = (subject: string, from = "Alice <alice@example.net>", text = "Hello\n") =>
  `From: ${from}\nTo: bob@example.com\nSubject: ${subject}\nMessage-ID: <${subject.replaceAll(/\W/g, "")}@x>\n\n${text}`;

describe("relayctl archive search", () => {
  let place: IndexedPlace;
  before(async () => {
    place = new IndexedPlace();
    mkdirSync(place.state);
    place.put("example.com/bob/new/1.a", mail("Invoice 1"), 40 * DAY);
    place.put("example.com/bob/cur/2.a:2,S", mail("Invoice 2"), 20 * DAY);
    place.put(
      "example.com/bob/.Sent/cur/3.a:2,S",
      mail("Re: Invoice 2", "bob@example.com"),
      19 * DAY,
    );
    place.put(
      "example.com/ann/new/4.a",
      mail("=?utf-8?B?6KuL5rGC5pu4?=", "\u001B[2J <x@y>"),
      5 * DAY,
    );
    await place.index();
  });
  after(() => place[Symbol.dispose]());

  const search = (...args: readonly string[]) => place.archive("search", ...args);
  const subjects = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await search(...args, "--json");
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = stdout.split("\n").filter((line) => line !== "");
    return lines.map((line) => String(JSON.parse(line).subject));
  };

  test("prints a table for people", async () => {
    const { code, stdout } = await search("invoice");
    assert.equal(code, 0);
    const lines = stdout.split("\n");
    assert.match(lines[0] ?? "", /^DATE +ID +FROM +SUBJECT$/);
    assert.match(
      lines[1] ?? "",
      /^\d{4}-\d\d-\d\d \d\d:\d\d +\d+ {2}To: bob@example.com +Re: Invoice 2$/,
    );
    assert.equal(lines[4], "3 messages.");
  });

  test("prints JSON for programs, with the present path of the file", async () => {
    const { stdout } = await search("id:Invoice2@x", "--json", "--account", "bob@example.com");
    const hit = JSON.parse(stdout);
    assert.deepEqual(Object.keys(hit), [
      "id",
      "account",
      "folder",
      "date",
      "from",
      "to",
      "subject",
      "size",
      "attachments",
      "path",
    ]);
    assert.equal(hit.account, "bob@example.com");
    assert.equal(hit.path, `${place.mail}/example.com/bob/cur/2.a:2,S`);
    assert.equal(hit.from, "Alice <alice@example.net>");
  });

  test("understands the query language and IMAP", async () => {
    assert.deepEqual(await subjects("invoice -in:sent newer:30d"), ["Invoice 2"]);
    const given = ["--config", "routers.toml", "--json", "--", "-invoice 請求"];
    assert.match((await place.relayctl("archive", "search", ...given)).stdout, /"請求書"/);
    assert.deepEqual(await subjects("--imap", "FROM alice NOT SUBJECT 1"), ["Invoice 2"]);
  });

  test("goes on page by page", async () => {
    const { stdout } = await search("invoice", "--limit", "2");
    const id = / add: --after (\d+)\n$/.exec(stdout)?.[1] ?? "";
    assert.match(stdout, /\n2 messages\./);
    assert.deepEqual(await subjects("invoice", "--limit", "2", "--after", id), ["Invoice 1"]);
  });

  test("keeps control characters off the terminal", async () => {
    assert.doesNotMatch((await search("from:x")).stdout.replaceAll("\n", ""), /\p{Cc}/u);
  });

  test("refuses a bad query with exit 64, and finds nothing with exit 0", async () => {
    const wrong = await search("form:alice");
    assert.equal(wrong.code, 64);
    assert.match(wrong.stderr, /unknown operator "form:", did you mean "from"\?/);
    assert.equal((await search(" ")).code, 64);
    assert.equal((await search("invoice", "--account", "bob")).code, 64);
    const none = await search("nothing");
    assert.deepEqual([none.code, none.stdout], [0, "No messages.\n"]);
  });
});

test("without an index, a search says so", async () => {
  using place = new IndexedPlace();
  const { code, stderr } = await place.archive("search", "x");
  assert.equal(code, 69);
  assert.match(stderr, /there is no index/);
});

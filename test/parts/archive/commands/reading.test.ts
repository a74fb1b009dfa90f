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

describe("relayctl archive show", () => {
  let place: IndexedPlace;
  const file = [
    "From: Alice <alice@example.net>",
    "Subject: Report \u001B[2J",
    "Content-Type: multipart/mixed; boundary=a",
    "",
    "--a",
    "",
    "Hello \u001B]0;evil\u0007 Bob",
    "--a",
    "Content-Disposition: attachment; filename=numbers.bin",
    "Content-Transfer-Encoding: base64",
    "",
    "w6kAfwo=",
    "--a--",
    "",
  ].join("\r\n");
  let id = "";
  before(async () => {
    place = new IndexedPlace();
    mkdirSync(place.state);
    place.put("example.com/bob/new/1.a", file);
    await place.index();
    const { stdout } = await place.archive("search", "report", "--json");
    id = String(JSON.parse(stdout).id);
  });
  after(() => place[Symbol.dispose]());
  const show = (...args: readonly string[]) => place.archive("show", id, ...args);

  test("prints fields, attachments and text, without control characters", async () => {
    const { code, stdout } = await show();
    assert.equal(code, 0);
    assert.match(stdout, /^From: {6}Alice <alice@example\.net>$/m);
    assert.match(stdout, /^Account: {3}bob@example\.com, INBOX$/m);
    assert.match(stdout, /^Attachment 1: numbers\.bin \(text\/plain, 5\)$/m);
    assert.match(stdout, /^Hello \\u001b\]0;evil\\u0007 Bob$/m);
    assert.doesNotMatch(stdout.replaceAll("\n", ""), /\p{Cc}/u);
  });

  test("prints the file and an attachment octet by octet, and only the text", async () => {
    assert.equal((await show("--raw")).stdout, file);
    assert.equal((await show("--text")).stdout, "Hello \u001B]0;evil\u0007 Bob\n");
    assert.equal((await show("--attachment", "1")).stdout, "é\0\u007F\n");
  });

  test("says what is wrong", async () => {
    const missing = await place.archive("show", "17");
    assert.deepEqual([missing.code, missing.stderr], [1, "no message 17\n"]);
    const beyond = await show("--attachment", "2");
    assert.equal(beyond.code, 1);
    assert.match(beyond.stderr, /has 1 attachment/);
    assert.equal((await place.archive("show", "x")).code, 64);
    assert.equal((await show("--raw", "--text")).code, 64);
  });
});

test("without an index, a search says so", async () => {
  using place = new IndexedPlace();
  const { code, stderr } = await place.archive("search", "x");
  assert.equal(code, 69);
  assert.match(stderr, /there is no index/);
});

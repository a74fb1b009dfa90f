// Imports: each message once, with its time, in its folder.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { importMarksIn } from "../../../../src/parts/archive/model/imported-name.ts";
import { filesBelow, storedIn } from "../../../support/archive-files.ts";
import { importPaths } from "../../../support/archive-import.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const BOB = "bob@example.com";
const FROM = "From a@b.example Thu Jan  1 00:00:00 2026";
const TIME = Date.UTC(2026, 0, 1);
const MESSAGE = "From: Ann <ann@example.net>\nSubject: hello\n\nbody\n";

interface Place {
  readonly root: string;
  readonly file: (name: string, content: string | Buffer, time?: number) => string;
}

function place(): Place {
  const root = temporaryDirectory();
  return {
    root: join(root, "archive"),
    file: (name, content, time) => {
      const path = join(root, name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, content, "latin1");
      if (time !== undefined) utimesSync(path, time / 1000, time / 1000);
      return path;
    },
  };
}

/** "FOLDER content" of each message. */
function contentsIn(root: string): string[] {
  const top = join(root, "example.com", "bob");
  return filesBelow(top)
    .map((path) => {
      const folder =
        path
          .slice(top.length + 1)
          .split("/")
          .slice(0, -2)
          .join("/") || "INBOX";
      return `${folder} ${readFileSync(path, "latin1")}`;
    })
    .toSorted();
}

const timesIn = (root: string) => filesBelow(root).map((path) => statSync(path).mtimeMs);

describe("line ends", () => {
  for (const [name, content, expected] of [
    ["LF", "a: b\n\nx\n", "a: b\n\nx\n"],
    ["CRLF", "a: b\r\n\r\nx\r\n", "a: b\n\nx\n"],
    ["CRLF with a bare CR and a bare LF", "a: b\r\n\r\nx\ry\nz\r\n", "a: b\n\nx\ry\nz\n"],
    ["LF with one CR LF", "a: b\n\nx\r\ny\n", "a: b\n\nx\r\ny\n"],
    ["no line end", "a: b", "a: b"],
    ["a CR at the end", "a: b\r\n\r\nx\r", "a: b\n\nx\r"],
    [
      "a long first line",
      `a: ${"b".repeat(600_000)}\r\n\r\nx\r\n`,
      `a: ${"b".repeat(600_000)}\n\nx\n`,
    ],
    [
      "many CRs before the first LF",
      `a: ${"\r".repeat(262_140)}b\nx\n`,
      `a: ${"\r".repeat(262_140)}b\nx\n`,
    ],
  ] as const) {
    test(name, async () => {
      const { root, file } = place();
      await importPaths(root, [file("x.eml", content)]);
      assert.deepEqual(contentsIn(root), [`INBOX ${expected}`]);
    });
  }

  test("an mbox with CRLF", async () => {
    const { root, file } = place();
    const path = file(
      "x.mbox",
      `${FROM}\r\na: 1\r\n\r\n>From x\r\n\r\n${FROM}\r\na: 2\r\n\r\ny\r\n\r\n`,
    );
    await importPaths(root, [path]);
    assert.deepEqual(contentsIn(root), ["INBOX a: 1\n\nFrom x\n", "INBOX a: 2\n\ny\n"]);
  });
});

describe("the time of delivery", () => {
  const received =
    "Received: by x; Fri, 2 Jan 2026 00:00:00 +0000\nReceived: by y; Thu, 1 Jan 2026 00:00:00 +0000\n";
  const date = "Date: Wed, 31 Dec 2025 00:00:00 +0000\n";
  for (const [name, head, expected] of [
    ["is that of the From_ line", `${FROM}\n${received}${date}`, TIME],
    ["or of the newest Received line", `From x\n${received}${date}`, TIME + 86_400_000],
    ["or of Date", `From x\n${date}`, TIME - 86_400_000],
    ["not one in the future", `From a Fri Jan  1 00:00:00 2100\n${date}`, TIME - 86_400_000],
  ] as const) {
    test(name, async () => {
      const { root, file } = place();
      await importPaths(root, [file("x.mbox", `${head}\nbody\n`)]);
      assert.deepEqual(timesIn(root), [expected]);
    });
  }

  test("of a file is that of its last change", async () => {
    const { root, file } = place();
    await importPaths(root, [file("x.eml", MESSAGE, TIME + 123)]);
    assert.deepEqual(timesIn(root), [TIME + 123]);
  });

  test("is now if nothing says it", async () => {
    const { root, file } = place();
    await importPaths(root, [file("x.mbox", "From x\n\nbody\n")]);
    const [time = 0] = timesIn(root);
    assert.ok(Math.abs(Date.now() - time) < 600_000);
  });
});

test("a name says the size and that the file was imported", async () => {
  const { root, file } = place();
  await importPaths(root, [file("x.eml", MESSAGE)]);
  const [path = ""] = filesBelow(root);
  assert.match(path, /\/example\.com\/bob\/new\/\d+\.M[^/:]+,S=49$/);
  const sha256 = createHash("sha256").update(MESSAGE).digest("hex");
  assert.deepEqual(importMarksIn(basename(path)), { sha256, mark: undefined });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(root, "example.com/bob/tmp")), []);
});

describe("duplicates", () => {
  const trace =
    "Delivered-To: bob@example.com\nReceived: by 2002:a05 with SMTP id x;\n Thu, 1 Jan 2026 00:00:01 -0800 (PST)\nARC-Seal: i=1\nReturn-Path: <ann@example.net>\n";
  const relayed = `Received: from x by mx.example.com (unseen)\n\tid 1; Thu, 1 Jan 2026 00:00:00 +0000\n${MESSAGE}`;
  const copy = `Return-path: <ann@example.net>\nEnvelope-to: bob@example.com\nDelivery-date: Thu, 01 Jan 2026 00:00:00 +0000\n${relayed}`;
  const takeout = `X-GM-THRID: 17\nX-Gmail-Labels: Work\n${trace}${relayed}`;
  for (const [name, first, second, isDuplicate] of [
    ["the same", MESSAGE, MESSAGE, true],
    ["the same with CRLF", MESSAGE, MESSAGE.replaceAll("\n", "\r\n"), true],
    ["below the delivery headers", copy, relayed, true],
    ["a copy of the relay and Takeout", copy, takeout, true],
    ["Takeout and a copy of the relay", takeout, copy, true],
    ["Takeout and the mailbox", takeout, `${trace}${relayed}`, true],
    ["another line on top", MESSAGE, `X-Other: 1\n${MESSAGE}`, false],
    ["a field of a person above our Received line", copy, `Subject: other\n${relayed}`, false],
    [
      "a Received line of another relay",
      relayed,
      `${trace}${relayed}`.replaceAll("mx.example.com", "mx.other.example"),
      false,
    ],
    ["one octet", MESSAGE, `${MESSAGE}\n`, false],
  ] as const) {
    test(name, async () => {
      const { root, file } = place();
      const result = await importPaths(root, [file("1.eml", first), file("2.eml", second)]);
      assert.equal(result.duplicates, isDuplicate ? 1 : 0);
      assert.equal(filesBelow(root).length, isDuplicate ? 1 : 2);
    });
  }

  test("large messages", async () => {
    const { root, file } = place();
    const large = `${MESSAGE}${"x".repeat(3_000_000)}`;
    const paths = [file("1.eml", large), file("2.eml", large), file("3.eml", `${large}y`)];
    const { imported, duplicates } = await importPaths(root, paths);
    assert.deepEqual({ imported, duplicates }, { imported: 2, duplicates: 1 });
    assert.deepEqual(readdirSync(join(root, "example.com/bob/tmp")), []);
  });
});

const labelled = (labels: string, name: string) =>
  `From 17@xxx Thu Jan 01 00:00:00 +0000 2026\nX-GM-THRID: 17\nX-Gmail-Labels: ${labels}\nSubject: ${name}\n\n\n`;

test("Takeout: one folder a message, whatever its labels", async () => {
  const { root, file } = place();
  const path = file(
    "All mail.mbox",
    [
      labelled("Inbox,Sent", "sent"),
      labelled("Inbox,Work", "inbox"),
      labelled('=?UTF-8?Q?"Gr=C3=BC=C3=9Fe,_viele",x?=', "own"),
      labelled("../../etc,Work", "path"),
      labelled("..", "dots"),
      labelled("x".repeat(1000), "long"),
    ].join(""),
  );
  const result = await importPaths(root, [path]);
  assert.equal(result.imported, 6);
  const folders = readdirSync(join(root, "example.com/bob")).filter((name) => name.startsWith("."));
  const long = folders.find((name) => name.startsWith(".xxx")) ?? "";
  assert.equal(long.length, 255);
  assert.deepEqual(
    folders.filter((name) => name !== long).toSorted(),
    [".Gr&APwA3w-e, viele", ".Sent", "._&AC4-.&AC4-&AC4-.etc", "._&AC4-"].toSorted(),
  );
});

test("labels that a sender writes count only in an mbox", async () => {
  const { root, file } = place();
  const { imported } = await importPaths(root, [
    file("x.eml", `X-Gmail-Labels: Trash\n${MESSAGE}`),
  ]);
  assert.equal(imported, 1);
  assert.match(storedIn(root, BOB)[0] ?? "", /^INBOX /);
});

test("--folder comes before everything", async () => {
  const { root, file } = place();
  const path = file("x.mbox", `${FROM} folder=Sent\nX-Gmail-Labels: Work\n${MESSAGE}`);
  await importPaths(root, [path], { folder: "Old/Mail" });
  assert.match(storedIn(root, BOB)[0] ?? "", /^\.Old\.Mail /);
});

describe("directories", () => {
  test("a Maildir with folders, and what is no message in it", async () => {
    const { root, file } = place();
    for (const part of ["new", "cur", "tmp"]) file(`m/.Sent.2026/${part}/.keep`, "");
    file("m/new/1.host", "a: 1\n");
    file("m/cur/2.host:2,FRST", "a: 2\n");
    file("m/tmp/3.host", "a: 3\n");
    file("m/.Sent.2026/cur/4.host:2,S", "a: 4\n");
    file("m/dovecot-uidlist", "3 V1\n");
    symlinkSync("/etc/passwd", join(root, "../m/cur/5.host"));
    const { imported, refused } = await importPaths(root, [join(root, "../m")]);
    assert.deepEqual({ imported, refused }, { imported: 3, refused: 1 });
    assert.deepEqual(contentsIn(root), [".Sent.2026 a: 4\n", "INBOX a: 1\n", "INBOX a: 2\n"]);
  });

  test(".eml files and mboxes below each other", async () => {
    const { root, file } = place();
    file("d/1.eml", "a: 1\n");
    file("d/Work/Old/2.EML", "a: 2\n");
    file("d/Inbox.mbox", `${FROM}\na: 3\n`);
    file("d/Work/Sent", `${FROM}\na: 4\n`);
    file("d/Work/Sent.msf", "// index");
    file("d/.git/x.eml", "a: 5\n");
    const { imported, skipped } = await importPaths(root, [join(root, "../d")]);
    assert.deepEqual({ imported, skipped }, { imported: 4, skipped: 1 });
    assert.deepEqual(contentsIn(root), [
      ".Work.Old a: 2\n",
      ".Work.Sent a: 4\n",
      "INBOX a: 1\n",
      "INBOX a: 3\n",
    ]);
  });
});

test("what is no mail is refused by name", async () => {
  const { root, file } = place();
  const { imported, refusals } = await importPaths(root, [
    file("x.pdf", "%PDF-1.7\n"),
    file("x.zip", "PK\u0003\u0004 and no end"),
    file("x.mbox", "Subject: x\n"),
    file("empty", ""),
  ]);
  assert.equal(imported, 0);
  assert.deepEqual(
    refusals.map((text) => text.replace(/.*\/(?=x\.)/, "")),
    [
      "x.pdf: it is no mail",
      "x.zip: the zip is broken: End of central directory record signature not found. Either not a zip file, or file is truncated.",
      'x.mbox at octet 0: an mbox begins with a line "From "',
    ],
  );
});

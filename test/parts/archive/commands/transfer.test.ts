// relayctl archive import and archive export, as a postmaster runs them.

import assert from "node:assert/strict";
import { readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { filesBelow } from "../../../support/archive-files.ts";
import { RIGHT } from "../../../config/configuration.ts";
import { type Finished, Place, relayctl } from "../../../support/program.ts";

const FROM = "From a@b.example Thu Jan  1 00:00:00 2026\n";

class Archive extends Place {
  readonly #file: string;

  constructor() {
    super();
    const text = RIGHT.replace(
      "[relay]\n",
      `[relay]\nspool_directory = "${this.directory}/spool"\n`,
    );
    this.#file = this.write(
      "routers.toml",
      `${text}[archive]\nstate = "state"\ndirectory = "mail"\n`,
    );
  }

  run(words: readonly string[], input?: string): Promise<Finished> {
    const config = ["--config", this.#file];
    return relayctl(["archive", ...words, ...config], {
      cwd: this.directory,
      ...(input === undefined ? {} : { input }),
    });
  }

  mail(): string[] {
    return filesBelow(join(this.directory, "mail"));
  }
}

describe("archive import", () => {
  test("brings each message once, and says what it did", async () => {
    using archive = new Archive();
    const mbox = archive.write("old.mbox", `${FROM}Subject: 1\n\n${FROM}Subject: 2\n\n`);
    const one = archive.write("one.eml", "Subject: 2\n");
    const other = archive.write("x.pdf", "%PDF");
    utimesSync(one, 1, 1);
    const first = await archive.run(["import", "--account", "Bob@Example.com", mbox]);
    assert.deepEqual(first, {
      code: 0,
      stdout: "2 messages imported into bob@example.com\n",
      stderr: "",
    });
    const again = await archive.run(["import", "--account", "bob@example.com", mbox, one, other]);
    assert.deepEqual(again, {
      code: 1,
      stdout: "0 messages imported into bob@example.com, 3 already there, 1 refused\n",
      stderr: `${other}: it is no mail\n`,
    });
    const json = await archive.run(["import", "--json", "--account", "bob@example.com", other]);
    assert.deepEqual(
      json.stdout
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
      [
        { where: other, why: "it is no mail" },
        { account: "bob@example.com", imported: 0, duplicates: 0, refused: 1, skipped: 0 },
      ],
    );
    assert.equal(archive.mail().length, 2);
    const [audit = ""] = filesBelow(join(archive.directory, "state/audit"));
    const lines = readFileSync(audit, "utf8").match(/^.*import .*account=bob@example\.com.*$/gm);
    assert.equal(lines?.length, 3);
  });

  test("finds a copy of the relay that no index has yet", async () => {
    using archive = new Archive();
    const eml = archive.write("1.eml", "Subject: 1\n");
    await archive.run(["import", "--account", "bob@example.com", eml]);
    const [path = ""] = archive.mail();
    const copy = "Return-path: <a@b.example>\nEnvelope-to: bob@example.com\nSubject: 2\n";
    archive.write(
      `${path.slice(archive.directory.length + 1).replace(/[^/]+$/, "")}1.M2P3.host`,
      copy,
    );
    const { stdout } = await archive.run([
      "import",
      "--account",
      "bob@example.com",
      archive.write("2.eml", "Subject: 2\n"),
    ]);
    assert.match(stdout, /^0 messages imported into bob@example\.com, 1 already there\n$/);
  });

  for (const [name, words, code, text] of [
    ["no path", ["--account", "a@b.example"], 64, /paths/],
    ["no account", ["old.mbox"], 64, /account/],
    ["a name that is no account", ["--account", "bob", "x"], 64, /"bob" is no account/],
    ["an account that leads elsewhere", ["--account", "../bob@b.example", "x"], 64, /no account/],
    [
      "a missing file",
      ["--account", "a@b.example", "gone.mbox"],
      66,
      /gone\.mbox: there is no such file/,
    ],
    [
      "a password in the address",
      ["--account", "a@b.example", "imaps://bob:secret@host/INBOX"],
      64,
      /a password does not belong/,
    ],
    ["IMAP in the clear", ["--account", "a@b.example", "imap://bob@host/INBOX"], 64, /imaps:\/\//],
    [
      "an address without a user",
      ["--account", "a@b.example", "imaps://host/INBOX"],
      64,
      /imaps:\/\/USER@HOST/,
    ],
    ["no password", ["--account", "a@b.example", "imaps://bob@127.0.0.1:1/"], 64, /no password/],
  ] as const) {
    test(name, async () => {
      using archive = new Archive();
      const done = await archive.run(["import", ...words]);
      assert.equal(done.code, code, done.stderr);
      assert.match(done.stderr, text);
      assert.doesNotMatch(done.stderr, /secret/);
    });
  }

  test("a server that does not answer", async () => {
    using archive = new Archive();
    const words = ["import", "--account", "a@b.example", "imaps://bob@127.0.0.1:1/"];
    const done = await archive.run(words, "secret\n");
    assert.equal(done.code, 69, done.stderr);
    assert.match(done.stderr, /^imaps:\/\/bob@127\.0\.0\.1:1: .*ECONNREFUSED/);
  });
});

describe("archive export", () => {
  test("asks for an index", async () => {
    using archive = new Archive();
    const words = ["export", "--query", "hello", "--format", "mbox", "-o", "out"];
    const { code, stderr } = await archive.run(words);
    assert.deepEqual([code, /there is no index/.test(stderr)], [69, true], stderr);
  });

  test("writes over nothing", async () => {
    using archive = new Archive();
    archive.write("out", "mine");
    const words = ["export", "--query", "hello", "--format", "mbox", "-o", "out"];
    const { code, stderr } = await archive.run(words);
    assert.deepEqual([code, /out: it exists/.test(stderr)], [1, true], stderr);
  });
});

// The pages for people: what they link to is there.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parseLsearch } from "../src/lists/lsearch-text.ts";
import { Place } from "./support/program.ts";

const ROOT = join(import.meta.dirname, "..");
const pages = globSync(["*.md", "{docs,routers,src,transports,test}/**/*.md"], { cwd: ROOT });

/** "## What is not there yet" is #what-is-not-there-yet. */
function anchors(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^#+ (.*)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

for (const page of pages) {
  test(`every link in ${page} leads somewhere`, () => {
    const text = readFileSync(join(ROOT, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? join(ROOT, page) : join(ROOT, dirname(page), path);
      assert.ok(statSync(file, { throwIfNoEntry: false }), target);
      if (anchor === undefined) continue;
      assert.ok(anchors(readFileSync(file, "utf8")).includes(anchor), target);
    }
  });
}

const ACCOUNTS = [
  ["alice", "alice"],
  ["bob", "bob"],
  ["bob.smith", "bob"],
  ["sales", "sales"],
];
for (const [page, more] of [
  ["docs/set-up.md", ["postmaster", "abuse"]],
  ["docs/google-workspace.md", []],
] as const) {
  test(`the accounts that ${page} shows are read as it says`, async () => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const accounts = /^```\n(alice\n[^`]*)```$/m.exec(text)?.[1] ?? "";
    const expected = [...ACCOUNTS, ...more.map((name) => [name, name])];
    assert.deepEqual([...(await parseLsearch(accounts))], expected);
  });
}

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const LETTERS = ["one", "two", "three"].map(
  (subject) => `From: dave@example.org\nSubject: ${subject}\n\nh\u00e4llo\n`,
);

/** Runs the program that docs/google-workspace.md has under this comment. Returns the files of the Maildir, sorted. */
function imported(comment: string, source: string): string[] {
  const text = readFileSync(join(ROOT, "docs/google-workspace.md"), "utf8");
  const program =
    new RegExp(`^# ${comment}\n[^\n]*<<'END'\n(.*?)^END$`, "ms").exec(text)?.[1] ?? "";
  const maildir = join(source, "../mail/example.com/alice/.Imported");
  const ran = spawnSync("python3", ["-c", program, source, maildir], { encoding: "utf8" });
  assert.deepEqual([ran.stdout, ran.stderr], ["3 messages\n", ""]);
  assert.equal(statSync(maildir).mode & 0o777, 0o700);
  const files = globSync("new/*", { cwd: maildir });
  return files.map((name) => readFileSync(join(maildir, name), "utf8")).toSorted();
}

test("mail from before the relay gets into a Maildir", { skip: !hasPython }, () => {
  using place = new Place();
  const box = LETTERS.map((letter) => `From dave Tue Dec  1 12:00:00 2026\n${letter}\n`).join("");
  assert.deepEqual(imported("one mbox file", place.write("box", box)), LETTERS.toSorted());
  using other = new Place();
  mkdirSync(join(other.directory, "GYB/2026/12"), { recursive: true });
  for (const [index, letter] of LETTERS.entries()) other.write(`GYB/2026/12/${index}.eml`, letter);
  const files = imported(String.raw`a directory of \.eml files`, join(other.directory, "GYB"));
  assert.deepEqual(files, LETTERS.toSorted());
});

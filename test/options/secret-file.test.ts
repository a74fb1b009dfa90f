import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readSecret, secretFile } from "../../src/options/secret-file.ts";
import type { Problem } from "../../src/options/options.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-secret-"));
after(() => rmSync(directory, { recursive: true }));
const file = join(directory, "secret");

function write(text: string | Buffer, mode = 0o640): void {
  writeFileSync(file, text);
  chmodSync(file, mode);
}

function problems(): string[] {
  const found: Problem[] = [];
  secretFile("A secret.").read(file, "password_file", found);
  return found.map(({ path, message }) => `${path}: ${message}`);
}

describe("a secret file", () => {
  test("is its first line, with or without a line end, spaces and all", async () => {
    for (const end of ["", "\n", "\r\n"]) {
      write(` pass wörd ${end}`);
      assert.equal(await readSecret(file), " pass wörd ");
      assert.deepEqual(problems(), []);
    }
  });

  const wrong: Readonly<
    Record<string, readonly [text: string | Buffer, mode: number, why: RegExp]>
  > = {
    "that everybody can read": ["secret\n", 0o644, /can be used by everybody/],
    "that everybody can write": ["secret\n", 0o602, /can be used by everybody/],
    "without a text": ["", 0o600, /first line is empty/],
    "that begins with an empty line": ["\nsecret\n", 0o600, /first line is empty/],
    "of several lines": ["secret\nmore\n", 0o600, /more than one line/],
    "with a control character": ["sec\0ret\n", 0o600, /control characters/],
    "that is not UTF-8": [Buffer.from([0x73, 0xff, 0x0a]), 0o600, /not UTF-8/],
  };
  for (const [what, [text, mode, why]] of Object.entries(wrong)) {
    test(`${what} is a problem of the configuration, and is not used later either`, async () => {
      write(text, mode);
      assert.match(problems().join("\n"), new RegExp(`^password_file: ${file}: .*${why.source}`));
      await assert.rejects(readSecret(file), why);
    });
  }

  test("that is a pipe is no file later either, and nobody waits for its writer", async () => {
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    await assert.rejects(readSecret(pipe), /pipe: it is no regular file/);
  });

  test("that is missing is a problem with its reason", async () => {
    rmSync(file);
    assert.deepEqual(problems(), [`password_file: cannot read ${file}: there is no such file`]);
    await assert.rejects(readSecret(file), /there is no such file/);
  });
});

// relayctl dkim new: the key, its record, and what is left alone.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { dkimRecordOf } from "../../../src/outbox/dkim-record.ts";

const MAIN = join(import.meta.dirname, "../../../src/main.ts");
const directory = mkdtempSync(join(tmpdir(), "unseen-dkim-new-"));
after(() => rmSync(directory, { recursive: true }));

async function run(...args: readonly string[]): Promise<{ code: number; text: string }> {
  const config = ["--config", join(directory, "routers.toml")];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [
      MAIN,
      "dkim",
      "new",
      ...args,
      ...config,
    ]);
    return { code: 0, text: stdout };
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error && "stderr" in error);
    return { code: Number(error.code), text: String(error.stderr) };
  }
}

describe("relayctl dkim new", () => {
  test("makes a key beside routers.toml that only its owner can read, and prints its record", async () => {
    const { code, text } = await run("Example.COM", "s1");
    const path = join(directory, "example.com.s1.pem");
    assert.equal(code, 0, text);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const key = createPrivateKey(readFileSync(path));
    const signer = {
      domain: "example.com",
      selector: "s1",
      key_file: { path, key, isOpen: false },
    };
    const { name, value } = dkimRecordOf(signer);
    assert.ok(text.includes(`${name}. TXT "${value.slice(0, 200)}`), text);
    assert.ok(text.includes(`key_file = "${path}"`));
    const again = await run("example.com", "s1");
    assert.equal(again.code, 1);
    assert.ok(createPrivateKey(readFileSync(path)).equals(key));
  });

  test("writes to another file, as JSON", async () => {
    const out = join(directory, "other.pem");
    const { text } = await run("example.com", "s2", "--out", out, "--json");
    const printed: unknown = JSON.parse(text);
    assert.ok(
      typeof printed === "object" && printed !== null && "file" in printed && "name" in printed,
    );
    assert.deepEqual([printed.file, printed.name], [out, "s2._domainkey.example.com"]);
  });

  test("refuses names that are none, and a file that it cannot write", async () => {
    assert.equal((await run("not a domain", "s")).code, 64);
    assert.equal((await run("example.com", "a b")).code, 64);
    writeFileSync(join(directory, "file"), "");
    assert.equal((await run("example.com", "s", "--out", join(directory, "file/x"))).code, 69);
  });
});

import assert from "node:assert/strict";
import { argon2Sync } from "node:crypto";
import { test } from "node:test";
import { argon2Of, isArgon2Of, NO_PASSWORD, parseArgon2 } from "../../src/users/argon2.ts";

function parsed(text: string) {
  const hash = parseArgon2(text);
  assert.ok(hash !== undefined, text);
  return hash;
}

test("a new hash is that of its password, and has the parameters of OWASP or more", async () => {
  for (const password of ["geheim", " blanks ", "pä:ss wörd", "x".repeat(1024)]) {
    const hash = parsed(await argon2Of(password));
    assert.ok(hash.memory >= 19_456 && hash.passes >= 2 && hash.salt.length >= 16);
    assert.ok(await isArgon2Of(hash, password));
    assert.ok(!(await isArgon2Of(hash, `${password}x`)));
    assert.ok(!(await isArgon2Of(hash, password.trim().toUpperCase())));
  }
});

test("two hashes of a password differ", async () => {
  assert.notEqual(await argon2Of("x"), await argon2Of("x"));
});

test("a hash of another program, argon2i and other parameters", async () => {
  const nonce = Buffer.from("0123456789abcdef");
  const message = "geheim";
  for (const algorithm of ["argon2i", "argon2id"] as const) {
    const tag = argon2Sync(algorithm, {
      message,
      nonce,
      parallelism: 2,
      memory: 64,
      passes: 3,
      tagLength: 24,
    });
    const text = [nonce, tag].map((octets) => octets.toString("base64").replaceAll("=", ""));
    const hash = parsed(`$${algorithm}$v=19$m=64,t=3,p=2$${text.join("$")}`);
    assert.ok(await isArgon2Of(hash, message));
  }
});

test("what costs too much, or is no hash, is not computed", async () => {
  const good = await argon2Of("x");
  for (const bad of [
    "",
    good.replace("m=19456", "m=999999999"),
    good.replace("t=2", "t=200"),
    good.replace("p=1", "p=100"),
    good.replace("m=19456", "m=4"),
    good.replace("v=19", "v=16"),
    good.replace("$argon2id", "$argon2d"),
    `${good}$`,
    good.slice(1),
  ]) {
    assert.equal(parseArgon2(bad), undefined, bad);
  }
});

test("no password is that of an unknown user", async () => {
  assert.ok(!(await isArgon2Of(NO_PASSWORD, "")));
});

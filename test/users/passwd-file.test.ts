import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PasswdFile } from "../../src/users/passwd-file.ts";

const ALICE = "alice@example.com:{ARGON2ID}$argon2id$v=19$x::::::unseen_role=auditor\n";
const OTHERS = [
  "# a comment: with colons\n",
  "\n",
  "Carol@Example.com:{SHA512-CRYPT}$6$salt$hash:1000:1000::/home/carol::  userdb_mail=maildir:~/Mail   nopassword=n \r\n",
  "dave:{PLAIN}secret\n",
  "caf\xe9@example.com:{PLAIN}\xff\xfe\n",
];

function fileOf(...lines: readonly string[]): PasswdFile {
  return new PasswdFile(Buffer.from(lines.join(""), "latin1"));
}

const textOf = (file: PasswdFile) => file.octets.toString("latin1");

describe("passwd-file: reading", () => {
  test("a line of ours", () => {
    assert.deepEqual(fileOf(ALICE).find("ALICE@example.com"), {
      address: "alice@example.com",
      password: "{ARGON2ID}$argon2id$v=19$x",
      role: "auditor",
      mustChange: false,
    });
  });
  test("the first line of a user counts, as in Dovecot", () => {
    const file = fileOf("a@b.c:one\n", "a@b.c:two\n");
    assert.equal(file.find("a@b.c")?.password, "one");
    assert.equal(file.users.length, 1);
  });
  for (const line of ["", "#a@b.c:x\n", "no colon\n", ":x\n"]) {
    test(`no user in ${JSON.stringify(line)}`, () => assert.deepEqual(fileOf(line).users, []));
  }
  test("a role that nobody knows is none", () => {
    assert.equal(fileOf("a@b.c:x::::::unseen_role=root\n").find("a@b.c")?.role, "none");
  });
});

describe("passwd-file: changes leave every other octet as it was", () => {
  for (const end of ["\n", "\r\n", ""]) {
    test(`a line that ends in ${JSON.stringify(end)}`, () => {
      const file = fileOf(...OTHERS, `alice@example.com:old::::::unseen_role=auditor${end}`);
      assert.ok(file.change("alice@example.com", { password: "new" }));
      const line = `alice@example.com:new::::::unseen_role=auditor${end}`;
      assert.equal(textOf(file), OTHERS.join("") + line);
    });
  }
  test("fields of others in the same line", () => {
    const file = fileOf(...OTHERS);
    assert.ok(file.change("carol@example.com", { role: "admin" }));
    const [, , carol = ""] = OTHERS;
    const expected = carol.replace("nopassword=n ", "nopassword=n  unseen_role=admin");
    assert.equal(textOf(file), OTHERS.join("").replace(carol, expected));
    assert.ok(file.change("carol@example.com", { role: "none" }));
    assert.equal(
      textOf(file).replaceAll(/ +(?=\r\n)/g, ""),
      OTHERS.join("").replaceAll(/ +(?=\r\n)/g, ""),
    );
  });
  test("a line without further fields gets them", () => {
    const file = fileOf("dave:{PLAIN}secret\n");
    assert.ok(file.change("dave", { totp: "ABC" }));
    assert.equal(textOf(file), "dave:{PLAIN}secret::::::unseen_totp=ABC\n");
    assert.ok(file.change("dave", { totp: null }));
    assert.equal(textOf(file), "dave:{PLAIN}secret::::::\n");
  });
  test("the same field never twice, whichever of several it is", () => {
    const file = fileOf("a@b.c:x::::::unseen_role=admin x=y unseen_role=auditor z\n");
    assert.ok(file.change("a@b.c", { role: "auditor" }));
    assert.equal(textOf(file), "a@b.c:x::::::x=y z unseen_role=auditor\n");
  });
  test("add after a last line without an end", () => {
    const file = fileOf("dave:x");
    file.add("bob@example.com", { password: "{ARGON2ID}h", role: "none", mustChange: true });
    assert.equal(textOf(file), "dave:x\nbob@example.com:{ARGON2ID}h::::::unseen_change=1\n");
  });
  test("remove takes all lines of the user, and no other", () => {
    const file = fileOf(ALICE, ...OTHERS, "ALICE@EXAMPLE.COM:x\n");
    assert.ok(file.remove("alice@example.com"));
    assert.equal(textOf(file), OTHERS.join(""));
    assert.equal(file.remove("alice@example.com"), false);
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accountDirectory,
  maildirFile,
  maildirPath,
  messagePath,
} from "../../../../src/parts/archive/model/maildir-place.ts";

test("a file's unique name ends at its first colon, and the path has all of it again", () => {
  const cases = [
    ["new", "1.M2.host", "1.M2.host", ""],
    ["cur", "1.M2.host:2,S", "1.M2.host", ":2,S"],
    ["cur", "1.M2.host:2,a:b", "1.M2.host", ":2,a:b"],
    ["new", ":2,S", "", ":2,S"],
  ] as const;
  for (const [part, fileName, name, suffix] of cases) {
    const file = maildirFile(part, fileName);
    assert.deepEqual(file, { part, name, suffix });
    assert.equal(maildirPath(file), `${part}/${fileName}`);
  }
});

test("an account's directory is DOMAIN/LOCAL_PART, also if the local part has an @", () => {
  assert.equal(accountDirectory("/mail", "ann@example.com"), "/mail/example.com/ann");
  assert.equal(accountDirectory("/mail", "a@b@example.com"), "/mail/example.com/a@b");
  const file = { part: "cur", name: "1.M2", suffix: ":2,S" } as const;
  assert.equal(
    messagePath("/mail", "ann@example.com", ".Sent", file),
    "/mail/example.com/ann/.Sent/cur/1.M2:2,S",
  );
  assert.equal(
    messagePath("/mail", "ann@example.com", "", file),
    "/mail/example.com/ann/cur/1.M2:2,S",
  );
});

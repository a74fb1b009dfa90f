// The users of this machine.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findUser, findUserOf, userName } from "../../src/base/users.ts";

describe("a user", () => {
  const names: readonly (readonly [name: string, found: boolean])[] = [
    ["root", true],
    ["Root", false],
    ["roo", false],
    ["root:x", false],
    ["root\n", false],
    ["0", false],
    ["", false],
    ["__proto__", false],
    ["no-such-user", false],
  ];
  for (const [name, found] of names) {
    it(`is ${found ? "" : "not "}found by the name ${JSON.stringify(name)}`, () => {
      assert.deepEqual(findUser(name), found ? { name: "root", uid: 0, gid: 0 } : undefined);
    });
  }

  const uids: readonly (readonly [uid: number, name: string | undefined])[] = [
    [0, "root"],
    [-1, undefined],
    [4_294_967_290, undefined],
    [Number.NaN, undefined],
  ];
  for (const [uid, name] of uids) {
    it(`with the uid ${uid} is called ${name ?? "by the number"}`, () => {
      assert.equal(findUserOf(uid)?.uid, name === undefined ? undefined : uid);
      assert.equal(userName(uid), name ?? String(uid));
    });
  }
});

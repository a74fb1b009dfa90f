import assert from "node:assert/strict";
import { openSync } from "node:fs";
import { test } from "node:test";
import { errorCode } from "../../src/base/error-code.ts";
import { describeError } from "../../src/observe/log.ts";

/** As Node makes it of a number that libuv has no name for. */
function unnamed(errno: number): Error {
  const code = `Unknown system error ${errno}`;
  return Object.assign(new Error(`${code}: ${code}, write`), { code, errno, syscall: "write" });
}

test("an error number that libuv has no name for has its name here, and in the log", () => {
  const linux = process.platform === "linux";
  const numbers = { EDQUOT: -122, ESTALE: -116, ...(linux && { EUCLEAN: -117 }) };
  for (const [name, errno] of linux ? Object.entries(numbers) : []) {
    assert.equal(errorCode(unnamed(errno)), name);
    assert.equal(describeError(unnamed(errno)), `Error: ${name}: ${name}, write`);
    const wrapped = new Error("cannot store", { cause: unnamed(errno) });
    assert.match(describeError(wrapped), new RegExp(`because Error: ${name}: `));
  }
});

test("a number that nobody has a name for stays a number", () => {
  assert.equal(errorCode(unnamed(-4000)), "Unknown system error -4000");
});

test("names of libuv and of Node stay as they are", () => {
  assert.throws(
    () => openSync("/nowhere/at/all", "r"),
    (error) => errorCode(error) === "ENOENT",
  );
  assert.equal(errorCode(Object.assign(new Error("x"), { code: "ERR_X" })), "ERR_X");
  assert.equal(errorCode(Object.assign(new Error("x"), { code: 3 })), undefined);
  assert.equal(errorCode("ENOENT"), undefined);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { changeUsers } from "../../src/users/users.ts";
import { Place } from "../support/program.ts";

const WRITER = `
  import { changeUsers } from ${JSON.stringify(join(import.meta.dirname, "../../src/users/users.ts"))};
  const [file, name, count] = process.argv.slice(1);
  for (let at = 0; at < Number(count); at++) {
    await changeUsers(file, {}, (users) => { users.add(name + at + "@x.y", { password: "p" }); return true; });
  }`;

const writer = (file: string, name: string, count: number) =>
  spawn(process.execPath, ["--input-type=module", "-e", WRITER, file, name, String(count)], {
    stdio: ["ignore", "ignore", "inherit"],
  });

const add = (file: string, address: string, totp?: string) =>
  changeUsers(file, {}, (users) => {
    users.add(address, { password: "p", ...(totp === undefined ? {} : { totp }) });
    return true;
  });

const modeOf = (file: string) => statSync(file).mode & 0o777;

describe("changes of the users file", () => {
  test("two writers at once lose nothing", async () => {
    using place = new Place();
    const file = join(place.directory, "users");
    const writers = ["a", "b", "c"].map((name) => writer(file, name, 15));
    await Promise.all(writers.map((child) => once(child, "exit")));
    assert.equal(readFileSync(file, "utf8").split("\n").length, 46);
  });
  test("a writer that is killed leaves a whole file, and no lock", async () => {
    using place = new Place();
    const file = place.write("users", "# first\n");
    for (let round = 0; round < 3; round++) {
      const child = writer(file, `r${round}x`, 10_000);
      const size = statSync(file).size;
      while (statSync(file).size === size) await new Promise((then) => setTimeout(then, 5));
      child.kill("SIGKILL");
      await once(child, "exit");
      assert.match(readFileSync(file, "utf8"), /^# first\n(?:r\d+x\d+@x\.y:p::::::\n)*$/);
    }
    await add(file, "last@x.y");
    assert.match(readFileSync(file, "utf8"), /last@x\.y:p::::::\n$/);
    assert.deepEqual(readdirSync(place.directory).toSorted(), ["users", "users.lock"]);
  });
  test("a new file is closed to others; an old one keeps its mode", async () => {
    using place = new Place();
    const file = join(place.directory, "users");
    await add(file, "a@x.y");
    assert.equal(modeOf(file), 0o600);
    for (const mode of [0o640, 0o644, 0o660]) {
      chmodSync(file, mode);
      await add(file, `m${mode}@x.y`);
      assert.equal(modeOf(file), mode);
    }
    chmodSync(file, 0o644);
    await add(file, "t@x.y", "SECRET");
    assert.equal(modeOf(file), 0o640, "the secret of a second factor is for nobody else");
  });
  test("a change that throws, or says that nothing is new, writes nothing", async () => {
    using place = new Place();
    const file = place.write("users", "x");
    const { ino } = statSync(file);
    await assert.rejects(
      changeUsers(file, {}, () => {
        throw new Error("no");
      }),
    );
    await changeUsers(file, {}, () => false);
    assert.equal(statSync(file).ino, ino);
  });
  test("a symbolic link stays one", async () => {
    using place = new Place();
    const file = place.write("real", "");
    const link = join(place.directory, "users");
    symlinkSync(file, link);
    await add(link, "a@x.y");
    assert.equal(readlinkSync(link), file);
    assert.match(readFileSync(file, "utf8"), /^a@x\.y:/);
  });
  test("a directory that is missing is an error, and nothing is made", async () => {
    using place = new Place();
    writeFileSync(join(place.directory, "x"), "");
    await assert.rejects(add(join(place.directory, "no", "users"), "a@x.y"));
    assert.deepEqual(readdirSync(place.directory), ["x"]);
  });
});

// The files of a new relay on the disk: all or none, none over another, and no secret that others can read.

import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CommandError } from "../../../src/contract/exit.ts";
import { carryOut, checkPlan, type Plan } from "../../../src/parts/setup/placing.ts";
import { Place } from "../../support/program.ts";

const isRoot = process.getuid?.() === 0;

function planIn(place: Place, changes: Partial<Plan> = {}): Plan {
  const at = (name: string) => join(place.directory, "new", name);
  return {
    directories: [
      { path: at(""), mode: 0o755 },
      { path: at("tls"), mode: 0o750 },
    ],
    files: [
      { path: at("tls/key.pem"), text: "key", mode: 0o600 },
      { path: at("routers.toml"), text: "secret", mode: 0o640 },
    ],
    ...changes,
  };
}

function treeOf(place: Place): string[] {
  return readdirSync(place.directory, { recursive: true }).map(String).toSorted();
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

function errorOf(act: () => void): CommandError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof CommandError, String(error));
    assert.doesNotMatch(error.message, /\n/);
    assert.match(error.message, /nothing was written$/);
    return error;
  }
  return assert.fail("nothing was thrown");
}

describe("files that are placed", () => {
  for (const umask of [0o022, 0o077, 0]) {
    test(`have their modes, whatever the umask: ${umask.toString(8)}`, () => {
      using place = new Place();
      const before = process.umask(umask);
      try {
        const plan = planIn(place);
        checkPlan(plan);
        carryOut(plan);
      } finally {
        process.umask(before);
      }
      assert.deepEqual(treeOf(place), ["new", "new/routers.toml", "new/tls", "new/tls/key.pem"]);
      const at = join(place.directory, "new");
      assert.equal(readFileSync(join(at, "routers.toml"), "utf8"), "secret");
      assert.equal(modeOf(join(at, "routers.toml")), "640");
      assert.equal(modeOf(join(at, "tls/key.pem")), "600");
      assert.equal(modeOf(join(at, "tls")), "750");
      assert.equal(modeOf(at), "755");
    });
  }

  test("leave directories that are there as they are", () => {
    using place = new Place();
    mkdirSync(join(place.directory, "new"), { mode: 0o700 });
    carryOut(planIn(place));
    assert.equal(modeOf(join(place.directory, "new")), "700");
  });

  test("have parents that were not planned", () => {
    using place = new Place();
    const path = join(place.directory, "a/b/c");
    carryOut({ directories: [{ path, mode: 0o700 }], files: [] });
    assert.equal(modeOf(join(place.directory, "a/b")), "755");
    assert.equal(modeOf(path), "700");
  });
});

describe("nothing is written", () => {
  for (const name of ["routers.toml", "tls/key.pem"]) {
    for (const kind of ["a file", "a link that leads nowhere"]) {
      test(`if ${name} is there: ${kind}`, () => {
        using place = new Place();
        const path = join(place.directory, "new", name);
        mkdirSync(join(place.directory, "new/tls"), { recursive: true });
        if (kind === "a file") writeFileSync(path, "mine");
        else symlinkSync("nowhere", path);
        const before = treeOf(place);
        const error = errorOf(() => checkPlan(planIn(place)));
        assert.equal(error.exitCode, 1);
        assert.ok(error.message.startsWith(`${path} exists already`));
        // A file that appears after the check.
        errorOf(() => carryOut(planIn(place)));
        assert.deepEqual(treeOf(place), before);
        if (kind === "a file") assert.equal(readFileSync(path, "utf8"), "mine");
      });
    }
  }

  test("if a directory is a file, or a link that leads nowhere", () => {
    using place = new Place();
    const path = place.write("new", "a file");
    assert.match(errorOf(() => checkPlan(planIn(place))).message, /new is not a directory/);
    const below = { directories: [{ path: `${path}/deep/er`, mode: 0o700 }], files: [] };
    assert.match(errorOf(() => checkPlan(below)).message, /new is not a directory/);
    errorOf(() => carryOut(below));
    symlinkSync("nowhere", join(place.directory, "link"));
    const linked = {
      directories: [{ path: join(place.directory, "link"), mode: 0o700 }],
      files: [],
    };
    assert.match(errorOf(() => checkPlan(linked)).message, /leads nowhere/);
    assert.deepEqual(treeOf(place), ["link", "new"]);
  });

  test("if the last file cannot be: the others and the directories are gone again", () => {
    using place = new Place();
    const long = { path: join(place.directory, "new", "x".repeat(300)), text: "", mode: 0o600 };
    const { files } = planIn(place);
    const error = errorOf(() => carryOut(planIn(place, { files: [...files, long] })));
    assert.equal(error.exitCode, 69);
    assert.match(error.message, /the path is too long/);
    assert.deepEqual(treeOf(place), []);
  });

  test("if the last name is taken while the files are placed", () => {
    using place = new Place();
    const plan = planIn(place);
    const twice = [...plan.files, ...plan.files.slice(0, 1)];
    const error = errorOf(() => carryOut(planIn(place, { files: twice })));
    assert.match(error.message, /another program has just written it/);
    assert.deepEqual(treeOf(place), []);
  });

  test("where the user may not write", { skip: isRoot }, () => {
    using place = new Place();
    chmodSync(place.directory, 0o500);
    const error = errorOf(() => checkPlan(planIn(place)));
    chmodSync(place.directory, 0o700);
    assert.equal(error.exitCode, 69);
    assert.match(error.message, /permission denied; run the command as root/);
  });

  test("if a directory belongs to another user than planned", () => {
    using place = new Place();
    const owner = { uid: statSync(place.directory).uid + 1, gid: 1 };
    const directories = [{ path: place.directory, mode: 0o700, owner }];
    const error = errorOf(() => checkPlan({ directories, files: [] }));
    assert.match(error.message, / belongs to .* and must belong to /);
    assert.equal(error.exitCode, 1);
  });
});

test("listeners of signals are gone afterwards", () => {
  using place = new Place();
  const before = process.listenerCount("SIGINT");
  carryOut(planIn(place));
  errorOf(() => carryOut(planIn(place)));
  assert.equal(process.listenerCount("SIGINT"), before);
});

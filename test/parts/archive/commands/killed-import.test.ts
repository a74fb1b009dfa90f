// An import that is killed at any point, and run again: every message is there exactly once.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { RIGHT } from "../../../config/configuration.ts";
import { filesBelow } from "../../../support/archive-files.ts";
import { Place } from "../../../support/program.ts";

const MAIN = fileURLToPath(new URL("../../../../src/main.ts", import.meta.url));
const FROM = "From a@b.example Thu Jan  1 00:00:00 2026\n";
const MESSAGES = 400;

function contents(): string[] {
  return Array.from({ length: MESSAGES }, (_, index) => {
    // Some go straight to a draft.
    const length = index % 100 === 50 ? 2_000_000 : index * 10;
    return `Subject: ${index}\n\n${"x".repeat(length)}\n`;
  });
}

const namesIn = (directory: string) => (existsSync(directory) ? readdirSync(directory) : []);

test("every message is there once after kills", async () => {
  using place = new Place();
  const text = RIGHT.replace(
    "[relay]\n",
    `[relay]\nspool_directory = "${place.directory}/spool"\n`,
  );
  const file = place.write(
    "routers.toml",
    `${text}[archive]\nstate = "state"\ndirectory = "mail"\n`,
  );
  const messages = contents();
  const mbox = place.write("old.mbox", messages.map((message) => `${FROM}${message}\n`).join(""));
  const maildir = join(place.directory, "mail/example.com/bob");
  const words = ["archive", "import", "--account", "bob@example.com", mbox, "--config", file];

  for (const least of [1, 60, 200]) {
    const child = spawn(process.execPath, [MAIN, ...words], { stdio: "ignore" });
    const ended = once(child, "exit");
    const watch = setInterval(() => {
      if (namesIn(join(maildir, "new")).length >= least) child.kill("SIGKILL");
    }, 1);
    await ended;
    clearInterval(watch);
    for (const path of filesBelow(join(maildir, "new"))) {
      assert.ok(path.endsWith(`,S=${statSync(path).size}`), "a file in new/ is whole");
    }
  }
  const { code, stderr } = await place.relayctl(...words);
  assert.equal(code, 0, stderr);
  const found = filesBelow(maildir).map((path) => readFileSync(path, "utf8"));
  assert.deepEqual(found.toSorted(), messages.toSorted());
  assert.deepEqual(namesIn(join(maildir, "tmp")), []);
});

// The script is run by bash itself, with the words that somebody has typed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { relayctl } from "../support/program.ts";

const { stdout: SCRIPT } = await relayctl(["completion", "bash"]);

/** What bash offers for the last of the words. */
function offered(...words: readonly string[]): readonly string[] {
  const asked = `${SCRIPT}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _relayctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync("bash", ["-c", asked, "bash", "relayctl", ...words], {
    encoding: "utf8",
    cwd: new URL("../..", import.meta.url),
  });
  return text.split("\n").filter((line) => line !== "");
}

describe("completion for bash", () => {
  test("begins with the commands", () => {
    assert.deepEqual(offered("c"), ["check", "coverage", "completion"]);
    assert.deepEqual(offered("queue", "h"), ["hold"]);
    assert.ok(offered("").includes("queue"));
  });

  test("knows the flags of a command, and those of all", () => {
    assert.deepEqual(offered("queue", "list", "--s"), ["--sender", "--state"]);
    assert.deepEqual(offered("trace", "x", "--l"), ["--limit"]);
    assert.deepEqual(offered("queue", "hold", "--j"), ["--json"]);
    assert.deepEqual(offered("queue", "hold", "--older"), []);
  });

  test("knows what a flag can be, and passes over the values of others", () => {
    assert.deepEqual(offered("queue", "list", "--state", ""), ["active", "deferred", "frozen"]);
    assert.deepEqual(offered("queue", "list", "--older-than", ""), []);
    assert.deepEqual(offered("--config", "queue", "--json", "rel"), ["reload"]);
    assert.deepEqual(offered("check", "--message", "tsconf"), ["tsconfig.json"]);
  });
});

test("zsh uses the script of bash", async () => {
  const { stdout } = await relayctl(["completion", "zsh"]);
  assert.match(stdout, /^autoload -U \+X bashcompinit/);
  assert.ok(stdout.endsWith(SCRIPT));
});

test("another shell is wrong usage", async () => {
  const { code, stderr } = await relayctl(["completion", "fish"]);
  assert.deepEqual([code, stderr], [64, '"fish" is no shell that is known here: bash or zsh\n']);
});

// What relayctl prints holds nothing that a terminal would obey or that a program would take for a line end, although
// addresses, arguments and files have it.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { Place } from "../support/program.ts";

const CONFIG = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:0"
${workspaceConfig(2525)}`;

/** Line ends of our own aside. */
const FORBIDDEN = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const HIDDEN = "\u001b[31m\u0085\u009b\u2028\u202e\u200b\u{e0041}";
const SHOWN = String.raw`\u001b[31m\u0085\u009b\u2028\u202e\u200b\udb40\udc41`;

function place(config = CONFIG): Place {
  const made = new Place();
  made.write("routers.toml", config);
  made.write("gmail_accounts", "alice\n");
  return made;
}

suite("a wrong usage", () => {
  const usages: readonly (readonly string[])[] = [
    [`${HIDDEN}command`],
    ["check", `--${HIDDEN}`],
    ["check", "--client", `a${HIDDEN}\nb`],
    ["check", "--from", `a${HIDDEN}@b.test`],
    ["trace", `a${HIDDEN}\nb@c.test`],
    ["trace", "a@b.test", "--since", HIDDEN],
    ["queue", "list", "--state", HIDDEN],
    ["queue", "list", "--recipient", `a@${HIDDEN}\n`],
    ["queue", "show", HIDDEN],
    ["queue", "retry", HIDDEN],
  ];
  for (const usage of usages) {
    test(`of ${usage.join(" ").replace(HIDDEN, "…").replace("\n", "⏎")} quotes the argument visibly`, async () => {
      using here = place();
      const { code, stdout, stderr } = await here.relayctl("--config", "routers.toml", ...usage);
      assert.notEqual(code, 0);
      assert.doesNotMatch(stdout + stderr, FORBIDDEN);
      assert.ok(stderr.includes(SHOWN), stderr);
      assert.doesNotMatch(stderr, /^b/m, "the argument begins no line");
    });
  }

  test("has its suggestion in a line of its own", async () => {
    using here = place();
    const { stderr } = await here.relayctl("chekc");
    assert.equal(stderr, "error: unknown command 'chekc'\n(Did you mean check?)\n");
  });

  test("is a file that is not there, or a wrong configuration", async () => {
    using here = place(CONFIG.replace('"spool"', `"spool"\n"spo\u202eol" = "\u200b"`));
    const missing = await here.relayctl("--config", `${HIDDEN}\nb`, "check");
    assert.equal(missing.code, 66);
    assert.ok(missing.stderr.includes(SHOWN) && missing.stderr.split("\n").length === 2);
    for (const json of [[], ["--json"]]) {
      const wrong = await here.relayctl("--config", "routers.toml", "check", ...json);
      assert.equal(wrong.code, 78);
      assert.doesNotMatch(wrong.stdout + wrong.stderr, FORBIDDEN);
      assert.ok((wrong.stdout + wrong.stderr).includes(String.raw`spo\u202eol`));
    }
  });
});

suite("a dry run", () => {
  const address = "al\u202eice\u200b\u2028@example.com";

  test("for people shows an address as it is", async () => {
    using here = place();
    const args = ["check", address, "alice@example.com", "--from", "\u202ecarol@example.net"];
    const { stdout } = await here.relayctl("--config", "routers.toml", ...args);
    assert.doesNotMatch(stdout, FORBIDDEN);
    assert.ok(stdout.includes(String.raw`al\u202eice\u200b\u2028@example.com: failed`), stdout);
    assert.ok(stdout.includes(String.raw`<\u202ecarol@example.net>`));
  });

  test("for programs is one line, of the same text", async () => {
    using here = place();
    const { stdout } = await here.relayctl("--config", "routers.toml", "--json", "check", address);
    assert.doesNotMatch(stdout, FORBIDDEN);
    assert.equal(stdout.split("\n").length, 2);
    assert.ok(JSON.stringify(JSON.parse(stdout)).includes(`"address":${JSON.stringify(address)}`));
  });
});

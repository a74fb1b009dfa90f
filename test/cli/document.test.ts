import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { commands } from "../../src/cli/commands.ts";
import { withTables } from "../../src/cli/document.ts";

const PAGE = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");

test("the tables of docs/cli.md are those of the commands; npm run docs writes them", () => {
  assert.equal(PAGE, withTables(PAGE));
});

test("the page has a word on every command", () => {
  for (const { name } of commands) {
    const group = name.split(" ")[0] ?? "";
    assert.match(PAGE, new RegExp(`^## ${group}$`, "m"));
    assert.ok(PAGE.includes(`| \`relayctl ${name}`), name);
  }
});

test("a table of nothing is a mistake of the page", () => {
  const page = "<!-- made by npm run docs: flags of qeueu list -->\n\n<!-- end -->\n";
  assert.throws(() => withTables(page), /no command qeueu list/);
});

test("what stands in a table gives way to what is declared", () => {
  const page = "<!-- made by npm run docs: flags of trace -->\n\nold\n\n<!-- end -->\nkept\n";
  const made = withTables(page);
  assert.doesNotMatch(made, /old/);
  assert.match(made, /\| `--since <duration>` \| .+\n/);
  assert.match(made, /<!-- end -->\nkept\n$/);
});

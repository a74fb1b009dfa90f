// What an option's marks mean holds for whoever declares it: a part's tables are not known to the checks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfiguration } from "../../src/config/load.ts";
import { domainList, hostList } from "../../src/options/list-types.ts";
import {
  keepFixed,
  list,
  marked,
  nested,
  optional,
  options,
  tables,
  text,
} from "../../src/options/options.ts";
import { builtIn } from "../../src/built-in.ts";
import { RIGHT, write } from "./configuration.ts";

const door = options({
  name: optional(marked({ isUnique: true }, text("A name."))),
  address: optional(marked({ isBound: true }, text("Where it listens."))),
  hosts: optional(marked({ grants: "relay" }, hostList("Who may relay."))),
  senders: optional(marked({ grants: "proof" }, domainList("Who proves."))),
  domains: optional(marked({ grants: "acceptance" }, domainList("Whose mail is taken."))),
  certificates: optional(marked({ certificates: "required" }, list("Certificates."))),
});

const sections = {
  ...builtIn.sections,
  door: optional(nested("A door of a part.", door)),
  doors: optional(tables("More of them.", door)),
  window: optional(
    nested("Another.", options({ name: marked({ isUnique: true }, text("A name.")) })),
  ),
};

async function problemsOf(toml: string): Promise<readonly string[]> {
  const file = write("marks.toml", `${RIGHT}\n${toml}`);
  const loaded = await loadConfiguration(file, { ...builtIn, sections });
  if ("configuration" in loaded) return [];
  assert.ok("problems" in loaded);
  return loaded.problems.map(({ path, message }) => `${path}: ${message}`);
}

test("a part's list of who may relay is no net for everybody", async () => {
  assert.deepEqual(await problemsOf('[door]\nhosts = ["192.0.2.0/24"]'), []);
  for (const hosts of ['"*"', '"0.0.0.0/0", "::/0"', '"!192.0.2.1"']) {
    const [problem, ...more] = await problemsOf(`[door]\nhosts = [${hosts}]`);
    assert.match(problem ?? "", /^door\.hosts(?:\[\d\])?: .*(?:open relay|too wide)/);
    assert.deepEqual(more, []);
  }
});

test("with certificates beside it the list may be wide, and somebody must ask for them", async () => {
  const [problem, ...more] = await problemsOf('[door]\nhosts = "*"\ncertificates = ["a"]');
  assert.match(problem ?? "", /^door\.certificates: no listener has/);
  assert.deepEqual(more, []);
  const other = await problemsOf('[door]\nhosts = "*"\n[[doors]]\ncertificates = ["a"]');
  assert.ok(other.some((one) => one === "door.hosts: matches everybody: an open relay"));
});

test("a part's proof and a part's domains are not everybody's", async () => {
  assert.deepEqual(await problemsOf('[door]\nsenders = "*"\ndomains = "*"'), [
    "door.senders: matches every domain, so anybody's signature is a proof",
    "door.domains: matches every domain: an open relay",
  ]);
});

test("an address that a listener has is bound once, whoever binds it", async () => {
  const [, address = ""] = /^address = "(.*)"$/m.exec(RIGHT) ?? [];
  const [problem] = await problemsOf(`[door]\naddress = "${address}"`);
  assert.match(problem ?? "", /^door\.address: is the same as listeners\[0\]\.address/);
});

test("names are unique among those of their kind", async () => {
  assert.deepEqual(await problemsOf('[door]\nname = "a"\n[window]\nname = "a"'), []);
  assert.deepEqual(await problemsOf('[[doors]]\nname = "a"\n[[doors]]\nname = "a"'), [
    'doors[1].name: is the same as doors[0].name: "a"',
  ]);
});

test("a fixed option stays as it is in force, and is named when something else is wanted", () => {
  const fields = options({ a: marked({ isFixed: true }, text("A.")), b: text("B.") });
  const inForce = { a: "old", b: "old" };
  assert.deepEqual(keepFixed(fields, inForce, { a: "new", b: "new" }), {
    values: { a: "old", b: "new" },
    kept: ["a"],
  });
  assert.deepEqual(keepFixed(fields, inForce, { a: "old", b: "new" }).kept, []);
});

// The closed list of events: page, declarations and source say the same.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventDocument } from "../src/cli/event-document.ts";
import { eventTables } from "../src/events.ts";
import { event, eventTable, mark, text, word } from "../src/observe/event.ts";

const CALL = /\.event\(([^,]*),/g;
const ROOT = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

/** The names in the first argument of every call of `.event(`; a call without one, unless it passes on, is the empty name. */
function loggedIn(source: string): string[] {
  const calls = Array.from(source.replaceAll(".event(name, fields)", "").matchAll(CALL));
  return calls.flatMap(([, argument = ""]) => {
    const names = Array.from(argument.matchAll(/"([^"]*)"/g), ([, name = ""]) => name);
    return names.length === 0 ? [""] : names;
  });
}

describe("the events of the source", () => {
  const declared = eventTables.flatMap(({ events }) => Object.entries(events));
  const names = declared.map(([name]) => name);

  test("are those of docs/events.md; npm run docs writes it", () => {
    assert.equal(read("docs/events.md"), eventDocument(eventTables));
  });

  test("are declared once, and are exactly those that it logs", () => {
    assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
    const files = globSync("{src,routers,transports}/**/*.ts", { cwd: ROOT });
    const logged = new Set(files.flatMap((file) => loggedIn(read(file))));
    assert.deepEqual([...logged].toSorted(), names.toSorted());
  });

  test("stand all in the table: no file declares events that nobody has listed", () => {
    const files = globSync("{src,routers,transports}/**/*.ts", { cwd: ROOT });
    const tables = files.filter((file) => /\beventTable\("/.test(read(file)));
    assert.equal(tables.length, eventTables.length);
  });

  test("have a sentence each, and so has every field", () => {
    for (const [name, { means, fields }] of declared) {
      for (const sentence of [means, ...Object.values(fields).map((field) => field.means)]) {
        assert.match(sentence, /^[A-Z].*[^.]\.$/, name);
      }
    }
  });
});

describe("what these tests read", () => {
  test("names of logged events", () => {
    const source = `log.event("a.b", {});\nthis.#log.event(\n  low ? "c.low" : "c.enough", {});\nlog.event(any, {});\nlog.event(name, fields);`;
    assert.deepEqual(loggedIn(source), ["a.b", "c.low", "c.enough", ""]);
  });

  test("a page", () => {
    const fields = {
      id: text("It."),
      kind: word(["x", "y"], "Its kind."),
      unseen: mark("A copy."),
    };
    const table = eventTable("Things", {
      "thing.made": event("It is there.", fields),
      "thing.gone": event("It is gone.", {}),
    });
    const [, ...sections] = eventDocument([table]).split("\n## ");
    assert.deepEqual(sections, [
      [
        "Things\n",
        "### thing.made\n\nIt is there.\n",
        "| field | value | |\n|---|---|---|",
        "| `id` | text | It. |",
        "| `kind` | `x`, `y` | Its kind. |",
        "| `unseen` | true, optional | A copy. |\n",
        "### thing.gone\n\nIt is gone.\n",
      ].join("\n"),
    ]);
  });
});

// An event as the history keeps it: whole, or without the tail of what a stranger made long.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EventName, Events } from "../../../src/observe/events.ts";
import { eventText, MORE } from "../../../src/observe/history/shortened.ts";

/** The text for fields as an event may have them. */
function textOf(given: object): string {
  const fields: Events[EventName] = JSON.parse(JSON.stringify(given));
  return eventText(7, "relay.warning", fields);
}

const x = (count: number) => "x".repeat(count);
/** 13 octets each in the list. */
const people = (count: number) =>
  Array.from({ length: count }, (_, index) => `p${String(index).padStart(5, "0")}@x.t`);

describe("an event in the history", () => {
  const table: readonly (readonly [what: string, given: object, shown: object])[] = [
    ["without fields", {}, {}],
    ["with short fields", { what: "a", code: 250 }, { what: "a", code: 250 }],
    ["with a text of 6 KB", { what: x(6000) }, { what: x(6000) }],
    ["with a text of more", { what: x(7000) }, { what: `${x(1024)}\u2026` }],
    [
      "with a long text and a short one",
      { what: x(7000), why: x(1024), code: 250 },
      { what: `${x(1024)}\u2026`, why: x(1024), code: 250 },
    ],
    [
      "with long texts in a list",
      { all: [x(4000), x(4000)] },
      { all: [`${x(1024)}\u2026`, `${x(1024)}\u2026`] },
    ],
    ["with a few recipients", { recipients: people(2) }, { recipients: people(2) }],
    ["with 4 KB of recipients", { recipients: people(315) }, { recipients: people(315) }],
    [
      "with more recipients",
      { recipients: people(1000) },
      { recipients: people(315), more_recipients: 685 },
    ],
    ["with one of 4 KB", { recipients: [x(4093)] }, { recipients: [x(4093)] }],
    ["with one of more", { recipients: [x(4094)] }, { recipients: [], more_recipients: 1 }],
    ["with one long recipient", { recipients: [x(5000)] }, { recipients: [], more_recipients: 1 }],
    ["of an order for many messages", { action: "retry", ids: people(1000) }, { action: "retry" }],
  ];
  for (const [what, given, shown] of table) {
    it(`${what} is ${JSON.stringify(shown).slice(0, 60)}`, () => {
      assert.deepEqual(JSON.parse(textOf(given)), [7, "relay.warning", shown]);
    });
  }

  it("says by a word of its own that recipients are missing", () => {
    assert.equal(textOf({ recipients: people(1000) }).includes(MORE), true);
    assert.equal(textOf({ recipients: people(10) }).includes(MORE), false);
  });

  it("has no more octets than about a piece, however long each text is", () => {
    const long = Object.fromEntries(people(3).map((name) => [name, x(1_000_000)]));
    assert.ok(textOf(long).length < 6144);
  });
});

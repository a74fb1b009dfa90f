// How a room declares its events, and what the page of events says of each kind of field.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  event,
  type EventField,
  eventTable,
  flag,
  mark,
  maybe,
  number,
  text,
  texts,
  time,
  word,
} from "../../src/observe/event.ts";

describe("a field", () => {
  const table: readonly (readonly [
    field: EventField<unknown>,
    kind: string,
    isOptional: boolean,
  ])[] = [
    [text("It."), "text", false],
    [texts("It."), "list of texts", false],
    [time("It."), "time", false],
    [number("It."), "number", false],
    [flag("It."), "true or false", false],
    [mark("It."), "true", true],
    [word(["a", "b"], "It."), "`a`, `b`", false],
    [maybe(number("It.")), "number", true],
    [maybe(word(["a"], "It.")), "`a`", true],
  ];
  for (const [field, kind, isOptional] of table) {
    it(`is ${kind}${isOptional ? ", or missing" : ""}`, () => {
      const shown = { means: "It.", kind, ...(isOptional ? { isOptional: true } : {}) };
      assert.deepEqual(field, shown);
    });
  }

  it("may be missing only where it was declared so: the field itself is not changed", () => {
    const field = text("It.");
    maybe(field);
    assert.equal(field.isOptional, undefined);
  });
});

describe("a table of events", () => {
  it("keeps its events and their fields in the order in which they were declared", () => {
    const declared = {
      "z.b": event("B.", { z: text("Z."), a: text("A.") }),
      "a.a": event("A.", {}),
    };
    const { about, events } = eventTable("Things", declared);
    assert.equal(about, "Things");
    assert.deepEqual(Object.keys(events), ["z.b", "a.a"]);
    assert.deepEqual(Object.keys(events["z.b"].fields), ["z", "a"]);
  });
});

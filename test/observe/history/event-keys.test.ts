// To whose story an event belongs, and by which addresses that is found.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EventName, Events } from "../../../src/observe/events.ts";
import {
  addressHash,
  addressesIn,
  idsIn,
  isRefusal,
  plainAddress,
} from "../../../src/observe/history/event-keys.ts";

/** Fields as an event may have them. Only those count that a story is found by. */
const fields = (given: object): Events[EventName] => JSON.parse(JSON.stringify(given));

describe("an event", () => {
  const table: readonly (readonly [
    given: object,
    ids: readonly string[],
    addresses: readonly string[],
  ])[] = [
    [{}, [], []],
    [{ id: "a" }, ["a"], []],
    [{ ids: ["a", "b"], action: "retry" }, ["a", "b"], []],
    [{ ids: [] }, [], []],
    [{ id: "a", report: "b" }, ["a", "b"], []],
    [{ id: "a", sender: "<Alice@Example.org>" }, ["a"], ["alice@example.org"]],
    [{ id: "a", sender: "<>" }, ["a"], ["<>"]],
    [{ id: "a", recipient: "Bob@example.com" }, ["a"], ["bob@example.com"]],
    [
      { id: "a", sender: "<a@x.test>", recipients: ["b@x.test", "C@x.test"] },
      ["a"],
      ["a@x.test", "b@x.test", "c@x.test"],
    ],
    [{ id: "a", recipients: 3 }, ["a"], []],
  ];
  for (const [given, ids, addresses] of table) {
    it(`with ${JSON.stringify(given)} is of ${ids.join(" and ") || "no message"}`, () => {
      assert.deepEqual(idsIn(fields(given)), ids);
      assert.deepEqual([...addressesIn(fields(given), "a")], addresses);
    });
  }

  it("that makes a report is found by nobody's address for the report, and not for the message", () => {
    const given = fields({ id: "a", report: "b" });
    assert.deepEqual([...addressesIn(given, "b")], ["<>"]);
    assert.deepEqual([...addressesIn(given, "a")], []);
  });

  const names: readonly (readonly [name: EventName, isSo: boolean])[] = [
    ["recipient.refused", true],
    ["message.refused", true],
    ["message.accepted", false],
    ["delivery.failed", false],
  ];
  for (const [name, isSo] of names) {
    it(`${name} is ${isSo ? "a" : "no"} refusal`, () => assert.equal(isRefusal(name), isSo));
  }
});

describe("an address, as it is looked for", () => {
  const table: readonly (readonly [written: string, plain: string])[] = [
    ["<>", "<>"],
    ["<a@b>", "a@b"],
    ["A@B.Test", "a@b.test"],
    ["<A@B.Test>", "a@b.test"],
    ["", ""],
    ['"<x>"@b.test', '"<x>"@b.test'],
    ["BJ\u00d8RN@b.test", "bj\u00f8rn@b.test"],
  ];
  for (const [written, plain] of table) {
    it(`is ${JSON.stringify(plain)} for ${JSON.stringify(written)}`, () => {
      assert.equal(plainAddress(written), plain);
    });
  }

  // What older files of the history were written with.
  const hashes: readonly (readonly [address: string, hash: number])[] = [
    ["", 0],
    ["123456789", 0xcb_f4_39_26],
    ["a", 0xe8_b7_be_43],
  ];
  for (const [address, hash] of hashes) {
    it(`has the number ${hash} for ${JSON.stringify(address)}, for ever`, () => {
      assert.equal(addressHash(address), hash);
    });
  }
});
